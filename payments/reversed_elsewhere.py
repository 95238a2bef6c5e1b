"""A transfer that somebody reversed at Stripe, found when our own reversal of it is refused.

The seller has given the money already: it is booked as taken for the same cause, and no debt is opened for
it. Source: a reversal above what is unreversed is refused (docs, api/transfer_reversals).
"""

from datetime import datetime

from payments import ledger
from payments.database import execute
from payments.errors import StripeRejected
from payments.ids import new_id
from payments.movements import Movement, retotal, sources


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


async def taken_elsewhere(movement: Movement, left: int, now: datetime) -> int:
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
            "failure_code = 'reversed_elsewhere', updated_at = $2 WHERE id = $1",
            movement.id,
            now,
        )
        await _post(movement, movement.id, movement.amount, now)
    if beyond:
        await _post(movement, await _insert(movement, beyond, ours, now), beyond, now)
    await retotal(movement.payment_id, now)
    return taken


async def _insert(movement: Movement, amount: int, known: int, now: datetime) -> str:
    """What nobody here had asked for; once for each total that Stripe showed."""
    movement_id = new_id("mvt")
    await execute(
        "INSERT INTO transfer_movements (id, payment_id, order_id, seller_id, currency, kind, amount, "
        "cause, status, transfer_id, failure_code, created_at, updated_at) "
        "VALUES ($1, $2, $3, $4, $5, 'reversal', $6, $7, 'succeeded', $8, 'reversed_elsewhere', $9, $9)",
        movement_id,
        movement.payment_id,
        movement.order_id,
        movement.seller_id,
        movement.currency,
        amount,
        f"stripe:{movement.transfer_id}:{known}",
        movement.transfer_id,
        now,
    )
    return movement_id


async def _post(movement: Movement, movement_id: str, amount: int, now: datetime) -> None:
    entry = ledger.Entry(
        cause=f"{movement_id}:moved",
        kind="transfer_reversal",
        source=ledger.seller_account(movement.seller_id),
        target=ledger.RECOVERED,
        amount=amount,
        occurred_at=now,
    )
    await ledger.post(movement.subject, [entry], now)
