"""What an order does when its payment moves: called inside the transaction that made the fact true.

The order's lock is held by then. A fact that the order already reflects changes nothing, so it may be told
twice. A fact that the table of steps does not foresee raises, which undoes the whole absorption: it stays
due and rings the alarm instead of leaving an order that contradicts its money.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import assert_never

import structlog

from marketplace.catalog import stock
from marketplace.catalog.errors import OutOfStock
from marketplace.orders import (
    cancellation,
    changes,
    deadlines,
    disputes,
    freezing,
    holds,
    prepared,
    records,
    refund_lines,
    refusals,
    steps,
)
from marketplace.orders.endings import asked_to_end, canceled_by_somebody
from marketplace.orders.order_states import ENDED, PAID_FOR, Step
from marketplace.orders.records import OrderRecord
from marketplace.orders.steps import STRIPE, StepRecord
from marketplace.oversight import unsent_transfers
from marketplace.sellers import debts
from payments.events import (
    AmendmentRefused,
    AmountMismatched,
    CaptureRefused,
    ConfirmationRefused,
    DebtOpened,
    DebtSettled,
    DisputeClosed,
    DisputeOpened,
    FraudWarned,
    PaymentAmended,
    PaymentAuthorized,
    PaymentCanceled,
    PaymentCaptured,
    PaymentDeclined,
    PaymentEvent,
    PaymentNotCreated,
    PaymentProcessing,
    RefundFailed,
    RefundSucceeded,
    TransferGivenUp,
    TransferReversed,
    TransferSent,
)

_log = structlog.get_logger("marketplace.orders.reactions")

_LAPSED = frozenset({"automatic", "expired"})
"""Stripe's reasons for ending a hold that nobody captured in time."""


GiveBack = Callable[[OrderRecord, str, datetime], Awaitable[None]]
"""Plans, in the open transaction, that money goes back which nothing can be delivered for, and why."""


async def react(event: PaymentEvent, give_back: GiveBack | None = None) -> None:
    """Move the order as its payment moved, with stock and history, in the open transaction.

    Without `give_back`, money that came too late for its stock waits for people. Raises OrderStepRefused
    for a fact that cannot follow what the order knows.
    """
    order = await records.lock(event.order_id)
    match event:
        case PaymentAuthorized():
            await _authorized(order, event, give_back)
        case PaymentCaptured():
            await _captured(order, event, give_back)
        case PaymentCanceled():
            await _canceled(order, event)
        case PaymentNotCreated():
            await _not_created(order, event)
        case RefundSucceeded():
            await _refund_settled(order, event, "refunded")
        case RefundFailed():
            await _refund_settled(order, event, "refund_failed")
        case PaymentProcessing():
            await _processing(order, event)
        case PaymentAmended() | AmendmentRefused():
            await changes.conclude(order, event)
        case CaptureRefused() | ConfirmationRefused():
            await refusals.take_in(order, event)
        case AmountMismatched():
            await _mismatched(order, event)
        case DisputeOpened() | DisputeClosed() | FraudWarned():
            await disputes.note(order, event)
        case DebtOpened() | DebtSettled():
            await debts.tell(event, order.currency)
        case TransferReversed():
            await debts.tell_taken_back(event, order.currency)
        case TransferGivenUp() | TransferSent():
            await unsent_transfers.take_in(event, order.currency)
        case PaymentDeclined():
            await _declined(order, event)
        case _:
            assert_never(event)


async def _authorized(
    order: OrderRecord, event: PaymentAuthorized, give_back: GiveBack | None
) -> None:
    if order.status in ("authorized", *PAID_FOR):
        return
    await deadlines.begin(order.id, event.capture_before, event.occurred_at)
    late = order.status in ENDED
    short = await _hold_again(order, event) if late else ()
    unwanted = await canceled_by_somebody(order.id) if late else None
    if late:
        _alarm(order, event)
    step: Step = "authorized_late" if late else "authorized"
    actor = STRIPE if late else order.buyer_id
    order = await steps.take(
        order, step, actor=actor, now=event.occurred_at, reason=_shortage(short)
    )
    await _compare(order, event)
    why = _shortage(short) or _unwanted(unwanted)
    if why is not None and give_back is not None:
        await give_back(order, why, event.occurred_at)


async def _captured(order: OrderRecord, event: PaymentCaptured, give_back: GiveBack | None) -> None:
    if order.status in PAID_FOR:
        return
    step, actor = await _how_captured(order)
    late, bought = order.status in ENDED, order.status == "checkout"
    unwanted = await canceled_by_somebody(order.id)
    if late:
        _alarm(order, event)
    short = await prepared.settle(order, event.amount, event.occurred_at)
    partly = f"captured {event.amount} of {order.total}" if event.amount != order.total else None
    reason = "; ".join(filter(None, (partly, _shortage(short)))) or None
    order = await steps.take(order, step, actor=actor, now=event.occurred_at, reason=reason)
    # A hold may be captured in part on purpose.
    if order.capture_method == "automatic" or event.amount > order.total:
        order = await _compare(order, event)
    if bought:
        await holds.hold_if_stopped(order, actor=STRIPE, now=event.occurred_at)
    why = _shortage(short) or _unwanted(unwanted)
    if why is not None and give_back is not None:
        await give_back(order, why, event.occurred_at)


async def _compare(order: OrderRecord, event: PaymentAuthorized | PaymentCaptured) -> OrderRecord:
    """What came must be what the buyer was shown when they confirmed."""
    shown = order.total if order.frozen_total is None else order.frozen_total
    return await holds.compare(
        order, expected=shown, received=event.amount, actor=STRIPE, now=event.occurred_at
    )


async def _how_captured(order: OrderRecord) -> tuple[Step, str]:
    """The step that the capture is, and who was behind it."""
    if order.status in ENDED:
        return "captured_late", STRIPE
    if order.status == "checkout":
        return "captured", order.buyer_id
    asked = await steps.latest(order.id, ["preparation_asked"])
    return ("captured", STRIPE) if asked is None else ("prepared", asked.actor)


async def _canceled(order: OrderRecord, event: PaymentCanceled) -> None:
    if order.status in ENDED:
        return
    asked = await asked_to_end(order.id)
    step = _how_canceled(order, event, asked)
    # Stripe's own word stands where nobody here had asked.
    if asked is None or step == "hold_lapsed":
        by, reason = STRIPE, event.reason
    else:
        by, reason = asked.actor, asked.reason
    await stock.release(order.id)
    await prepared.forget(order.id)
    order = await steps.take(order, step, actor=by, now=event.occurred_at, reason=reason)
    if order.status == "checkout":
        await freezing.forget(order)


def _how_canceled(order: OrderRecord, event: PaymentCanceled, asked: StepRecord | None) -> Step:
    if asked is not None and asked.step == "cancellation_asked":
        return "canceled"
    if order.status == "checkout":
        return "payment_ended" if asked is None else "expired"
    return "hold_lapsed" if event.reason in _LAPSED else "canceled"


async def _not_created(order: OrderRecord, event: PaymentNotCreated) -> None:
    """Stripe refused the PaymentIntent: what was set aside for it is free again."""
    if order.status != "checkout":
        return
    await stock.release(order.id)
    await freezing.forget(order)
    await steps.take(order, "payment_ended", actor=STRIPE, now=event.occurred_at, reason=event.code)


async def _declined(order: OrderRecord, event: PaymentDeclined) -> None:
    """Payments keeps the attempt; the cart may change again, or another card be tried."""
    if order.status != "checkout":
        return
    latest = await steps.latest(
        order.id, ["checkout_begun", "payment_processing", "payment_failed"]
    )
    if latest is not None and latest.step == "payment_processing":
        order = await steps.take(
            order, "payment_failed", actor=STRIPE, now=event.occurred_at, reason=event.reason
        )
    await freezing.thaw(order, actor=STRIPE, now=event.occurred_at, reason=event.reason)


async def _processing(order: OrderRecord, event: PaymentProcessing) -> None:
    """The money is on its way: nothing is promised until it came."""
    if order.status == "checkout":
        await steps.take(order, "payment_processing", actor=order.buyer_id, now=event.occurred_at)


async def _mismatched(order: OrderRecord, event: AmountMismatched) -> None:
    """Stripe moved another amount than the order says: nothing goes out until people have looked."""
    if order.status not in ("authorized", "paid"):
        return
    await holds.compare(
        order,
        expected=event.expected,
        received=event.received,
        actor=STRIPE,
        now=event.occurred_at,
    )


async def _refund_settled(
    order: OrderRecord, event: RefundSucceeded | RefundFailed, step: Step
) -> None:
    if await steps.latest(order.id, [step], reason=event.refund_id) is not None:
        return
    asked = await steps.latest(order.id, ["refund_asked"], reason=event.refund_id)
    await steps.take(
        order,
        step,
        actor=STRIPE if asked is None else asked.actor,
        now=event.occurred_at,
        reason=event.refund_id,
    )
    if step == "refunded":
        await cancellation.after_refund(order, event.refund_id, event.occurred_at)
    else:
        await refund_lines.release(event.refund_id)


async def _hold_again(order: OrderRecord, event: PaymentAuthorized) -> tuple[str, ...]:
    """Set the stock of an order that came back aside again; answers what is no longer there."""
    lines = (await records.lines_of([order.id]))[order.id]
    try:
        await stock.reserve(
            order.id, {line.listing_id: line.quantity for line in lines}, event.occurred_at
        )
    except OutOfStock as refusal:
        return (refusal.listing_id,)
    return ()


def _shortage(listing_ids: tuple[str, ...]) -> str | None:
    return f"out of stock: {', '.join(listing_ids)}" if listing_ids else None


def _unwanted(asked: StepRecord | None) -> str | None:
    """The money was faster than the cancellation, whose answer may have got lost besides."""
    if asked is None:
        return None
    return ": ".join(filter(None, ("canceled before the money came", asked.reason)))


def _alarm(order: OrderRecord, event: PaymentAuthorized | PaymentCaptured) -> None:
    _log.error(
        "money came for an order that had ended",
        order_id=order.id,
        status=order.status,
        payment_id=event.payment_id,
        alarm=True,
    )
