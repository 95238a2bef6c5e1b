"""Stripe's objects turned into our snapshots: pure, nothing decided, nothing guessed."""

from datetime import UTC, datetime

from payments.gateway import (
    BalanceTransaction,
    CardSeen,
    ChargeSnapshot,
    DeclineSeen,
    IntentSnapshot,
    RefundSnapshot,
)
from payments.ids import IntentId, RefundId
from payments.stripe_wire import (
    ApplicationFeeObject,
    BalanceTransactionObject,
    CardDetails,
    ChargeObject,
    PaymentErrorObject,
    PaymentIntentObject,
    RefundObject,
    ReversalObject,
    TransferObject,
)


def intent_snapshot(intent: PaymentIntentObject, request_id: str | None) -> IntentSnapshot:
    """The PaymentIntent as Stripe showed it; `complete` when its charge was shown whole."""
    latest = intent.latest_charge
    charge = latest if isinstance(latest, ChargeObject) else None
    return IntentSnapshot(
        id=IntentId(intent.id),
        status=intent.status,
        amount=intent.amount,
        currency=intent.currency,
        application_fee=intent.application_fee_amount or 0,
        capture_method=intent.capture_method,
        destination=intent.transfer_data.destination if intent.transfer_data else None,
        amount_capturable=intent.amount_capturable,
        amount_received=intent.amount_received,
        cancellation_reason=intent.cancellation_reason,
        order_id=intent.metadata.get("order_id"),
        payment_id=intent.metadata.get("payment_id"),
        client_secret=intent.client_secret,
        decline=_decline(intent.id, intent.last_payment_error),
        charge=charge_snapshot(charge) if charge else None,
        complete=told_whole(charge) if charge else latest is None,
        created_at=_time(intent.created),
        request_id=request_id,
        customer_id=intent.customer,
        saves_card=intent.setup_future_usage is not None,
        payment_method_id=intent.payment_method,
        cart_version=_number(intent.metadata.get("cart_version")),
    )


def told_whole(charge: ChargeObject) -> bool:
    """Whether the fee, the movements and every refund were shown, not only named."""
    refunds = charge.refunds
    return (
        refunds is not None
        and not refunds.has_more
        and not any(isinstance(one.balance_transaction, str) for one in refunds.data)
        and not isinstance(charge.application_fee, str)
        and not isinstance(charge.balance_transaction, str)
    )


def charge_snapshot(charge: ChargeObject) -> ChargeSnapshot:
    """The charge with its fee, its processing cost and its refunds.

    Stripe also calls a released hold "refunded", and lists what a partial capture left uncaptured
    as a refund. Neither gave a buyer money back, so neither is among these refunds.
    """
    fee = charge.application_fee
    details = charge.payment_method_details
    listed = charge.refunds.data if charge.refunds and charge.captured else []
    real = [refund for refund in listed if not _is_uncaptured_rest(refund)]
    booked = charge.balance_transaction
    rests = [refund.balance_transaction for refund in listed if _is_uncaptured_rest(refund)]
    return ChargeSnapshot(
        id=charge.id,
        status=charge.status,
        captured=charge.captured,
        amount_captured=charge.amount_captured,
        amount_refunded=sum(one.amount for one in real if one.status not in _UNDONE),
        transfer_id=_id(charge.transfer),
        application_fee_id=_id(fee),
        application_fee=fee.amount if isinstance(fee, ApplicationFeeObject) else 0,
        fee_refunded=fee.amount_refunded if isinstance(fee, ApplicationFeeObject) else 0,
        processing_cost=sum(_cost(one, charge.currency) for one in (booked, *rests)),
        settled_in=_other_currency(booked, charge.currency),
        capture_before=_capture_before(charge),
        card=_card(details.card if details else None),
        refunds=tuple(refund_snapshot(one) for one in real),
        created_at=_time(charge.created),
        captured_at=_booked_at(charge),
    )


_UNDONE = frozenset({"failed", "canceled"})


def _is_uncaptured_rest(refund: RefundObject) -> bool:
    """Stripe books a partial capture as the whole hold and a `partial_capture_reversal`."""
    moved = refund.balance_transaction
    return (
        isinstance(moved, BalanceTransactionObject)
        and moved.reporting_category == "partial_capture_reversal"
    )


def _cost(moved: str | BalanceTransactionObject | None, currency: str) -> int:
    """Stripe's price; one in another currency is no amount of this charge's books."""
    if not isinstance(moved, BalanceTransactionObject) or moved.currency != currency:
        return 0
    return moved.fee


def _other_currency(moved: str | BalanceTransactionObject | None, currency: str) -> str | None:
    """What Stripe converted the charge into, if it did: the platform has no balance in its own."""
    if not isinstance(moved, BalanceTransactionObject) or moved.currency == currency:
        return None
    return moved.currency


def refund_snapshot(refund: RefundObject) -> RefundSnapshot:
    """The refund; `refund_id` is ours when we asked for it, None for one made at Stripe."""
    ours = (refund.metadata or {}).get("refund_id")
    back = refund.transfer_reversal
    return RefundSnapshot(
        id=refund.id,
        refund_id=RefundId(ours) if ours else None,
        amount=refund.amount,
        currency=refund.currency,
        # Stripe describes the status as nullable; without one nothing is settled.
        status=refund.status or "pending",
        reason=refund.reason,
        failure_reason=refund.failure_reason,
        moved=refund.balance_transaction is not None,
        transfer_reversal_id=back.id if isinstance(back, ReversalObject) else back,
        reversal_amount=back.amount if isinstance(back, ReversalObject) else None,
        pending_reason=refund.pending_reason,
        created_at=_time(refund.created),
    )


def balance_transaction(
    transaction: BalanceTransactionObject, charge_id: str | None
) -> BalanceTransaction:
    """A movement of the platform's balance, tied to the charge it belongs to."""
    source = transaction.source
    return BalanceTransaction(
        id=transaction.id,
        type=transaction.type,
        reporting_category=transaction.reporting_category,
        amount=transaction.amount,
        fee=transaction.fee,
        net=transaction.net,
        currency=transaction.currency,
        source_id=source.get("id") if isinstance(source, dict) else source,
        charge_id=charge_id,
        created_at=_time(transaction.created),
    )


def _decline(intent_id: str, error: PaymentErrorObject | None) -> DeclineSeen | None:
    if error is None:
        return None
    method = error.payment_method
    # A failed authentication has no charge: the card's own mark and the code name it then.
    mark = f"{method.id if method else intent_id}:{error.code}"
    return DeclineSeen(
        reference=error.charge or mark,
        code=error.code,
        decline_code=error.decline_code,
        advice_code=error.advice_code,
        card=_card(method.card if method else None),
        payment_method_id=method.id if method else None,
    )


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None


def _card(card: CardDetails | None) -> CardSeen | None:
    if card is None:
        return None
    return CardSeen(brand=card.brand, last4=card.last4, fingerprint=card.fingerprint)


def _booked_at(charge: ChargeObject) -> datetime | None:
    booked = charge.balance_transaction
    return _time(booked.created) if isinstance(booked, BalanceTransactionObject) else None


def _capture_before(charge: ChargeObject) -> datetime | None:
    details = charge.payment_method_details
    until = details.card.capture_before if details and details.card else None
    return None if until is None else _time(until)


def _id(shown: str | TransferObject | ApplicationFeeObject | None) -> str | None:
    return shown if shown is None or isinstance(shown, str) else shown.id


def _time(unix_seconds: int) -> datetime:
    return datetime.fromtimestamp(unix_seconds, UTC)
