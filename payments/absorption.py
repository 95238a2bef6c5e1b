"""The one door for Stripe's truth: a reply, a webhook's read and a sweep's read all end in `absorb`.

A monotone merge: statuses by how settled they are, totals by maximum, refunds and attempts by id. It may
be given the same snapshot twice, or an older one after a newer one, and ends in the same state. Whatever
became true is posted to the ledger and announced to the order in the same transaction.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import msgspec
import structlog

from payments import ledger, states
from payments.amounts import Amounts, amounts_after, mismatch
from payments.attempts import note_attempts
from payments.card_records import ask_to_refresh
from payments.conversions import note_conversion
from payments.database import execute, lock_order, require_transaction, row
from payments.errors import PaymentNotFound, SnapshotContradicts
from payments.events import (
    AmendmentRefused,
    Announce,
    Clock,
    PaymentAmended,
    PaymentAuthorized,
    PaymentCanceled,
    PaymentCaptured,
    PaymentEvent,
    PaymentProcessing,
)
from payments.gateway import ChargeSnapshot, IntentSnapshot
from payments.missing_intents import come_back
from payments.records import COLUMNS, PaymentRecord
from payments.refund_absorption import absorb_refunds

UNEXPECTED_STATE = "payment_intent_unexpected_state"
"""Stripe's no when the PaymentIntent has moved on without us."""
MOVED_ON = frozenset(
    {
        UNEXPECTED_STATE,
        "capture_charge_authorization_expired",
        "charge_already_captured",
        "charge_expired_for_capture",
    }
)
"""After such a no: read the PaymentIntent, then decide anew."""
FIRST_RECHECK = timedelta(hours=1)
RECHECKED_FOR = timedelta(days=90)
"""For so long what was done to a settled payment in Stripe's Dashboard is found without a webhook."""

_log = structlog.get_logger("payments.absorption")


class Absorption:
    """Merges snapshots into payments. `announce` is called inside the open transaction."""

    def __init__(self, announce: Announce, clock: Clock) -> None:
        self._announce = announce
        self._clock = clock

    async def absorb(self, order_id: str, snapshot: IntentSnapshot) -> PaymentRecord:
        """Take a PaymentIntent's snapshot in, under the order's lock, and answer the payment as it is now.

        Raises PaymentNotFound when the order has no such payment, SnapshotContradicts when Stripe's object
        is not the one our row asked for, NoTransaction outside a transaction.
        """
        require_transaction()
        await lock_order(order_id)
        payment = come_back(await self._locked(order_id, snapshot), snapshot)
        self._require_same(payment, snapshot)
        amounts = await amounts_after(payment, snapshot)
        after = self._merged(payment, snapshot, amounts)
        if after != payment:
            await _store(after)
        subject = ledger.Subject(
            payment_id=payment.id,
            order_id=payment.order_id,
            seller_id=payment.seller_id,
            currency=payment.currency,
        )
        now = self._clock()
        amendment = _amendment(payment, amounts, now)
        if amendment is not None:
            await self._announce(amendment)
        entries = _entries(payment, after, _captured_at(snapshot, now), _returned_at(snapshot, now))
        await ledger.post(subject, entries, now)
        if snapshot.charge is not None and snapshot.charge.settled_in is not None:
            await note_conversion(after, snapshot.charge.settled_in)
        await note_attempts(after, snapshot, self._announce, now)
        for fact in _changes(payment, after, snapshot, amounts, now):
            await self._announce(fact)
        if _saved_a_card(payment, after, snapshot):
            await ask_to_refresh(snapshot.customer_id or "", now)
        if snapshot.charge is not None and snapshot.complete:
            after = await absorb_refunds(after, subject, snapshot.charge, self._announce, now)
        return after

    async def _locked(self, order_id: str, snapshot: IntentSnapshot) -> PaymentRecord:
        found = await row(
            f"SELECT {COLUMNS} FROM payments WHERE order_id = $1 "
            "AND (intent_id = $2 OR (intent_id IS NULL AND id = $3)) FOR UPDATE",
            order_id,
            snapshot.id,
            snapshot.payment_id,
        )
        if found is None:
            raise PaymentNotFound(snapshot.id)
        return PaymentRecord(**found)

    def _require_same(self, payment: PaymentRecord, snapshot: IntentSnapshot) -> None:
        """What was asked for is what Stripe shows: an id mixed up elsewhere must not settle this order."""
        facts = (
            ("currency", payment.currency, snapshot.currency),
            ("destination", payment.destination, snapshot.destination),
            ("order_id", payment.order_id, snapshot.order_id),
        )
        for field, ours, theirs in facts:
            if ours != theirs:
                _log.error(
                    "stripe contradicts our payment", payment_id=payment.id, field=field, alarm=True
                )
                raise SnapshotContradicts(field, ours=ours, theirs=theirs)

    def _merged(
        self, payment: PaymentRecord, snapshot: IntentSnapshot, amounts: Amounts
    ) -> PaymentRecord:
        """The payment after the snapshot; pure but for the clock."""
        now = self._clock()
        if not snapshot.complete and states.settledness(snapshot.status) > 0:
            # The money is not told whole: ask Stripe for all of it at the next occasion.
            again = now if payment.status == states.SUCCEEDED else None
            return msgspec.structs.replace(
                payment,
                intent_id=snapshot.id,
                checked_at=payment.created_at,
                recheck_at=again,
                missing_since=None,
                updated_at=now,
            )
        status = states.merged(payment.status, snapshot.status)
        charge = snapshot.charge
        # A bank debit on its way calls itself captured before any money came.
        taken = charge is not None and charge.captured and charge.status == "succeeded"
        captured = charge.amount_captured if charge and taken else 0
        news = snapshot.status == status
        return msgspec.structs.replace(
            payment,
            amount=amounts.amount,
            application_fee=amounts.application_fee,
            amount_next=amounts.amount_next,
            application_fee_next=amounts.application_fee_next,
            intent_id=snapshot.id,
            status=status,
            live=payment.live and not states.dead(status),
            charge_id=_kept(
                charge.id if charge and not _failed(charge) else None, payment.charge_id
            ),
            transfer_id=_kept(charge.transfer_id if charge else None, payment.transfer_id),
            application_fee_id=_kept(
                charge.application_fee_id if charge else None, payment.application_fee_id
            ),
            amount_capturable=snapshot.amount_capturable if news else payment.amount_capturable,
            amount_captured=max(payment.amount_captured, captured),
            fee_captured=max(
                payment.fee_captured, charge.application_fee if captured and charge else 0
            ),
            fee_refunded=max(payment.fee_refunded, charge.fee_refunded if charge else 0),
            processing_cost=max(payment.processing_cost, charge.processing_cost if charge else 0),
            capture_before=charge.capture_before if charge and news else payment.capture_before,
            cancellation_reason=_kept(snapshot.cancellation_reason, payment.cancellation_reason),
            payment_method_id=_kept(snapshot.payment_method_id, payment.payment_method_id),
            checked_at=now,
            recheck_at=_recheck_at(payment, now) if status == states.SUCCEEDED else None,
            missing_since=None,
            updated_at=now,
        )


def _recheck_at(payment: PaymentRecord, now: datetime) -> datetime | None:
    """When a settled payment is read again: the older it is, the more seldom."""
    age = now - payment.created_at
    return None if age > RECHECKED_FOR else now + max(FIRST_RECHECK, age / 4)


def _saved_a_card(before: PaymentRecord, after: PaymentRecord, snapshot: IntentSnapshot) -> bool:
    paid = before.status in states.OPEN and after.status in states.MONEY
    return paid and snapshot.saves_card and snapshot.customer_id is not None


def _amendment(
    payment: PaymentRecord, amounts: Amounts, now: datetime
) -> PaymentAmended | AmendmentRefused | None:
    """What Stripe did with another cart's amount: the order learns it before it learns of money."""
    asked = amounts.amendment
    if asked is None:
        return None
    about: Any = {"order_id": payment.order_id, "payment_id": payment.id, "occurred_at": now}
    if amounts.outcome == "refused":
        return AmendmentRefused(**about, version=asked.version, code=UNEXPECTED_STATE)
    return PaymentAmended(
        **about,
        version=asked.version,
        amount=asked.amount,
        application_fee=asked.application_fee,
    )


def _changes(
    before: PaymentRecord,
    after: PaymentRecord,
    snapshot: IntentSnapshot,
    amounts: Amounts,
    now: datetime,
) -> Iterator[PaymentEvent]:
    """What became true between the two, in the order in which it is told."""
    about: Any = {"order_id": after.order_id, "payment_id": after.id, "occurred_at": now}
    began = before.status in states.OPEN and before.status != states.PROCESSING
    if began and after.status == states.PROCESSING:
        yield PaymentProcessing(**about, amount=after.amount)
    if before.status in states.OPEN and after.status == states.REQUIRES_CAPTURE:
        yield PaymentAuthorized(
            **about, amount=after.amount_capturable, capture_before=after.capture_before
        )
    if after.amount_captured > before.amount_captured:
        yield PaymentCaptured(
            **about, amount=after.amount_captured, application_fee=after.fee_captured
        )
    mismatched = mismatch(before, after, snapshot, amounts)
    if mismatched is not None:
        yield mismatched
    if after.status == states.CANCELED and before.status != states.CANCELED:
        yield PaymentCanceled(**about, reason=after.cancellation_reason)


def _entries(
    before: PaymentRecord, after: PaymentRecord, captured_at: datetime, returned_at: datetime
) -> list[ledger.Entry]:
    """The deltas of the cumulative totals, each named by the total it leads to."""
    seller = ledger.seller_account(after.seller_id)
    moves = (
        ("captured", "capture", ledger.BUYERS, seller, "amount_captured", captured_at),
        ("fee", "application_fee", seller, ledger.FEES, "fee_captured", captured_at),
        (
            "processing",
            "processing_cost",
            ledger.FEES,
            ledger.PROCESSING,
            "processing_cost",
            captured_at,
        ),
        ("fee_returned", "fee_refund", ledger.FEES, seller, "fee_refunded", returned_at),
    )
    return [
        ledger.Entry(
            cause=f"{after.id}:{word}:{getattr(after, total)}",
            kind=kind,
            source=source,
            target=target,
            amount=getattr(after, total) - getattr(before, total),
            occurred_at=moment,
        )
        for word, kind, source, target, total, moment in moves
        if getattr(after, total) > getattr(before, total)
    ]


def _captured_at(snapshot: IntentSnapshot, now: datetime) -> datetime:
    charge = snapshot.charge
    return now if charge is None else charge.captured_at or charge.created_at


def _returned_at(snapshot: IntentSnapshot, now: datetime) -> datetime:
    """A fee is returned with a refund: the latest one shown."""
    refunds = snapshot.charge.refunds if snapshot.charge else ()
    return max((refund.created_at for refund in refunds), default=now)


def _failed(charge: ChargeSnapshot) -> bool:
    return charge.status == "failed"


def _kept(news: str | None, known: str | None) -> str | None:
    return known if news is None else news


async def _store(payment: PaymentRecord) -> None:
    await execute(
        "UPDATE payments SET intent_id = $2, status = $3, live = $4, charge_id = $5, transfer_id = $6, "
        "application_fee_id = $7, amount_capturable = $8, amount_captured = $9, fee_captured = $10, "
        "fee_refunded = $11, processing_cost = $12, capture_before = $13, cancellation_reason = $14, "
        "checked_at = $15, updated_at = $16, amount = $17, application_fee = $18, amount_next = $19, "
        "application_fee_next = $20, payment_method_id = $21, recheck_at = $22, missing_since = $23 "
        "WHERE id = $1",
        payment.id,
        payment.intent_id,
        payment.status,
        payment.live,
        payment.charge_id,
        payment.transfer_id,
        payment.application_fee_id,
        payment.amount_capturable,
        payment.amount_captured,
        payment.fee_captured,
        payment.fee_refunded,
        payment.processing_cost,
        payment.capture_before,
        payment.cancellation_reason,
        payment.checked_at,
        payment.updated_at,
        payment.amount,
        payment.application_fee,
        payment.amount_next,
        payment.application_fee_next,
        payment.payment_method_id,
        payment.recheck_at,
        payment.missing_since,
    )
