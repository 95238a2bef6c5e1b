"""Confirming a PaymentIntent: what it needs, and whether the bank wants to see the buyer."""

from . import debits
from .amounts import require_card_limit
from .attempts import attempt, card_error, fail
from .cards import AUTHENTICATION_REQUIRED, Card
from .errors import Json, invalid, refused
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
from .payment_methods import instrument_behind, require_payment_method
from .routes import Call
from .updates import require_email, shipping, unset

TOLD_AT_CONFIRMATION = ("receipt_email", "setup_future_usage", "capture_method")
BUYERS_CARD_OPTIONS = ("cvc_token", "network", "setup_future_usage")
"""What the buyer's browser may say about a card; how it is captured is not among it."""


def confirm(call: Call) -> Json:
    """Charge the card: by the platform's secret key, or by a browser with the client secret."""
    intent = find_intent(call)
    _require_confirmable(call, intent)
    return seen_by(call, try_to_pay(call, intent, prepare(call, intent)))


def try_to_pay(call: Call, intent: Json, method: Json) -> Json:
    """Make one attempt, or ask for a challenge. Raises the card error of a decline (402)."""
    challenged, intent["_challenged"] = intent["_challenged"], False
    card = instrument_behind(method)
    if not isinstance(card, Card):
        debits.begin(call.world, intent, method)
        return intent
    if card.challenge and not challenged:
        if _buyer_is_present(call):
            return _challenge(call, intent)
        if card.off_session == "needs_authentication" or not call.params.get("off_session"):
            fail(call.world, intent, method, AUTHENTICATION_REQUIRED)
            raise card_error(call, intent)
    if attempt(call.world, intent, method, card, challenged=challenged) is not None:
        raise card_error(call, intent)
    return intent


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


def prepare(call: Call, intent: Json, *, attached: str | None = None) -> Json:
    """Write what the call tells into the PaymentIntent and answer its PaymentMethod.

    `attached` is the PaymentMethod that was made of the call's already, if one was.
    Nothing is written when anything is refused: a missing or incompatible payment method, a
    missing `return_url`, a destination that cannot receive transfers.
    """
    params = call.params
    refuse_unsimulated(params)
    if call.publishable:
        _require_buyers_options(params)
    if (expected := params.get("amount_to_confirm")) not in (None, intent["amount"]):
        raise refused(
            f"The amount_to_confirm ({expected}) does not match the amount of this PaymentIntent "
            f"({intent['amount']}).",
            param="amount_to_confirm",
        )
    id = attached or params.get("payment_method") or intent["payment_method"]
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
    asked = {"capture_method": params.get("capture_method", intent["capture_method"])}
    require_type(call, {**intent, **asked}, method)
    if method["type"] == "card":
        _require_no_statement_descriptor(intent)
        require_card_limit(intent["amount"], intent["currency"], method["card"]["brand"])
    require_email(params, "receipt_email")
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


def _require_buyers_options(params: Json) -> None:
    """Refuses payment method options of a browser that only a server may choose."""
    for kind, options in (params.get("payment_method_options") or {}).items():
        for name in options or ():
            if name not in BUYERS_CARD_OPTIONS:
                path = f"payment_method_options[{kind}][{name}]"
                raise invalid(
                    f"Received unknown parameter: {path}", code="parameter_unknown", param=path
                )


def _require_no_statement_descriptor(intent: Json) -> None:
    """Card charges take a suffix only; the rest of the line is the account's own."""
    if intent["statement_descriptor"] is not None:
        raise refused(
            "You cannot set statement_descriptor for a card payment. Use "
            "statement_descriptor_suffix instead.",
            param="statement_descriptor",
        )


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
