"""A transfer that somebody reversed at Stripe: the seller has given the money, so the books must say so.

Found in two ways, booked in one: an event or a reconciliation makes us read the transfer's reversals
(`absorb`), or our own reversal of it is refused (`taken_elsewhere`). What is refused for that reason counts
as taken for its cause, and no debt is opened for it. Source: a reversal above what is unreversed is refused
(docs, api/transfer_reversals).
"""

from datetime import datetime

from payments import ledger
from payments.database import execute, lock_order, row, rows
from payments.errors import NotSent, StripeRejected
from payments.events import Announce, TransferReversed
from payments.ids import new_id
from payments.movements import Movement, require_payment, retotal, sources, subject_of
from payments.records import PaymentRecord
from payments.transfer_gateway import ForeignReversals

ELSEWHERE = "reversed_elsewhere"
"""The `failure_code` of movements that are Stripe's doing at somebody else's request."""


class ReversedElsewhere(StripeRejected):
    """Stripe's no to a reversal of more than the `left` of the transfer (minor units)."""

    def __init__(self, refusal: StripeRejected, left: int) -> None:
        self.left = left
        super().__init__(
            refusal.code,
            message=refusal.message,
            http_status=refusal.http_status,
            request_id=refusal.request_id,
        )


async def payment_of_transfer(transfer_id: str) -> tuple[str, str] | None:
    """The payment and order whose seller got it, at once or later; None: it is not one of ours."""
    found = await row(
        "SELECT id, order_id FROM payments WHERE transfer_id = $1 UNION ALL "
        "SELECT payment_id, order_id FROM transfer_movements WHERE stripe_id = $1 AND kind = 'transfer'",
        transfer_id,
    )
    return None if found is None else (found["id"], found["order_id"])


async def transfers_of(payment_id: str) -> list[str]:
    """Every transfer that the seller got for the payment."""
    found = await rows(
        "SELECT transfer_id FROM payments WHERE id = $1 AND transfer_id IS NOT NULL UNION ALL "
        "SELECT stripe_id FROM transfer_movements WHERE payment_id = $1 AND kind = 'transfer' "
        "AND status = 'succeeded'",
        payment_id,
    )
    return [record["transfer_id"] for record in found]


async def absorb(
    payment_id: str,
    order_id: str,
    transfer_id: str,
    seen: ForeignReversals,
    announce: Announce,
    now: datetime,
) -> None:
    """Book what was reversed without us beyond what is booked already; in the open transaction.

    While a reversal of ours is on its way the two cannot be told apart: raises NotSent, nothing is done.
    """
    await lock_order(order_id)
    known = await row(
        "SELECT coalesce(sum(amount) FILTER (WHERE failure_code = $2 AND status = 'succeeded'), 0) "
        "AS booked, coalesce(bool_or(status = 'planned'), false) AS under_way "
        "FROM transfer_movements WHERE transfer_id = $1 AND kind = 'reversal'",
        transfer_id,
        ELSEWHERE,
    )
    assert known is not None
    more = seen.amount - int(known["booked"])
    if more <= 0:
        return
    if known["under_way"]:
        raise NotSent("a reversal of ours is on its way")
    payment = await require_payment(payment_id)
    movement_id = await _insert(
        payment,
        transfer_id,
        more,
        f"stripe:{transfer_id}:reversed:{seen.amount}",
        seen.latest_id,
        now,
    )
    await _post(subject_of(payment), movement_id, more, seen.latest_at, now)
    await retotal(payment.id, now)
    await announce(_fact(payment, movement_id, more, now))


async def taken_elsewhere(movement: Movement, left: int, announce: Announce, now: datetime) -> int:
    """Book what was reversed without us, and answer how much of `movement` that already is.

    Inside the concluding transaction, the movement's row locked and still planned. What goes beyond it is
    booked as a movement of its own.
    """
    known = {one.transfer_id: one.left for one in await sources(movement.payment_id)}
    ours = known.get(movement.transfer_id or "", 0) + movement.amount
    foreign = max(0, ours - left)
    taken = min(foreign, movement.amount)
    beyond = foreign if taken < movement.amount else foreign - taken
    if taken == movement.amount:
        await execute(
            "UPDATE transfer_movements SET status = 'succeeded', "
            "failure_code = $3, updated_at = $2 WHERE id = $1",
            movement.id,
            now,
            ELSEWHERE,
        )
        await _post(movement.subject, movement.id, movement.amount, now, now)
    if beyond:
        payment = await require_payment(movement.payment_id)
        cause = f"stripe:{movement.transfer_id}:{ours}"
        beyond_id = await _insert(payment, movement.transfer_id or "", beyond, cause, None, now)
        await _post(movement.subject, beyond_id, beyond, now, now)
        await announce(_fact(payment, beyond_id, beyond, now))
    await retotal(movement.payment_id, now)
    return taken


async def _insert(
    payment: PaymentRecord,
    transfer_id: str,
    amount: int,
    cause: str,
    stripe_id: str | None,
    now: datetime,
) -> str:
    """What nobody here had asked for; once for each total that Stripe showed."""
    movement_id = new_id("mvt")
    await execute(
        "INSERT INTO transfer_movements (id, payment_id, order_id, seller_id, currency, kind, amount, "
        "cause, status, transfer_id, stripe_id, failure_code, created_at, updated_at) "
        "VALUES ($1, $2, $3, $4, $5, 'reversal', $6, $7, 'succeeded', $8, $9, $10, $11, $11)",
        movement_id,
        payment.id,
        payment.order_id,
        payment.seller_id,
        payment.currency,
        amount,
        cause,
        transfer_id,
        stripe_id,
        ELSEWHERE,
        now,
    )
    return movement_id


async def _post(
    subject: ledger.Subject, movement_id: str, amount: int, moved_at: datetime, now: datetime
) -> None:
    entry = ledger.Entry(
        cause=f"{movement_id}:moved",
        kind="transfer_reversal",
        source=ledger.seller_account(subject.seller_id),
        target=ledger.RECOVERED,
        amount=amount,
        occurred_at=moved_at,
    )
    await ledger.post(subject, [entry], now)


def _fact(payment: PaymentRecord, movement_id: str, amount: int, now: datetime) -> TransferReversed:
    return TransferReversed(
        order_id=payment.order_id,
        payment_id=payment.id,
        occurred_at=now,
        movement_id=movement_id,
        seller_id=payment.seller_id,
        amount=amount,
    )
