"""Taking refunds in: ours by the id in their metadata, and those made at Stripe's Dashboard as imports."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from payments import ledger
from payments.database import execute, rows, value
from payments.events import Announce, RefundFailed, RefundSucceeded
from payments.gateway import ChargeSnapshot, RefundSnapshot
from payments.ids import RefundId, new_id
from payments.records import REFUND_COLUMNS, PaymentRecord, RefundRecord

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

    A card refund moves money when it has a balance transaction. One that failed moved it back.
    """
    if not charge.refunds:
        return payment
    known = await _known(payment, charge.refunds)
    changed = [
        _Refunding(
            refund_id=RefundId(before.id if before else new_id("rfd")), before=before, seen=seen
        )
        for seen in map(_believed, charge.refunds)
        if _news(before := known.get(seen.id) or known.get(seen.refund_id or ""), seen)
    ]
    if not changed:
        return payment
    for one in changed:
        await _store(payment, one, now)
    entries = [entry for one in changed for entry in _entries(subject, one)]
    await ledger.post(subject, entries, now)
    after = await _retotalled(payment, now)
    for one in changed:
        await _announce(after, one, announce, now)
    return after


class _Refunding(msgspec.Struct, frozen=True, kw_only=True):
    """A refund that changed: our id for it, our row before (None for an import), what Stripe showed."""

    refund_id: RefundId
    before: RefundRecord | None
    seen: RefundSnapshot


async def _retotalled(payment: PaymentRecord, now: datetime) -> PaymentRecord:
    """The total refunded, from the books and not from the snapshot, which may be an old one."""
    refunded = await value(
        "UPDATE payments SET updated_at = $2, amount_refunded = ("
        "  SELECT coalesce(sum(CASE kind WHEN 'refund' THEN amount ELSE -amount END), 0) FROM postings"
        "  WHERE payment_id = $1 AND kind IN ('refund', 'refund_failure')) "
        "WHERE id = $1 RETURNING amount_refunded",
        payment.id,
        now,
    )
    return msgspec.structs.replace(payment, amount_refunded=refunded, updated_at=now)


def _believed(seen: RefundSnapshot) -> RefundSnapshot:
    """The refund, still on its way where its money has not moved yet or its status is a new word."""
    arrived = seen.status != "succeeded" or seen.moved
    if seen.status in _RANK and arrived:
        return seen
    return msgspec.structs.replace(seen, status="pending")


def _news(before: RefundRecord | None, seen: RefundSnapshot) -> bool:
    if before is None or before.stripe_refund_id is None:
        return True
    return _RANK[seen.status] > _RANK[before.status]


async def _known(payment: PaymentRecord, seen: Sequence[RefundSnapshot]) -> dict[str, RefundRecord]:
    """The rows these refunds may already have, by Stripe's id and by ours, in one query."""
    found = await rows(
        f"SELECT {REFUND_COLUMNS} FROM refunds WHERE payment_id = $1 FOR UPDATE", payment.id
    )
    records = [RefundRecord(**record) for record in found]
    by_ours = {record.id: record for record in records}
    by_theirs = {r.stripe_refund_id: r for r in records if r.stripe_refund_id is not None}
    return {**by_ours, **by_theirs}


async def _store(payment: PaymentRecord, one: _Refunding, now: datetime) -> None:
    if one.before is None:
        await _import(one.refund_id, payment, one.seen, now)
        return
    await execute(
        "UPDATE refunds SET status = $2, stripe_refund_id = $3, failure_reason = $4, updated_at = $5 "
        "WHERE id = $1",
        one.refund_id,
        one.seen.status,
        one.seen.id,
        one.seen.failure_reason,
        now,
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
    elif seen.status in ("failed", "canceled"):
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


async def _import(
    refund_id: RefundId, payment: PaymentRecord, seen: RefundSnapshot, now: datetime
) -> None:
    """A refund we did not ask for exists all the same: the books must know it."""
    await execute(
        "INSERT INTO refunds (id, payment_id, order_id, currency, amount, reason, status, "
        "stripe_refund_id, failure_reason, created_at, updated_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        refund_id,
        payment.id,
        payment.order_id,
        payment.currency,
        seen.amount,
        seen.reason,
        seen.status,
        seen.id,
        seen.failure_reason,
        seen.created_at,
        now,
    )


def _entries(subject: ledger.Subject, one: _Refunding) -> list[ledger.Entry]:
    seen = one.seen
    if not seen.moved:
        return []
    # Without a reversal the seller keeps everything and the platform has paid the buyer.
    bearer = (
        ledger.seller_account(subject.seller_id)
        if seen.transfer_reversal_id
        else ledger.REFUNDS_BORNE
    )
    entries = [
        ledger.Entry(
            cause=f"{one.refund_id}:refunded",
            kind="refund",
            source=bearer,
            target=ledger.BUYERS,
            amount=seen.amount,
            occurred_at=seen.created_at,
        )
    ]
    if seen.status in ("failed", "canceled"):
        # The money came back to the platform; Stripe does not restore the seller's reversed transfer, so
        # the books owe it to whoever bore the refund.
        entries.append(
            ledger.Entry(
                cause=f"{one.refund_id}:failed",
                kind="refund_failure",
                source=ledger.BUYERS,
                target=bearer,
                amount=seen.amount,
                occurred_at=seen.created_at,
            )
        )
    return entries
