"""Taking refunds in: ours by the id in their metadata, and those made at Stripe's Dashboard as imports."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
import structlog

from payments import ledger
from payments.database import execute_many, row, rows
from payments.events import Announce, RefundFailed, RefundSucceeded
from payments.gateway import ChargeSnapshot, RefundSnapshot
from payments.ids import RefundId, new_id
from payments.money import whole_share
from payments.movements import retotal
from payments.records import REFUND_COLUMNS, PaymentRecord, RefundRecord
from payments.restoration import restore_after_failure
from payments.standing import unexplained_fee

_log = structlog.get_logger("payments.refunds")

_OVER = ("failed", "canceled")
_RANK = {
    "planned": 0,
    "refused": 0,
    "pending": 1,
    "requires_action": 1,
    "succeeded": 2,
    # A refund that had succeeded can still fail days later; nothing follows these two.
    "failed": 3,
    "canceled": 3,
}


async def absorb_refunds(
    payment: PaymentRecord,
    subject: ledger.Subject,
    charge: ChargeSnapshot,
    announce: Announce,
    now: datetime,
) -> PaymentRecord:
    """Merge every refund of the charge by id, post what moved, announce what became true.

    A card refund moves money when it has a balance transaction. One that failed moved it back, and what it
    had cost the seller is sent to them again.
    """
    _mind_the_transfer(payment, charge)
    if not charge.refunds:
        return payment
    known = await _known(payment)
    changed = [
        _Refunding(
            refund_id=RefundId(before.id if before else new_id("rfd")), before=before, seen=seen
        )
        for seen in map(_believed, charge.refunds)
        if _news(before := known.get(seen.id) or known.get(seen.refund_id or ""), seen)
    ]
    if not changed:
        return payment
    await _keep(payment, changed, now)
    entries = [entry for one in changed for entry in _entries(subject, one, now)]
    await ledger.post(subject, entries, now)
    after = await _retotalled(payment, now)
    for one in changed:
        await _announce(after, one, announce, now)
        if one.seen.status in _OVER:
            await restore_after_failure(one.refund_id, announce, now)
    return after


class _KnownRefund(RefundRecord, frozen=True, kw_only=True):
    """Our row, and what is in the books for it."""

    posted: bool
    reversed_apart: bool


class _Refunding(msgspec.Struct, frozen=True, kw_only=True):
    """A refund that changed: our id for it, our row before (None for an import), what Stripe showed."""

    refund_id: RefundId
    before: _KnownRefund | None
    seen: RefundSnapshot

    @property
    def taken(self) -> int:
        """What came back of the seller's transfer with it. Minor units."""
        if self.seen.transfer_reversal_id is None:
            return 0
        return self.seen.amount if self.seen.reversal_amount is None else self.seen.reversal_amount

    @property
    def seller_bears(self) -> bool:
        """Whether it is the seller's money, taken with the refund or by a reversal of its own."""
        planned = self.before is not None and self.before.reverse_transfer is True
        return planned or self.taken == self.seen.amount


def _mind_the_transfer(payment: PaymentRecord, charge: ChargeSnapshot) -> None:
    """Stripe skips a destination charge's transfer when the seller could not receive it at that moment."""
    if charge.captured and charge.status == "succeeded" and payment.transfer_id is None:
        _log.error(
            "the seller of a captured payment got no transfer", payment_id=payment.id, alarm=True
        )


async def _retotalled(payment: PaymentRecord, now: datetime) -> PaymentRecord:
    """The totals, from the books and not from the snapshot, which may be an old one."""
    await retotal(payment.id, now)
    totals = await row(
        "UPDATE payments SET updated_at = $2, amount_refunded = ("
        "  SELECT coalesce(sum(CASE kind WHEN 'refund' THEN amount ELSE -amount END), 0) FROM postings"
        "  WHERE payment_id = $1 AND kind IN ('refund', 'refund_failure')) "
        "WHERE id = $1 RETURNING amount_refunded, transfer_reversed, transfer_restored",
        payment.id,
        now,
    )
    assert totals is not None
    return msgspec.structs.replace(payment, updated_at=now, **dict(totals))


def _believed(seen: RefundSnapshot) -> RefundSnapshot:
    """The refund, still on its way where its money has not moved yet or its status is a new word."""
    arrived = seen.status != "succeeded" or seen.moved
    if seen.status in _RANK and arrived:
        return seen
    return msgspec.structs.replace(seen, status="pending")


def _news(before: _KnownRefund | None, seen: RefundSnapshot) -> bool:
    if before is None or before.stripe_refund_id is None:
        return True
    if _RANK[seen.status] != _RANK[before.status]:
        return _RANK[seen.status] > _RANK[before.status]
    return (seen.moved and not before.posted) or seen.pending_reason != before.pending_reason


async def _known(payment: PaymentRecord) -> dict[str, _KnownRefund]:
    """The rows these refunds may already have, by Stripe's id and by ours, in one query."""
    found = await rows(
        f"SELECT {REFUND_COLUMNS}, "
        "EXISTS (SELECT FROM postings WHERE cause = refunds.id || ':refunded') AS posted, "
        "EXISTS (SELECT FROM postings WHERE cause = refunds.id || ':reversed') AS reversed_apart "
        "FROM refunds WHERE payment_id = $1 FOR UPDATE",
        payment.id,
    )
    records = [_KnownRefund(**record) for record in found]
    by_ours = {record.id: record for record in records}
    by_theirs = {r.stripe_refund_id: r for r in records if r.stripe_refund_id is not None}
    return {**by_ours, **by_theirs}


async def _keep(payment: PaymentRecord, changed: Sequence[_Refunding], now: datetime) -> None:
    known = [one for one in changed if one.before is not None]
    if known:
        await _update(known, now)
    imported = sorted(
        (one for one in changed if one.before is None), key=lambda one: one.seen.created_at
    )
    if not imported:
        return
    # Whose fee was returned at Stripe is not told by the refund, only by the fee's total.
    unexplained = await unexplained_fee(payment)
    bearing = [one.refund_id for one in imported if one.taken]
    imports = []
    for one in imported:
        fee = 0
        if one.taken:
            last = one.refund_id == bearing[-1]
            share = whole_share(
                payment.fee_captured,
                min(one.taken, payment.amount_captured),
                payment.amount_captured,
                payment.currency,
            )
            fee = min(unexplained if last else min(share, unexplained), one.seen.amount)
        unexplained -= fee
        imports.append(_imported(one, payment, fee, now))
    await execute_many(_IMPORT, imports)


async def _update(known: Sequence[_Refunding], now: datetime) -> None:
    await execute_many(
        "UPDATE refunds SET status = $2, stripe_refund_id = $3, failure_reason = $4, "
        "pending_reason = $5, transfer_amount = $6, updated_at = $7 WHERE id = $1",
        [
            (
                one.refund_id,
                one.seen.status,
                one.seen.id,
                one.seen.failure_reason,
                one.seen.pending_reason,
                one.taken,
                now,
            )
            for one in known
        ],
    )


async def _announce(
    payment: PaymentRecord, one: _Refunding, announce: Announce, now: datetime
) -> None:
    seen = one.seen
    if seen.status == "succeeded":
        await announce(
            RefundSucceeded(
                order_id=payment.order_id,
                payment_id=payment.id,
                occurred_at=now,
                refund_id=one.refund_id,
                amount=seen.amount,
                amount_refunded=payment.amount_refunded,
            )
        )
    elif seen.status in _OVER:
        await announce(
            RefundFailed(
                order_id=payment.order_id,
                payment_id=payment.id,
                occurred_at=now,
                refund_id=one.refund_id,
                amount=seen.amount,
                reason=seen.failure_reason,
            )
        )


_IMPORT = """
INSERT INTO refunds (id, payment_id, order_id, currency, amount, reason, status, stripe_refund_id,
                     failure_reason, pending_reason, reverse_transfer, return_fee, transfer_amount,
                     fee_amount, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
"""


def _imported(
    one: _Refunding, payment: PaymentRecord, fee_amount: int, now: datetime
) -> tuple[object, ...]:
    """A refund we did not ask for exists all the same: the books must know it, and who bore it."""
    seen = one.seen
    return (
        one.refund_id,
        payment.id,
        payment.order_id,
        payment.currency,
        seen.amount,
        seen.reason,
        seen.status,
        seen.id,
        seen.failure_reason,
        seen.pending_reason,
        one.taken > 0,
        fee_amount > 0,
        one.taken,
        fee_amount,
        seen.created_at,
        now,
    )


def _entries(subject: ledger.Subject, one: _Refunding, now: datetime) -> list[ledger.Entry]:
    """What moved because of a refund.

    Mostly the seller's money goes to the buyer in one step. Where the two halves are not one (the refund
    waits for money while the transfer is reversed already, or is taken by a reversal of its own), the
    seller's half waits in `platform:recovered`.
    """
    seen = one.seen
    seller = ledger.seller_account(subject.seller_id)
    apart = one.before is not None and one.before.reversed_apart
    together = seen.moved and one.taken == seen.amount and not apart
    # Stripe does not restore the transfer when a refund fails: its money waits for a transfer of its own.
    bearer = ledger.RECOVERED if one.seller_bears else ledger.REFUNDS_BORNE
    source = seller if together else bearer
    moves = (
        (
            one.taken > 0 and not together,
            "reversed",
            "transfer_reversal",
            seller,
            ledger.RECOVERED,
            one.taken,
            seen.created_at,
        ),
        (seen.moved, "refunded", "refund", source, ledger.BUYERS, seen.amount, seen.created_at),
        (
            seen.moved and seen.status in _OVER,
            "failed",
            "refund_failure",
            ledger.BUYERS,
            bearer,
            seen.amount,
            now,
        ),
    )
    return [
        ledger.Entry(
            cause=f"{one.refund_id}:{word}",
            kind=kind,
            source=from_account,
            target=to_account,
            amount=amount,
            occurred_at=moment,
        )
        for happened, word, kind, from_account, to_account, amount, moment in moves
        if happened
    ]
