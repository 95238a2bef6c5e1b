"""Confirming a PaymentIntent: what it needs, and whether the bank wants to see the buyer."""

from . import debits
from .amounts import require_card_limit
from .attempts import attempt, card_error, fail
from .cards import AUTHENTICATION_REQUIRED, Card
from .errors import Json, refused
from .intent_rules import (
    OPEN,
    find_intent,
    future_usage,
    merged_options,
    refuse_unsimulated,
    require_buyers_options,
    require_buyers_usage,
    require_money,
    require_type,
    seen_by,
    unexpected_state,
)
from .next_actions import ask_for_challenge, require_way_back
from .payment_methods import instrument_behind, require_payment_method
from .routes import Call
from .saved_cards import remember, require_usable
from .updates import require_email, shipping, unset
from .world import public

TOLD_AT_CONFIRMATION = ("receipt_email", "setup_future_usage", "capture_method")


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
        usage = future_usage(intent)
        remember(call.world, method, intent["customer"], usage, authenticated=True)
        debits.begin(call.world, intent, method)
        return intent
    off_session = bool(call.params.get("off_session"))
    wants_buyer = card.wants_buyer(set_up=method.get("_set_up", False), off_session=off_session)
    if wants_buyer and not challenged:
        if not (off_session or call.params.get("error_on_requires_action")):
            intent["last_payment_error"] = None
            ask_for_challenge(call, intent)
            return intent
        fail(call.world, intent, method, AUTHENTICATION_REQUIRED)
        raise card_error(call, intent)
    declined = attempt(
        call.world, intent, method, card, challenged=challenged, off_session=off_session
    )
    if declined is not None:
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
        require_buyers_options(params)
        require_buyers_usage(intent, params)
    if (expected := params.get("amount_to_confirm")) not in (None, intent["amount"]):
        raise refused(
            f"The amount_to_confirm ({expected}) does not match the amount of this PaymentIntent "
            f"({intent['amount']}).",
            param="amount_to_confirm",
        )
    id = attached or params.get("payment_method") or intent["payment_method"]
    if id is None:
        raise unexpected_state(call, intent, _missing_method(intent))
    require_way_back(call, intent)
    require_money(call.world, intent)
    method = require_payment_method(call.world, id)
    asked = {"capture_method": params.get("capture_method", intent["capture_method"])}
    require_type(call, {**intent, **asked}, method)
    require_usable(method, intent, {"payment_intent": public(seen_by(call, intent))})
    if method["type"] == "card":
        _require_no_statement_descriptor(intent)
        require_card_limit(intent["amount"], intent["currency"], method["card"]["brand"])
    require_email(params, "receipt_email")
    intent.update({n: unset(params[n]) for n in TOLD_AT_CONFIRMATION if n in params})
    if "shipping" in params:
        intent["shipping"] = shipping(params["shipping"], intent["shipping"])
    if "payment_method_options" in params:
        intent["payment_method_options"] = merged_options(
            intent["payment_method_options"], params["payment_method_options"]
        )
    intent["payment_method"] = method["id"]
    intent["_return_url"] = params.get("return_url")
    return method


def _missing_method(intent: Json) -> str:
    missing = "You cannot confirm this PaymentIntent because it's missing a payment method."
    if intent["customer"] is not None:
        return (
            f"{missing} To confirm the PaymentIntent with {intent['customer']}, specify a payment "
            "method attached to this customer along with the customer ID."
        )
    return (
        f"{missing} You can either update the PaymentIntent with a payment method and then "
        "confirm it again, or confirm it again directly with a payment method or "
        "ConfirmationToken."
    )


def _require_no_statement_descriptor(intent: Json) -> None:
    """Card charges take a suffix only; the rest of the line is the account's own."""
    if intent["statement_descriptor"] is not None:
        raise refused(
            "You cannot set statement_descriptor for a card payment. Use "
            "statement_descriptor_suffix instead.",
            param="statement_descriptor",
        )
