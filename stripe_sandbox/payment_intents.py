"""PaymentIntents: created, changed, found. Confirmation and capture have modules of their own.

Simulated: one-time payments by card or bank debit on the platform's own account, with or without
a destination. Refused with a clear 400: direct charges (`Stripe-Account`), confirmation tokens and
other things listed in `intent_rules.UNSIMULATED`.
"""

from typing import Any

from .amounts import require_currency
from .captures import cancel, capture
from .confirmation import confirm, prepare, try_to_pay
from .errors import Json, refused
from .intent_rules import (
    find_intent,
    merged_options,
    payment_method_types,
    refuse_unsimulated,
    require_confirming,
    require_money,
    require_one_choice,
    require_type,
    require_updatable,
    seen_by,
    unexpected_state,
)
from .payment_methods import require_payment_method
from .routes import Call, list_of, route
from .saved_cards import require_customer, require_usable
from .search import search
from .updates import merged, require_email, shipping, unset
from .world import World, public

LABELS = (
    "description",
    "receipt_email",
    "setup_future_usage",
    "statement_descriptor",
    "statement_descriptor_suffix",
)
"""What can be said about a payment; kept as given."""
ALWAYS_UPDATABLE = ("metadata", "description", "payment_details", "client_secret")
CARD_OPTIONS: Json = {
    "installments": None,
    "mandate_options": None,
    "network": None,
    "request_three_d_secure": "automatic",
}
MONEY = ("amount", "currency", "application_fee_amount", "transfer_data")
ANEW = ("amount", "currency", "payment_method", "capture_method")
"""A change of one of these makes a challenge under way worthless."""


@route("POST", "/v1/payment_intents")
def create(call: Call) -> Json:
    """Create a PaymentIntent, and confirm it at once when asked to."""
    world, params = call.world, call.params
    _require_simulated(call)
    require_confirming(params)
    require_one_choice(params)
    intent = _new_intent(world, params)
    _apply(intent, params)
    intent["payment_method_types"] = payment_method_types(intent)
    require_money(world, intent)
    if params.get("payment_method"):
        _attach(call, intent, params["payment_method"], {})
    if not params.get("confirm"):
        world.put(intent)
        world.emit("payment_intent.created", intent)
        return intent
    method = prepare(call, intent, attached=intent["payment_method"])
    world.put(intent)
    world.emit("payment_intent.created", intent)
    return try_to_pay(call, intent, method)


@route("GET", "/v1/payment_intents/{id}", publishable=True)
def retrieve(call: Call) -> Json:
    return seen_by(call, find_intent(call))


@route("GET", "/v1/payment_intents", for_accounts=True)
def list_intents(call: Call) -> Json:
    filters = {"customer": call.params.get("customer")}
    kept = call.world.all("payment_intent", account=call.account)
    return list_of(call, kept, "/v1/payment_intents", filters=filters)


@route("GET", "/v1/payment_intents/search", for_accounts=True)
def search_intents(call: Call) -> Json:
    kept = call.world.all("payment_intent", account=call.account)
    return search(call, kept, "/v1/payment_intents/search")


@route("POST", "/v1/payment_intents/{id}")
def update(call: Call) -> Json:
    """Change a PaymentIntent; its money only before it is authorized. Emits nothing, as Stripe."""
    intent = find_intent(call)
    _require_simulated(call)
    require_one_choice(call.params)
    for param in call.params:
        if param not in ALWAYS_UPDATABLE:
            require_updatable(call, intent, param)
    changed = {**intent, "metadata": dict(intent["metadata"])}
    _apply(changed, call.params)
    _require_same_group(call, intent, changed)
    _require_same_customer(call, intent)
    if call.params.get("payment_method"):
        told = {"payment_intent": public(intent)}
        _attach(call, changed, call.params["payment_method"], told)
    changed["payment_method_types"] = payment_method_types(changed)
    if any(name in call.params for name in MONEY):
        require_money(call.world, changed)
    changed["last_payment_error"] = None
    if intent["status"] == "requires_action" and any(name in call.params for name in ANEW):
        changed.update({"status": "requires_confirmation", "next_action": None})
    intent.update(changed)
    return intent


route("POST", "/v1/payment_intents/{id}/confirm", publishable=True)(confirm)
route("POST", "/v1/payment_intents/{id}/capture")(capture)
route("POST", "/v1/payment_intents/{id}/cancel")(cancel)


def _require_simulated(call: Call) -> None:
    if customer := call.params.get("customer"):
        require_customer(call.world, customer)
    refuse_unsimulated(call.params)


def _attach(call: Call, intent: Json, payment_method: str, told: Json) -> None:
    method = require_payment_method(call.world, payment_method)
    require_type(call, intent, method)
    require_usable(method, intent, told)
    intent["payment_method"] = method["id"]
    intent["status"] = "requires_confirmation"


def _require_same_group(call: Call, before: Json, after: Json) -> None:
    if before["transfer_group"] not in (None, after["transfer_group"]):
        raise unexpected_state(
            call,
            before,
            "You cannot change the transfer_group of a PaymentIntent once it is set.",
            param="transfer_group",
        )


def _require_same_customer(call: Call, intent: Json) -> None:
    """The customer is set once; sending the same one again is refused too."""
    if "customer" in call.params and intent["customer"] is not None:
        raise refused(
            "You cannot modify `customer` on a PaymentIntent once it already has been set. To "
            "fulfill a payment with a different Customer, cancel this PaymentIntent and create a "
            "new one.",
            param="customer",
        )


def _apply(intent: Json, params: Json) -> None:
    """Write the given parameters into the PaymentIntent; what they add up to is checked later."""
    require_email(params, "receipt_email")
    intent.update({name: unset(params[name]) for name in LABELS if name in params})
    for name in ("amount", "capture_method", "customer", "transfer_group"):
        if name in params:
            intent[name] = params[name]
    if "payment_method_options" in params:
        intent["payment_method_options"] = merged_options(
            intent["payment_method_options"], params["payment_method_options"]
        )
    for name in ("allowed_payment_method_types", "excluded_payment_method_types"):
        if name in params:
            intent[name] = unset(params[name])
            if name == "allowed_payment_method_types":
                intent["automatic_payment_methods"] = None
    if "application_fee_amount" in params:
        intent["application_fee_amount"] = unset(params["application_fee_amount"])
    if "currency" in params:
        intent["currency"] = require_currency(params["currency"])
    if "shipping" in params:
        intent["shipping"] = shipping(params["shipping"], intent["shipping"])
    if "payment_details" in params:
        intent["payment_details"] = {
            "customer_reference": None,
            "order_reference": None,
            **(params["payment_details"] or {}),
        }
    if "metadata" in params:
        intent["metadata"] = merged(intent["metadata"], params["metadata"])
    if "transfer_data" in params:
        intent["transfer_data"] = _transfer_data(intent["transfer_data"], params["transfer_data"])


def _transfer_data(kept: Json | None, given: Json) -> Json:
    data = {**(kept or {}), **given}
    if "destination" not in data:
        raise refused(
            "You cannot set transfer_data on a PaymentIntent that has no destination.",
            param="transfer_data",
        )
    if "metadata" in given:
        data["metadata"] = merged((kept or {}).get("metadata"), given["metadata"])
    return data


def _new_intent(world: World, params: Json) -> Json:
    id = world.mint("pi")
    types = params.get("allowed_payment_method_types")
    return {
        "id": id,
        "object": "payment_intent",
        "allowed_payment_method_types": None,
        "amount": params["amount"],
        "amount_capturable": 0,
        "amount_details": {},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None if types else _automatic(params),
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": f"{id}_secret_{world.token(24)}",
        "confirmation_method": params.get("confirmation_method", "automatic"),
        "created": world.now(),
        "currency": params["currency"],
        "customer": None,
        "customer_account": None,
        "description": None,
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "managed_payments": None,
        "metadata": {},
        "next_action": None,
        "on_behalf_of": params.get("on_behalf_of"),
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": dict(CARD_OPTIONS)},
        "payment_method_types": [],
        "payment_record": None,
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
        "_challenged": False,
        "_return_url": None,
    }


def _automatic(params: Json) -> Json | None:
    """Dynamic payment methods apply unless the request chooses another way."""
    given: dict[str, Any] = params.get("automatic_payment_methods") or {}
    return {
        "allow_redirects": given.get("allow_redirects", "always"),
        "enabled": given.get("enabled", True),
    }
