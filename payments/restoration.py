"""What a seller is owed when the refund or dispute that took their money turns out not to stand.

A refund that Stripe could not deliver leaves its money on the platform's balance and the seller's transfer
reversed. They get back what was taken for it, less the fee that had been returned to them with it: then they
have what they had before, and the platform its fee.
"""

from datetime import datetime

from payments import ledger
from payments.database import row, rows, value
from payments.debt_book import DebtRecord, lock_debts_of, open_debt, settle
from payments.events import Announce
from payments.ids import OperationId
from payments.movements import plan_transfer, refund_of, taken_for

_STANDS = """
SELECT r.payment_id, r.order_id, r.currency, p.seller_id,
       CASE WHEN f.id IS NOT NULL THEN (CASE WHEN f.status = 'refused' THEN 0 ELSE f.amount END)
            WHEN r.transfer_amount > 0 THEN r.fee_amount ELSE 0 END AS fee_returned,
       EXISTS (SELECT FROM transfer_movements m WHERE m.payment_id = r.payment_id
               AND m.kind = 'reversal' AND m.status = 'planned'
               AND (m.cause = 'refund:' || r.id OR m.cause LIKE 'refund:' || r.id || '+%'))
           OR coalesce(f.status = 'planned', false) AS under_way
FROM refunds r JOIN payments p ON p.id = r.payment_id
LEFT JOIN fee_returns f ON f.cause = 'refund:' || r.id
WHERE r.id = $1 AND r.status IN ('failed', 'canceled')
"""


async def restore_after_failure(refund_id: str, announce: Announce, now: datetime) -> None:
    """Send the seller what a refund that failed had cost them; nothing for one that stands.

    In the open transaction, the order's lock held. While its reversal or fee return is still under way
    nothing is done: their conclusion calls this again.
    """
    found = await row(_STANDS, refund_id)
    if found is None or found["under_way"]:
        return
    cause = f"refund:{refund_id}"
    await forgive_debts_of(found["payment_id"], cause, announce, now)
    owed = await taken_for(found["payment_id"], cause) - found["fee_returned"]
    if owed > 0:
        await plan_transfer(found["payment_id"], owed, cause, now)
    elif owed < 0:
        subject = ledger.Subject(
            payment_id=found["payment_id"],
            order_id=found["order_id"],
            seller_id=found["seller_id"],
            currency=found["currency"],
        )
        # Nothing could be taken back, but the fee had been returned: that much they have too much.
        await open_debt(subject, -owed, f"fee_of:{refund_id}", announce, now)


async def restore(
    payment_id: str, amount: int, cause: str, announce: Announce, now: datetime
) -> OperationId | None:
    """Undo what `cause` took from the seller, up to `amount`: debts of it are no longer owed, and what was
    taken is sent again. Answers the transfer's operation, if there is one.
    """
    await forgive_debts_of(payment_id, cause, announce, now)
    return await plan_transfer(payment_id, amount, cause, now)


async def is_void(cause: str) -> bool:
    """Whether the refund behind a cause did not come about, so that nothing is owed for it."""
    return bool(
        await value(
            "SELECT EXISTS (SELECT FROM refunds WHERE id = $1 AND status IN ('failed', 'canceled'))",
            refund_of(cause),
        )
    )


async def forgive_debts_of(payment_id: str, cause: str, announce: Announce, now: datetime) -> None:
    """Close the debts behind which `cause` was, and send back what was netted for them meanwhile."""
    for debt in await lock_debts_of(payment_id, cause):
        nettings = await rows(
            "SELECT payment_id, cause, amount, status FROM transfer_movements "
            "WHERE seller_id = $2 AND cause LIKE 'debt:%' AND cause LIKE 'debt:' || $1 || ':%' "
            "AND kind = 'reversal' AND status <> 'refused'",
            debt.id,
            debt.seller_id,
        )
        under_way = sum(one["amount"] for one in nettings if one["status"] == "planned")
        if debt.left - under_way > 0:
            forgiven = f"{debt.id}:forgiven"
            await settle(debt, debt.left - under_way, _subject(debt), forgiven, announce, now)
        for one in nettings:
            await plan_transfer(one["payment_id"], one["amount"], one["cause"], now)


def _subject(debt: DebtRecord) -> ledger.Subject:
    return ledger.Subject(
        payment_id=debt.payment_id,
        order_id=debt.order_id,
        seller_id=debt.seller_id,
        currency=debt.currency,
    )
