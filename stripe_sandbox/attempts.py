"""How an attempt to pay ends: approved, declined by the bank, or not authenticated."""

from . import charges
from .cards import Card, Decline, decline_error
from .errors import DOCUMENTATION, Json, StripeError
from .intent_rules import future_usage, seen_by
from .routes import Call
from .saved_cards import remember, use_up
from .settlement import settle
from .world import World, public


def attempt(
    world: World,
    intent: Json,
    method: Json,
    card: Card,
    *,
    challenged: bool,
    off_session: bool = False,
) -> Decline | None:
    """Charge the card now. Answers the bank's no, if that is what it says."""
    if card.decline is not None:
        fail(world, intent, method, card.decline, challenged=challenged)
        return card.decline
    authenticated = challenged or not card.challenge
    remember(world, method, intent["customer"], future_usage(intent), authenticated=authenticated)
    options = intent["payment_method_options"]["card"]
    hold = "manual" in (intent["capture_method"], options.get("capture_method"))
    charge = charges.authorize(world, intent, method, capture=not hold, challenged=challenged)
    if hold:
        charges.hold(world, charge, off_session=off_session)
    _approve(world, intent, charge, hold=hold)
    return None


def _approve(world: World, intent: Json, charge: Json, *, hold: bool) -> None:
    intent.update({"last_payment_error": None, "latest_charge": charge["id"], "next_action": None})
    if hold:
        intent.update({"amount_capturable": intent["amount"], "status": "requires_capture"})
        world.emit("payment_intent.amount_capturable_updated", intent)
        world.emit("charge.succeeded", charge)
    else:
        settle(world, intent, charge, ("charge.succeeded",))


def fail(
    world: World, intent: Json, method: Json, decline: Decline, *, challenged: bool = False
) -> None:
    """The bank said no: back to `requires_payment_method`, with the reason."""
    charge = charges.decline(world, intent, method, decline, challenged=challenged)
    use_up(method)
    error = {**decline.told(), "charge": charge["id"], "payment_method": public(method)}
    end_without_payment(intent, error)
    intent["latest_charge"] = charge["id"]
    world.emit("payment_intent.payment_failed", intent)
    world.emit("charge.failed", charge)


def fail_authentication(world: World, intent: Json) -> None:
    """The buyer did not pass 3-D Secure: no charge was made."""
    method = world.find("payment_method", intent["payment_method"])
    use_up(method)
    code = "payment_intent_authentication_failure"
    error = {
        "code": code,
        "doc_url": f"{DOCUMENTATION}/{code.replace('_', '-')}",
        "message": "The provided PaymentMethod has failed authentication. You can provide "
        "payment_method_data or a new PaymentMethod to attempt to fulfill this PaymentIntent "
        "again.",
        "payment_method": public(method),
        "type": "invalid_request_error",
    }
    end_without_payment(intent, error)
    world.emit("payment_intent.payment_failed", intent)


def end_without_payment(intent: Json, error: Json) -> None:
    """Back to `requires_payment_method`, with the reason."""
    intent.update(
        {
            "last_payment_error": error,
            "next_action": None,
            "payment_method": None,
            "status": "requires_payment_method",
        }
    )


def card_error(call: Call, intent: Json) -> StripeError:
    """The 402 of the decline the PaymentIntent holds, with everything Stripe tells about it."""
    extra = {"payment_intent": public(seen_by(call, intent))}
    return decline_error(intent["last_payment_error"], extra)
