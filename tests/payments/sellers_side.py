"""What a seller has of an order, in the books and at Stripe, for tests of refunds and transfers."""

from payments.database import lock_order, row, rows, transaction
from payments.ids import OperationId
from payments.records import PaymentRecord
from tests.payments.conftest import Till, balances_of


async def payment_of(till: Till, order_id: str) -> PaymentRecord:
    payment = await till.payments.find(order_id)
    assert payment is not None
    assert payment.intent_id is not None
    return payment


async def require_same_at_stripe(till: Till, order_id: str) -> int:
    """The seller's account says what their Stripe balance holds of this order; answers it."""
    payment = await payment_of(till, order_id)
    held = (await balances_of(order_id)).get(f"seller:{payment.seller_id}", 0)
    at_stripe = till.stripe_transfers.seller_has(payment.intent_id or "")
    assert held == at_stripe, (held, at_stripe)
    charge = till.gateway._require(payment.intent_id or "").charge
    assert charge is not None
    assert payment.fee_refunded == charge.fee_refunded
    # The platform's own part, by Stripe's movements of it.
    moved = sum(m.net for m in till.gateway._movements if m.charge_id == charge.id)
    ours = {
        account: amount
        for account, amount in (await balances_of(order_id)).items()
        if account.startswith("platform:") or account.endswith(":debt")
    }
    assert sum(ours.values()) == moved, (ours, moved)
    return held


async def reverse(till: Till, order_id: str, amount: int, cause: str) -> OperationId | None:
    payment = await payment_of(till, order_id)
    async with transaction():
        await lock_order(order_id)
        return await till.transfers.plan_reversal(payment.id, amount, cause, till.clock())


async def send(till: Till, order_id: str, amount: int, cause: str) -> OperationId | None:
    payment = await payment_of(till, order_id)
    async with transaction():
        await lock_order(order_id)
        return await till.transfers.plan_transfer(payment.id, amount, cause, till.clock())


async def debts_of(order_id: str) -> list[tuple[str, int, int, bool]]:
    """(what the cause is of, amount, settled, closed), oldest first."""
    found = await rows(
        "SELECT cause, amount, amount_settled, closed_at IS NOT NULL AS closed FROM debts "
        "WHERE order_id = $1 ORDER BY id",
        order_id,
    )
    return [
        (r["cause"].split(":")[0], r["amount"], r["amount_settled"], r["closed"]) for r in found
    ]


async def movement_of(cause: str, kind: str) -> tuple[str, int]:
    """Its status and amount."""
    found = await row(
        "SELECT status, amount FROM transfer_movements WHERE cause = $1 AND kind = $2", cause, kind
    )
    assert found is not None
    return found["status"], found["amount"]
