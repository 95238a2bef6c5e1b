"""How a held payment ends: captured, canceled by someone, or expired by time."""

from . import schedule
from .amounts import require_movable, too_large
from .charges import release_hold
from .errors import Json, StripeError, refused
from .intent_rules import (
    CANCELABLE,
    exclusive,
    find_intent,
    require_fee_within,
    require_status,
    seen_by,
)
from .routes import Call
from .settlement import settle
from .transfers import require_destination
from .updates import merged
from .world import World, public


def capture(call: Call) -> Json:
    """Take the held money, or part of it; the rest is released. One capture only.

    The application fee is the one sent, else the one of creation capped at what is captured. A
    destination that can no longer receive transfers refuses the capture. (Stripe does not say
    whether it would capture and skip the transfer; refusing keeps the money with the buyer.)
    """
    intent, params = find_intent(call), call.params
    _require_capturable(call, intent)
    amount = _amount(call, intent)
    data = _destination(call, intent, amount)
    fee = _fee(call, intent, data, amount)
    charge = call.world.find("charge", intent["latest_charge"])
    before = dict(charge)
    charge.update({"amount_captured": amount, "captured": True})
    intent["application_fee_amount"], intent["transfer_data"] = fee, data
    if "metadata" in params:
        intent["metadata"] = merged(intent["metadata"], params["metadata"])
    if suffix := params.get("statement_descriptor_suffix"):
        charge["statement_descriptor_suffix"] = suffix
    settle(call.world, intent, charge, ("charge.captured", "charge.updated"), before=before)
    return intent


def _require_capturable(call: Call, intent: Json) -> None:
    if intent["status"] == "canceled" and intent["cancellation_reason"] == "automatic":
        raise StripeError(
            400,
            "This PaymentIntent could not be captured because its authorization has expired.",
            code="capture_charge_authorization_expired",
            extra={"payment_intent": public(seen_by(call, intent))},
        )
    require_status(call, intent, ("requires_capture",), "captured")
    if call.params.get("final_capture") is False:
        raise refused(
            "This PaymentIntent cannot be captured more than once: multicapture is not available "
            "for its payment method. Leave out final_capture.",
            param="final_capture",
        )


def _amount(call: Call, intent: Json) -> int:
    """What to capture: all that is held unless less is asked for."""
    held: int = intent["amount_capturable"]
    asked: int | None = call.params.get("amount_to_capture")
    if asked is None:
        return held
    require_movable(asked, intent["currency"], param="amount_to_capture")
    if asked > held:
        raise StripeError(
            400,
            f"The remaining amount that can be captured on this PaymentIntent is {held}, less "
            f"than the requested {asked}.",
            code="amount_too_large",
            param="amount_to_capture",
            extra={"payment_intent": public(seen_by(call, intent))},
        )
    return asked


def _destination(call: Call, intent: Json, amount: int) -> Json | None:
    """The PaymentIntent's destination, still able to receive, with the amount it is to get."""
    kept: Json | None = intent["transfer_data"]
    part = (call.params.get("transfer_data") or {}).get("amount")
    if kept is None:
        if part is not None:
            raise refused("This PaymentIntent has no destination.", param="transfer_data")
        return None
    require_destination(call.world, kept["destination"], param="transfer_data[destination]")
    if part is None:
        return kept
    require_movable(part, intent["currency"], param="transfer_data[amount]")
    if part > amount:
        raise too_large(amount, intent["currency"], param="transfer_data[amount]")
    return {**kept, "amount": part}


def _fee(call: Call, intent: Json, data: Json | None, amount: int) -> int | None:
    """The fee that was sent, or the one of creation, never more than what is captured."""
    sent = call.params.get("application_fee_amount")
    if sent is None:
        kept: int | None = intent["application_fee_amount"]
        return None if kept is None else min(kept, amount)
    if data is None:
        raise refused(
            "Can only apply an application_fee_amount to a payment that has a destination.",
            param="application_fee_amount",
        )
    if data.get("amount") is not None:
        raise exclusive("application_fee_amount", "transfer_data[amount]")
    require_fee_within(sent, amount, intent["currency"])
    return int(sent)


def cancel(call: Call) -> Json:
    """Stop a PaymentIntent that has not succeeded, and release its hold if it has one."""
    intent, world = find_intent(call), call.world
    require_status(call, intent, CANCELABLE, "canceled")
    held = intent["status"] == "requires_capture"
    end_canceled(world, intent, call.params.get("cancellation_reason"))
    if not held:
        world.emit("payment_intent.canceled", intent)
        return intent
    charge = world.find("charge", intent["latest_charge"])
    before = {name: charge[name] for name in ("amount_refunded", "refunded")}
    release_hold(world, charge, charge["amount"], reason=None)
    world.emit("payment_intent.canceled", intent)
    world.emit("charge.refunded", charge, previous_attributes=before)
    return intent


def end_canceled(world: World, intent: Json, reason: str | None) -> None:
    """Bring a PaymentIntent to its end `canceled`."""
    intent.update(
        {
            "amount_capturable": 0,
            "canceled_at": world.now(),
            "cancellation_reason": reason,
            "next_action": None,
            "status": "canceled",
        }
    )


@schedule.action("hold_expires")
def _expire(world: World, id: str) -> None:
    """Nobody captured in time: the bank takes its hold back."""
    intent = world.find("payment_intent", id)
    if intent["status"] != "requires_capture":
        return
    charge = world.find("charge", intent["latest_charge"])
    release_hold(world, charge, charge["amount"], reason="expired_uncaptured_charge")
    end_canceled(world, intent, "automatic")
    world.emit("charge.expired", charge)
    world.emit("payment_intent.canceled", intent)
