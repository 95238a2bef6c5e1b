"""Confirming a PaymentIntent: the attempt to charge its card, and the three ways it can end."""

from . import charges
from .amounts import require_card_limit
from .cards import AUTHENTICATION_REQUIRED, Card, Decline
from .errors import DOCUMENTATION, Json, StripeError, refused
from .intent_rules import (
    OPEN,
    find_intent,
    merged_options,
    refuse_unsimulated,
    require_money,
    require_type,
    seen_by,
    unexpected_state,
)
from .payment_methods import card_behind, require_payment_method
from .routes import Call
from .settlement import settle
from .updates import shipping, unset
from .world import World, public

TOLD_AT_CONFIRMATION = ("receipt_email", "setup_future_usage", "capture_method")


def confirm(call: Call) -> Json:
    """Charge the card: by the platform's secret key, or by a browser with the client secret."""
    intent = find_intent(call)
    _require_confirmable(call, intent)
    return seen_by(call, try_to_pay(call, intent, prepare(call, intent)))


def try_to_pay(call: Call, intent: Json, method: Json) -> Json:
    """Make one attempt, or ask for a challenge. Raises the card error of a decline (402)."""
    challenged, intent["_challenged"] = intent["_challenged"], False
    card = card_behind(method)
    if card.challenge and not challenged:
        if _buyer_is_present(call):
            return _challenge(call, intent)
        if card.off_session == "needs_authentication" or not call.params.get("off_session"):
            fail(call.world, intent, method, AUTHENTICATION_REQUIRED)
            raise card_error(call, intent)
    if attempt(call.world, intent, method, card, challenged=challenged) is not None:
        raise card_error(call, intent)
    return intent


def attempt(
    world: World, intent: Json, method: Json, card: Card, *, challenged: bool
) -> Decline | None:
    """Charge the card now. Answers the bank's no, if that is what it says."""
    if card.decline is not None:
        fail(world, intent, method, card.decline, challenged=challenged)
        return card.decline
    _approve(world, intent, method, challenged=challenged)
    return None


# ----------------------------------------------------------------------------- before the attempt


def _require_confirmable(call: Call, intent: Json) -> None:
    status = intent["status"]
    if status == "succeeded":
        raise unexpected_state(
            call,
            intent,
            "You cannot confirm this PaymentIntent because it has already succeeded after being "
            "previously confirmed.",
        )
    if status not in OPEN:
        raise unexpected_state(
            call,
            intent,
            f"You cannot confirm this PaymentIntent because it has a status of {status}. Only a "
            "PaymentIntent with one of the following statuses may be confirmed: "
            "requires_confirmation, requires_action.",
        )
    if call.publishable and intent["confirmation_method"] == "manual":
        raise refused(
            "This PaymentIntent can only be confirmed using a secret key, because its "
            "confirmation_method is manual.",
            code="payment_intent_invalid_parameter",
        )


def prepare(call: Call, intent: Json) -> Json:
    """Write what the call tells into the PaymentIntent and answer its PaymentMethod.

    Nothing is written when anything is refused: a missing or incompatible payment method, a
    missing `return_url`, a destination that cannot receive transfers.
    """
    params = call.params
    refuse_unsimulated(params)
    if (expected := params.get("amount_to_confirm")) not in (None, intent["amount"]):
        raise refused(
            f"The amount_to_confirm ({expected}) does not match the amount of this PaymentIntent "
            f"({intent['amount']}).",
            param="amount_to_confirm",
        )
    id = params.get("payment_method") or intent["payment_method"]
    if id is None:
        raise unexpected_state(
            call,
            intent,
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can "
            "either update the PaymentIntent with a payment method and then confirm it again, or "
            "confirm it again directly with a payment method or ConfirmationToken.",
        )
    _require_return_url(call, intent)
    _require_address(params.get("return_url"))
    require_money(call.world, intent)
    method = require_payment_method(call.world, id)
    require_type(call, intent, method)
    require_card_limit(intent["amount"], intent["currency"], method["card"]["brand"])
    intent.update({n: unset(params[n]) for n in TOLD_AT_CONFIRMATION if n in params})
    if "shipping" in params:
        intent["shipping"] = shipping(params["shipping"])
    if "payment_method_options" in params:
        intent["payment_method_options"] = merged_options(
            intent["payment_method_options"], params["payment_method_options"]
        )
    intent["payment_method"] = method["id"]
    intent["_return_url"] = params.get("return_url")
    return method


def _require_return_url(call: Call, intent: Json) -> None:
    """A server must say where to return to, where a method might redirect the buyer."""
    automatic = intent["automatic_payment_methods"]
    if (
        automatic
        and automatic["enabled"]
        and automatic["allow_redirects"] == "always"
        and not (call.params.get("return_url") or call.params.get("use_stripe_sdk"))
        and not call.publishable
    ):
        raise refused(
            "This PaymentIntent is configured to accept payment methods enabled in your "
            "Dashboard. Because some of these payment methods might redirect your customer off "
            "of your page, you must provide a `return_url`. If you don't want to accept "
            "redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` "
            "and `automatic_payment_methods[allow_redirects]` to `never` when creating Setup "
            "Intents and Payment Intents.",
            param="return_url",
        )


def _require_address(return_url: str | None) -> None:
    """A URL is `scheme://something` in printable ASCII; apps have schemes of their own."""
    if return_url is None:
        return
    scheme, colon, rest = return_url.partition(":")
    plain = return_url.isascii() and return_url.isprintable() and " " not in return_url
    if not (plain and colon and scheme[:1].isalpha() and rest.startswith("//") and rest[2:]):
        raise refused("Not a valid URL", code="url_invalid", param="return_url")


def _buyer_is_present(call: Call) -> bool:
    return not (call.params.get("off_session") or call.params.get("error_on_requires_action"))


# ---------------------------------------------------------------------------- how attempts end


def _challenge(call: Call, intent: Json) -> Json:
    """The bank wants to see the buyer: `requires_action`, and where to go."""
    url = f"{call.base_url}/3ds/{intent['id']}"
    if intent["_return_url"]:
        redirect = {"return_url": intent["_return_url"], "url": url}
        next_action: Json = {"redirect_to_url": redirect, "type": "redirect_to_url"}
    else:
        sdk = {"type": "three_d_secure_redirect", "stripe_js": url}
        next_action = {"type": "use_stripe_sdk", "use_stripe_sdk": sdk}
    intent.update({"status": "requires_action", "next_action": next_action})
    intent["last_payment_error"] = None
    call.world.emit("payment_intent.requires_action", intent)
    return intent


def _approve(world: World, intent: Json, method: Json, *, challenged: bool) -> None:
    options = intent["payment_method_options"]["card"]
    hold = "manual" in (intent["capture_method"], options.get("capture_method"))
    charge = charges.authorize(world, intent, method, capture=not hold, challenged=challenged)
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
    error = {
        "advice_code": decline.advice_code,
        "charge": charge["id"],
        "code": decline.code,
        "decline_code": decline.decline_code,
        "doc_url": f"{DOCUMENTATION}/{decline.code.replace('_', '-')}",
        "message": decline.message,
        "network_advice_code": decline.network_advice_code,
        "network_decline_code": decline.network_decline_code,
        "payment_method": public(method),
        "type": "card_error",
    }
    if decline.code == "incorrect_cvc":
        error["param"] = "cvc"
    elif decline.code == "expired_card":
        error["param"] = "exp_month"
    _end_without_payment(intent, error)
    intent["latest_charge"] = charge["id"]
    world.emit("payment_intent.payment_failed", intent)
    world.emit("charge.failed", charge)


def fail_authentication(world: World, intent: Json) -> None:
    """The buyer did not pass 3-D Secure: no charge was made."""
    method = world.find("payment_method", intent["payment_method"])
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
    _end_without_payment(intent, error)
    world.emit("payment_intent.payment_failed", intent)


def _end_without_payment(intent: Json, error: Json) -> None:
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
    told = dict(intent["last_payment_error"])
    return StripeError(
        402,
        told.pop("message"),
        type=told.pop("type"),
        code=told.pop("code"),
        extra={**told, "payment_intent": public(seen_by(call, intent))},
    )
