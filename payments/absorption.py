"""The one door for Stripe's truth: a reply, a webhook's read and a sweep's read all end in `absorb`.

A monotone merge: statuses by how settled they are, totals by maximum, refunds and attempts by id. It may
be given the same snapshot twice, or an older one after a newer one, and ends in the same state. Whatever
became true is posted to the ledger and announced to the order in the same transaction.
"""

from datetime import datetime

import msgspec
import structlog

from payments import ledger, states
from payments.database import execute, lock_order, require_transaction, row
from payments.declines import reason_of
from payments.errors import PaymentNotFound, SnapshotContradicts
from payments.events import (
    Announce,
    Clock,
    PaymentAuthorized,
    PaymentCanceled,
    PaymentCaptured,
    PaymentDeclined,
)
from payments.gateway import CardSeen, ChargeSnapshot, DeclineSeen, IntentSnapshot
from payments.ids import new_id
from payments.records import COLUMNS, PaymentRecord
from payments.refund_absorption import absorb_refunds

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
        payment = await self._locked(order_id, snapshot)
        self._require_same(payment, snapshot)
        after = self._merged(payment, snapshot)
        if after != payment:
            await _store(after)
        subject = ledger.Subject(
            payment_id=payment.id,
            order_id=payment.order_id,
            seller_id=payment.seller_id,
            currency=payment.currency,
        )
        now = self._clock()
        entries = _entries(payment, after, _captured_at(snapshot, now), _returned_at(snapshot, now))
        await ledger.post(subject, entries, now)
        await self._note_attempts(after, snapshot)
        await self._announce_changes(payment, after, now)
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
        # While an update is under way Stripe shows the earlier amount or the new one.
        expected = payment.amount_next if snapshot.amount == payment.amount_next else payment.amount
        facts = (
            ("currency", payment.currency, snapshot.currency),
            ("amount", expected, snapshot.amount),
            ("destination", payment.destination, snapshot.destination),
            ("order_id", payment.order_id, snapshot.order_id),
        )
        for field, ours, theirs in facts:
            if ours != theirs:
                _log.error(
                    "stripe contradicts our payment", payment_id=payment.id, field=field, alarm=True
                )
                raise SnapshotContradicts(field, ours=ours, theirs=theirs)

    def _merged(self, payment: PaymentRecord, snapshot: IntentSnapshot) -> PaymentRecord:
        """The payment after the snapshot; pure but for the clock."""
        now = self._clock()
        if not snapshot.complete and states.settledness(snapshot.status) > 0:
            # The money is not told whole: ask Stripe for all of it at the next occasion.
            return msgspec.structs.replace(
                payment, intent_id=snapshot.id, checked_at=payment.created_at, updated_at=now
            )
        status = states.merged(payment.status, snapshot.status)
        charge = snapshot.charge
        captured = charge.amount_captured if charge is not None and charge.captured else 0
        news = snapshot.status == status
        moved = payment.amount_next is not None and snapshot.amount == payment.amount_next
        return msgspec.structs.replace(
            payment,
            amount=payment.amount_next if moved else payment.amount,
            application_fee=payment.application_fee_next if moved else payment.application_fee,
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
            checked_at=now,
            updated_at=now,
        )

    async def _note_attempts(self, payment: PaymentRecord, snapshot: IntentSnapshot) -> None:
        now = self._clock()
        if snapshot.decline is not None:
            reason = reason_of(snapshot.decline.code, snapshot.decline.decline_code)
            new = await _note_decline(payment, snapshot.decline, reason, snapshot.request_id, now)
            if new:
                await self._announce(
                    PaymentDeclined(
                        order_id=payment.order_id,
                        payment_id=payment.id,
                        occurred_at=now,
                        reason=reason,
                    )
                )
        charge = snapshot.charge
        if charge is not None and not _failed(charge):
            outcome = "captured" if charge.captured else "authorized"
            await _note_success(payment, charge, outcome, snapshot.request_id)

    async def _announce_changes(
        self, before: PaymentRecord, after: PaymentRecord, now: datetime
    ) -> None:
        about = {"order_id": after.order_id, "payment_id": after.id, "occurred_at": now}
        if before.status in states.OPEN and after.status == states.REQUIRES_CAPTURE:
            await self._announce(
                PaymentAuthorized(
                    **about,  # type: ignore[arg-type]
                    amount=after.amount_capturable,
                    capture_before=after.capture_before,
                )
            )
        if after.amount_captured > before.amount_captured:
            await self._announce(
                PaymentCaptured(
                    **about,  # type: ignore[arg-type]
                    amount=after.amount_captured,
                    application_fee=after.fee_captured,
                )
            )
        if after.status == states.CANCELED and before.status != states.CANCELED:
            await self._announce(
                PaymentCanceled(**about, reason=after.cancellation_reason)  # type: ignore[arg-type]
            )


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
        "application_fee_next = $20, customer_id = $21 WHERE id = $1",
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
        payment.customer_id,
    )


_INSERT_ATTEMPT = (
    "INSERT INTO attempts (id, payment_id, order_id, reference, outcome, reason, stripe_code, "
    "decline_code, advice_code, card_brand, card_last4, request_id, occurred_at) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) "
    "ON CONFLICT (payment_id, reference) DO NOTHING"
)
_NO_CARD = CardSeen(brand=None, last4=None)


async def _note_decline(
    payment: PaymentRecord,
    decline: DeclineSeen,
    reason: str,
    request_id: str | None,
    now: datetime,
) -> bool:
    """Keep a declined attempt once; answers whether it was new."""
    card = decline.card or _NO_CARD
    return bool(
        await execute(
            _INSERT_ATTEMPT,
            new_id("att"),
            payment.id,
            payment.order_id,
            decline.reference,
            "declined",
            reason,
            decline.code,
            decline.decline_code,
            decline.advice_code,
            card.brand,
            card.last4,
            request_id,
            now,
        )
    )


async def _note_success(
    payment: PaymentRecord, charge: ChargeSnapshot, outcome: str, request_id: str | None
) -> None:
    card = charge.card or _NO_CARD
    await execute(
        _INSERT_ATTEMPT,
        new_id("att"),
        payment.id,
        payment.order_id,
        charge.id,
        outcome,
        None,
        None,
        None,
        None,
        card.brand,
        card.last4,
        request_id,
        charge.created_at,
    )
