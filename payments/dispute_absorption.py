"""Taking a dispute in: merged, booked, announced, and the seller's side planned, in one transaction.

Two reads may be absorbed in the wrong order, so the one that began later is believed; what moved on the
platform's balance only ever grows. What the platform paid is booked from Stripe's movements; the seller's
share follows by a transfer reversal (or only in the books, policy `reserve`) and comes back when it is won.
"""

from datetime import datetime
from typing import Literal

import msgspec

from payments import ledger
from payments.database import execute, lock_order, require_transaction, row
from payments.dispute_gateway import DisputeSnapshot
from payments.dispute_records import CLOSED, COLUMNS, DisputeRecord
from payments.dispute_shares import DisputeShares, is_under_way
from payments.errors import PaymentNotFound, SnapshotContradicts
from payments.events import Announce, Clock, DisputeClosed, DisputeOpened
from payments.ids import OperationId, new_id
from payments.records import COLUMNS as PAYMENT_COLUMNS
from payments.records import PaymentRecord
from payments.transfers import Transfers

Policy = Literal["reverse", "reserve"]
"""Who carries the amount while the bank decides: the seller, or the platform with a line in the books."""


class DisputeAbsorption:
    """Merges snapshots into disputes. `announce` is called inside the open transaction."""

    def __init__(
        self, transfers: Transfers, announce: Announce, clock: Clock, *, policy: Policy = "reverse"
    ) -> None:
        self._shares = DisputeShares(transfers, announce, clock)
        self._announce = announce
        self._clock = clock
        self._policy: Policy = policy

    async def absorb(
        self, order_id: str, snapshot: DisputeSnapshot, asked_at: datetime
    ) -> list[OperationId]:
        """Take the snapshot in under the order's lock; answers the transfers to carry out afterwards.

        Raises PaymentNotFound, SnapshotContradicts for another currency than the payment's.
        """
        require_transaction()
        await lock_order(order_id)
        payment = await _payment(order_id, snapshot)
        before = await _locked(snapshot.id)
        known = before or _opened(payment, snapshot, self._policy, asked_at)
        after = _merged(known, snapshot, asked_at)
        moves = await self._shares.move(payment, after)
        after = await self._closed_when_settled(after)
        if before is None:
            await _insert(after)
        else:
            await _store(after)
        now = self._clock()
        await ledger.post(_subject(payment), _entries(before, after, now), now)
        await self._announce_changes(before, after, now)
        return moves

    async def _closed_when_settled(self, dispute: DisputeRecord) -> DisputeRecord:
        """Closed once Stripe says so and it is certain what was taken from the seller.

        Until then the sweep reads it again: a win that came while the reversal's answer was lost sends the
        money back when that is known.
        """
        settled = dispute.status in CLOSED and not await is_under_way(dispute)
        closed_at = (dispute.closed_at or self._clock()) if settled else None
        return msgspec.structs.replace(dispute, closed_at=closed_at)

    async def _announce_changes(
        self, before: DisputeRecord | None, after: DisputeRecord, now: datetime
    ) -> None:
        about = {
            "order_id": after.order_id,
            "payment_id": after.payment_id,
            "occurred_at": now,
            "dispute_id": after.id,
            "amount": after.amount,
        }
        if before is None or (before.inquiry and not after.inquiry):
            await self._announce(
                DisputeOpened(
                    **about,  # type: ignore[arg-type]
                    reason=after.reason,
                    inquiry=after.inquiry,
                    evidence_due_by=after.evidence_due_by,
                )
            )
        if after.closed_at is not None and (before is None or before.closed_at is None):
            await self._announce(
                DisputeClosed(**about, status=after.status)  # type: ignore[arg-type]
            )


async def _payment(order_id: str, snapshot: DisputeSnapshot) -> PaymentRecord:
    found = await row(
        f"SELECT {PAYMENT_COLUMNS} FROM payments WHERE order_id = $1 "
        "AND (charge_id = $2 OR intent_id = $3) FOR UPDATE",
        order_id,
        snapshot.charge_id,
        snapshot.intent_id,
    )
    # A payment whose capture we have not heard of cannot be booked against yet: the event waits.
    if found is None or found["amount_captured"] == 0:
        raise PaymentNotFound(snapshot.charge_id)
    payment = PaymentRecord(**found)
    if payment.currency != snapshot.currency:
        raise SnapshotContradicts("currency", ours=payment.currency, theirs=snapshot.currency)
    return payment


async def _locked(stripe_dispute_id: str) -> DisputeRecord | None:
    found = await row(
        f"SELECT {COLUMNS} FROM disputes WHERE stripe_dispute_id = $1 FOR UPDATE",
        stripe_dispute_id,
    )
    return None if found is None else DisputeRecord(**found)


def _opened(
    payment: PaymentRecord, snapshot: DisputeSnapshot, policy: Policy, asked_at: datetime
) -> DisputeRecord:
    return DisputeRecord(
        id=new_id("dsp"),
        stripe_dispute_id=snapshot.id,
        payment_id=payment.id,
        order_id=payment.order_id,
        seller_id=payment.seller_id,
        currency=payment.currency,
        amount=snapshot.amount,
        reason=snapshot.reason,
        status=snapshot.status,
        inquiry=snapshot.status.startswith("warning_"),
        amount_withdrawn=0,
        amount_reinstated=0,
        cost=0,
        cost_returned=0,
        policy=policy,
        refundable=snapshot.refundable,
        evidence_due_by=snapshot.evidence_due_by,
        evidence_submitted_at=None,
        opened_at=snapshot.created_at,
        closed_at=None,
        checked_at=asked_at,
        updated_at=asked_at,
    )


def _merged(known: DisputeRecord, snapshot: DisputeSnapshot, asked_at: datetime) -> DisputeRecord:
    """The dispute after the snapshot; pure."""
    money = msgspec.structs.replace(
        known,
        amount_withdrawn=max(known.amount_withdrawn, snapshot.withdrawn),
        amount_reinstated=max(known.amount_reinstated, snapshot.reinstated),
        cost=max(known.cost, snapshot.cost),
        cost_returned=max(known.cost_returned, snapshot.cost_returned),
        updated_at=max(asked_at, known.updated_at),
    )
    if asked_at < known.checked_at:
        return money  # an older read: its words are not believed over a newer one's
    submitted = known.evidence_submitted_at or (asked_at if snapshot.submissions else None)
    return msgspec.structs.replace(
        money,
        amount=snapshot.amount,
        reason=snapshot.reason,
        status=snapshot.status,
        inquiry=snapshot.status.startswith("warning_"),
        refundable=snapshot.refundable,
        evidence_due_by=snapshot.evidence_due_by,
        evidence_submitted_at=submitted,
        checked_at=asked_at,
    )


def _subject(payment: PaymentRecord) -> ledger.Subject:
    return ledger.Subject(
        payment_id=payment.id,
        order_id=payment.order_id,
        seller_id=payment.seller_id,
        currency=payment.currency,
    )


def _entries(
    before: DisputeRecord | None, after: DisputeRecord, now: datetime
) -> list[ledger.Entry]:
    """The deltas of what moved on the platform's balance, each named by the total it leads to."""
    moves = (
        ("withdrawn", "dispute", ledger.DISPUTES, ledger.BUYERS, "amount_withdrawn"),
        ("reinstated", "dispute_reinstated", ledger.BUYERS, ledger.DISPUTES, "amount_reinstated"),
        ("cost", "dispute_cost", ledger.FEES, ledger.DISPUTE_COSTS, "cost"),
        ("cost_returned", "dispute_cost", ledger.DISPUTE_COSTS, ledger.FEES, "cost_returned"),
    )
    entries = [
        ledger.Entry(
            cause=f"{after.id}:{word}:{getattr(after, total)}",
            kind=kind,
            source=source,
            target=target,
            amount=getattr(after, total) - (getattr(before, total) if before else 0),
            occurred_at=after.opened_at if word in ("withdrawn", "cost") else now,
        )
        for word, kind, source, target, total in moves
        if getattr(after, total) > (getattr(before, total) if before else 0)
    ]
    return [*entries, *_reserve(before, after, now)]


def _reserve(
    before: DisputeRecord | None, after: DisputeRecord, now: datetime
) -> list[ledger.Entry]:
    """Under the policy `reserve` the seller keeps the money until the bank decides; the books set it aside.

    What more was taken is set aside too, and what was set aside is released when it is decided.
    """
    if after.policy != "reserve":
        return []
    seller = ledger.seller_account(after.seller_id)
    aside = ledger.reserve_account(after.seller_id)
    total = after.amount_withdrawn
    reserved = before.amount_withdrawn if before else 0
    released = reserved if before and before.status in CLOSED else 0
    moves = [("reserved", "reserve", seller, aside, total - reserved)]
    if after.status in CLOSED:
        moves.append(("released", "reserve_released", aside, seller, total - released))
    return [
        ledger.Entry(
            cause=f"{after.id}:{word}:{total}",
            kind=kind,
            source=source,
            target=target,
            amount=amount,
            occurred_at=now,
        )
        for word, kind, source, target, amount in moves
        if amount > 0
    ]


async def _insert(dispute: DisputeRecord) -> None:
    fields = DisputeRecord.__struct_fields__
    places = ", ".join(f"${number}" for number in range(1, len(fields) + 1))
    await execute(
        f"INSERT INTO disputes ({COLUMNS}) VALUES ({places})",
        *(getattr(dispute, field) for field in fields),
    )


async def _store(dispute: DisputeRecord) -> None:
    await execute(
        "UPDATE disputes SET amount = $2, reason = $3, status = $4, inquiry = $5, "
        "amount_withdrawn = $6, amount_reinstated = $7, cost = $8, refundable = $9, "
        "evidence_due_by = $10, evidence_submitted_at = $11, closed_at = $12, checked_at = $13, "
        "updated_at = $14, cost_returned = $15 WHERE id = $1",
        dispute.id,
        dispute.amount,
        dispute.reason,
        dispute.status,
        dispute.inquiry,
        dispute.amount_withdrawn,
        dispute.amount_reinstated,
        dispute.cost,
        dispute.refundable,
        dispute.evidence_due_by,
        dispute.evidence_submitted_at,
        dispute.closed_at,
        dispute.checked_at,
        dispute.updated_at,
        dispute.cost_returned,
    )
