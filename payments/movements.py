"""Money taken back from a seller's transfer on its own, or sent to them again: planned here, once per cause.

What can be taken back lies in the order's own transfer and in whatever was sent to the seller again after
it, which is taken first. What is no longer in any of them, because a debt was netted from this order, is a
debt at once. Nothing is taken twice: what other refunds and disputes took of this order
bounds what a new cause may take.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from payments import ledger
from payments.database import execute, require_transaction, row, rows, value
from payments.debt_book import open_debt
from payments.events import Announce
from payments.ids import IdempotencyKey, OperationId, new_id
from payments.journal import put_in_line
from payments.records import COLUMNS, PaymentRecord
from payments.transfer_gateway import ReversalDraft, TransferDraft

REVERSE, TRANSFER = "reverse_transfer", "transfer"
DEBT_CAUSE = "debt:"
"""How the cause of a reversal begins that settles a debt: `debt:dbt_...:pay_...`."""


class Movement(msgspec.Struct, frozen=True, kw_only=True):
    """One row: minor units of `currency`; `transfer_id` is what a reversal takes from."""

    id: str
    payment_id: str
    order_id: str
    seller_id: str
    currency: str
    kind: str
    amount: int
    cause: str
    status: str
    stripe_id: str | None
    transfer_id: str | None
    failure_code: str | None
    created_at: datetime
    updated_at: datetime

    @property
    def subject(self) -> ledger.Subject:
        """Whose money it is."""
        return ledger.Subject(
            payment_id=self.payment_id,
            order_id=self.order_id,
            seller_id=self.seller_id,
            currency=self.currency,
        )


_COLUMNS = ", ".join(Movement.__struct_fields__)


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One of Stripe's transfers to the seller, and how much of it can still be taken back."""

    transfer_id: str
    left: int


_SOURCES = """
SELECT s.transfer_id, (s.amount - coalesce(sum(t.amount), 0))::bigint AS left
FROM (
    SELECT transfer_id, amount_captured AS amount, true AS own, created_at FROM payments
    WHERE id = $1 AND transfer_id IS NOT NULL AND settled_in IS NULL
    UNION ALL SELECT stripe_id, amount, false, created_at FROM transfer_movements
    WHERE payment_id = $1 AND kind = 'transfer' AND status = 'succeeded'
) AS s LEFT JOIN (
    SELECT p.transfer_id, r.transfer_amount AS amount FROM refunds r
    JOIN payments p ON p.id = r.payment_id WHERE r.payment_id = $1 AND r.status <> 'refused'
    UNION ALL SELECT transfer_id, amount FROM transfer_movements
    WHERE payment_id = $1 AND kind = 'reversal' AND status <> 'refused'
) AS t ON t.transfer_id = s.transfer_id
GROUP BY s.transfer_id, s.amount, s.own, s.created_at ORDER BY s.own, s.created_at, s.transfer_id
"""
# A transfer of converted money is in another currency: no amount of ours says how much of it to take.
# The order's own transfer comes last: Stripe takes it back even into a balance below zero, the others
# only while the seller has the money.
# A debt netted from this order left its own refunds and disputes their full claim.
_CLAIMED = """
SELECT coalesce((SELECT sum(transfer_amount) FROM refunds WHERE payment_id = $1 AND status <> 'refused'), 0)
     + coalesce((SELECT sum(CASE kind WHEN 'reversal' THEN amount ELSE -amount END)
                 FROM transfer_movements
                 WHERE payment_id = $1 AND status <> 'refused' AND cause NOT LIKE 'debt:%'), 0)
     + coalesce((SELECT sum(amount) FROM debts d WHERE payment_id = $1
                 AND NOT EXISTS (SELECT FROM refunds r WHERE r.payment_id = $1
                     AND r.status IN ('failed', 'canceled') AND d.cause LIKE 'refund:' || r.id || '%')
                 AND NOT EXISTS (SELECT FROM disputes s WHERE s.payment_id = $1
                     AND s.status = 'won' AND d.cause LIKE 'dispute:' || s.id || '%')), 0)
"""
_SENDABLE = """
SELECT coalesce((SELECT sum(transfer_amount) FROM refunds WHERE payment_id = $1 AND status <> 'refused'), 0)
     + coalesce((SELECT sum(CASE kind WHEN 'reversal' THEN amount ELSE -amount END)
                 FROM transfer_movements WHERE payment_id = $1 AND status <> 'refused'), 0)
"""


_TAKEN = """
SELECT coalesce((SELECT sum(amount) FROM transfer_movements WHERE payment_id = $1 AND kind = 'reversal'
                 AND status <> 'refused' AND (cause = $2 OR cause LIKE $2 || '+%')), 0)
     + coalesce((SELECT transfer_amount FROM refunds WHERE id = $3), 0)
"""


async def taken_for(payment_id: str, cause: str) -> int:
    """What was or is being taken back of the payment because of `cause`, in minor units."""
    return int(await value(_TAKEN, payment_id, cause, refund_of(cause)))


async def sendable(payment_id: str) -> int:
    """What was taken back of the payment and is not yet sent, nor about to be. Minor units."""
    return int(await value(_SENDABLE, payment_id))


def refund_of(cause: str) -> str | None:
    """The refund that a cause names: `refund:rfd_...`, with `+1` for a second part."""
    kind, _, id = cause.partition(":")
    return id.partition("+")[0] if kind == "refund" else None


async def sources(payment_id: str) -> list[Source]:
    """What can still be taken back of the payment's transfers, the order's own one last."""
    return [Source(**record) for record in await rows(_SOURCES, payment_id)]


async def plan_reversal(
    payment_id: str, amount: int, cause: str, announce: Announce, now: datetime
) -> OperationId | None:
    """Write down that `amount` is taken back from the seller; answers the (first) operation, if any.

    In the caller's transaction, the order's lock held. The same cause again answers the same operation.
    What the seller had of this order bounds it; the part that is in no transfer any more becomes a debt.
    """
    require_transaction()
    earlier = await _operation_of(cause, "reversal")
    if earlier is not None:
        return earlier
    payment = await require_payment(payment_id)
    claimable = payment.amount_captured - int(await value(_CLAIMED, payment_id))
    wanted = min(amount, claimable)
    if wanted <= 0 or payment.transfer_id is None:
        return None
    parts = _spread(wanted, await sources(payment_id))
    planned = await _plan_parts(payment, parts, cause, now)
    short = wanted - sum(part for _, part in parts)
    if short and not cause.startswith(DEBT_CAUSE):
        await open_debt(subject_of(payment), short, f"{cause}:short", announce, now)
    return planned[0] if planned else None


async def plan_taking_again(
    payment_id: str, amount: int, cause: str, now: datetime
) -> list[OperationId]:
    """Write down that up to `amount` that Stripe had refused to take back is asked for once more.

    In the caller's transaction, the order's lock held. It is claimed already, as a debt: only what the
    order's transfers hold bounds it.
    """
    require_transaction()
    parts = _spread(amount, await sources(payment_id))
    return await _plan_parts(await require_payment(payment_id), parts, cause, now)


async def plan_transfer(
    payment_id: str, amount: int, cause: str, now: datetime
) -> OperationId | None:
    """Write down that `amount` is sent to the seller again; answers the operation, if there is one.

    In the caller's transaction, the order's lock held. Never more than was taken back because of the same
    cause, nor than was taken back in all and not yet sent.
    """
    require_transaction()
    earlier = await _operation_of(cause, "transfer")
    if earlier is not None:
        return earlier
    payment = await require_payment(payment_id)
    sent = min(amount, await taken_for(payment_id, cause), await sendable(payment_id))
    if sent <= 0:
        return None
    movement_id = await _insert(payment, "transfer", sent, cause, None, now)
    operation_id = OperationId(new_id("op"))
    draft = TransferDraft(
        operation_id=operation_id,
        movement_id=movement_id,
        payment_id=payment.id,
        order_id=payment.order_id,
        charge_id=payment.charge_id or "",
        destination=payment.destination,
        amount=sent,
        currency=payment.currency,
    )
    return await put_in_line(
        kind=TRANSFER,
        subject=movement_id,
        order_id=payment.order_id,
        key=IdempotencyKey(f"{cause}:transfer"),
        draft=draft,
        operation_id=operation_id,
        due_at=now,
        now=now,
    )


async def lock_movement(movement_id: str) -> Movement:
    """The movement, held until the open transaction ends; it must exist."""
    require_transaction()
    found = await row(
        f"SELECT {_COLUMNS} FROM transfer_movements WHERE id = $1 FOR UPDATE", movement_id
    )
    assert found is not None, movement_id
    return Movement(**found)


async def movements_of(cause: str) -> list[Movement]:
    """What was planned for this cause, the first one first."""
    found = await rows(
        f"SELECT {_COLUMNS} FROM transfer_movements WHERE cause = $1 OR cause LIKE $1 || '+%' "
        "ORDER BY cause, kind",
        cause,
    )
    return [Movement(**record) for record in found]


async def retotal(payment_id: str, now: datetime) -> None:
    """Bring the payment's totals of transfers in line with the books."""
    await execute(
        "UPDATE payments SET updated_at = $2, transfer_reversed = t.reversed, "
        "transfer_restored = t.restored FROM ("
        "  SELECT coalesce(sum(amount) FILTER (WHERE kind <> 'transfer'), 0) AS reversed, "
        "         coalesce(sum(amount) FILTER (WHERE kind = 'transfer'), 0) AS restored FROM postings "
        "  WHERE payment_id = $1 AND (kind IN ('transfer_reversal', 'transfer') "
        "        OR (kind = 'refund' AND source LIKE 'seller:%'))) AS t "
        "WHERE id = $1 AND (transfer_reversed, transfer_restored) IS DISTINCT FROM (t.reversed, t.restored)",
        payment_id,
        now,
    )


async def require_payment(payment_id: str) -> PaymentRecord:
    """The payment with this id; it must exist."""
    found = await row(f"SELECT {COLUMNS} FROM payments WHERE id = $1", payment_id)
    assert found is not None, payment_id
    return PaymentRecord(**found)


def subject_of(payment: PaymentRecord) -> ledger.Subject:
    """Whose money it is."""
    return ledger.Subject(
        payment_id=payment.id,
        order_id=payment.order_id,
        seller_id=payment.seller_id,
        currency=payment.currency,
    )


async def _plan_parts(
    payment: PaymentRecord, parts: Sequence[tuple[str, int]], cause: str, now: datetime
) -> list[OperationId]:
    """A reversal of each transfer; one after the other: what the seller must have is asked for first."""
    return [
        await _plan_part(
            payment,
            source_id,
            part,
            cause if number == 0 else f"{cause}+{number}",
            now,
            due_at=now - timedelta(microseconds=len(parts) - number),
        )
        for number, (source_id, part) in enumerate(parts)
    ]


async def _plan_part(
    payment: PaymentRecord,
    source_id: str,
    amount: int,
    cause: str,
    now: datetime,
    *,
    due_at: datetime,
) -> OperationId:
    movement_id = await _insert(payment, "reversal", amount, cause, source_id, now)
    operation_id = OperationId(new_id("op"))
    draft = ReversalDraft(
        operation_id=operation_id,
        movement_id=movement_id,
        payment_id=payment.id,
        order_id=payment.order_id,
        transfer_id=source_id,
        amount=amount,
    )
    return await put_in_line(
        kind=REVERSE,
        subject=movement_id,
        order_id=payment.order_id,
        key=IdempotencyKey(f"{cause}:reversal"),
        draft=draft,
        operation_id=operation_id,
        due_at=due_at,
        now=now,
    )


async def _insert(
    payment: PaymentRecord,
    kind: str,
    amount: int,
    cause: str,
    source_id: str | None,
    now: datetime,
) -> str:
    movement_id = new_id("mvt")
    await execute(
        "INSERT INTO transfer_movements (id, payment_id, order_id, seller_id, currency, kind, amount, "
        "cause, status, transfer_id, created_at, updated_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'planned', $9, $10, $10)",
        movement_id,
        payment.id,
        payment.order_id,
        payment.seller_id,
        payment.currency,
        kind,
        amount,
        cause,
        source_id,
        now,
    )
    return movement_id


async def _operation_of(cause: str, kind: str) -> OperationId | None:
    """The latest operation of the movement with this cause and kind."""
    found: str | None = await value(
        "SELECT o.id FROM transfer_movements m JOIN operations o ON o.subject = m.id "
        "WHERE m.cause = $1 AND m.kind = $2 ORDER BY o.created_at DESC, o.id DESC LIMIT 1",
        cause,
        kind,
    )
    return None if found is None else OperationId(found)


def _spread(amount: int, available: Sequence[Source]) -> list[tuple[str, int]]:
    """From which transfers an amount is taken; less than it where they hold less."""
    parts = []
    for source in available:
        part = min(amount, source.left)
        if part > 0:
            parts.append((source.transfer_id, part))
            amount -= part
    return parts
