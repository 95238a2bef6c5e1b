"""PaymentMethods a Customer keeps: attached, listed, changed and detached.

A PaymentMethod that belongs to a Customer pays for that Customer only, as often as it likes. One
that belongs to nobody can be used once, unless it is being set up for later.
"""

from typing import Any

from .cards import Decline, decline_error
from .errors import Json, StripeError, missing_resource, refused
from .payment_methods import (
    billed,
    card_behind,
    checks,
    find_payment_method,
    require_payment_method,
)
from .routes import Call, list_of, route
from .updates import change
from .world import World, public

MONTHS = range(1, 13)


# ------------------------------------------------------------------------------------ the rules


def require_customer(world: World, id: str, *, param: str = "customer", status: int = 400) -> Json:
    """The Customer, or `resource_missing`: one that was deleted is missing too."""
    customer = world.find("customer", id, param=param, status=status)
    if customer.get("deleted"):
        raise missing_resource("customer", id, param=param, status=status)
    return customer


def require_usable(method: Json, intent: Json, told: Json) -> None:
    """Refuses, for a PaymentIntent or SetupIntent, what is another Customer's or was used up.

    `told` is what the error carries: the intent, unless it is only being created.
    """
    if method.get("_spent"):
        raise _unusable(
            "The provided PaymentMethod was previously used with a PaymentIntent without Customer "
            "attachment, shared with a connected account without Customer attachment, or was "
            "detached from a Customer. It may not be used again. To use a PaymentMethod multiple "
            "times, you must attach it to a Customer first.",
            told,
        )
    id, owner, customer = method["id"], method["customer"], intent["customer"]
    if owner in (None, customer):
        return
    if customer is not None:
        raise _unusable(
            f"The PaymentMethod {id} does not belong to the Customer you supplied {customer}. "
            "Please use this PaymentMethod with the Customer that it belongs to instead.",
            told,
        )
    if intent["object"] == "setup_intent":
        raise _unusable(
            f"The payment method supplied ({id}) belongs to the Customer {owner}. Please include "
            "the Customer in the `customer` parameter on the SetupIntent.",
            told,
        )
    raise StripeError(
        400,
        f"The `payment_method` parameter supplied {id} belongs to the Customer {owner}. Please "
        "include the Customer in the `customer` parameter on the PaymentIntent.",
        code="parameter_missing",
        param="source",
        extra=told,
    )


def _unusable(message: str, told: Json) -> StripeError:
    return StripeError(400, message, param="payment_method", extra=told)


def remember(
    world: World, method: Json, customer: str | None, usage: str | None, *, authenticated: bool
) -> None:
    """What a payment or setup that succeeds makes of its PaymentMethod.

    With a `usage` (`on_session`, `off_session`) it is kept by the Customer, and an authenticated
    one can later be charged `off_session`; without one, and belonging to nobody, it is used up.
    """
    if usage is None:
        use_up(method)
        return
    gone = customer is not None and world.find("customer", customer).get("deleted")
    if customer is not None and not gone and method["customer"] is None:
        keep(world, method, customer)
    if usage == "off_session" and authenticated:
        method["_set_up"] = True


def use_up(method: Json) -> None:
    """A PaymentMethod that belongs to nobody is used once, even when its bank said no."""
    if method["customer"] is None:
        method["_spent"] = True


def require_attachable(method: Json) -> None:
    """Refuses what another Customer has, what was used up, and a card whose bank says no (402)."""
    if method["customer"] is not None:
        raise refused("The payment method you provided has already been attached to a customer.")
    if method.get("_spent"):
        raise refused(
            "This PaymentMethod was previously used without being attached to a Customer or was "
            "detached from a Customer, and may not be used again."
        )
    decline = setup_decline(method)
    if decline is not None:
        raise decline_error(decline.told(), {"payment_method": public(method)})


def setup_decline(method: Json) -> Decline | None:
    """The bank's no to keeping the card, if it says one; bank accounts are taken as they are."""
    return card_behind(method).setup_decline if method["type"] == "card" else None


def keep(world: World, method: Json, customer: str) -> None:
    """Attach a PaymentMethod: from now on it belongs to the Customer."""
    method["customer"] = customer
    if method["type"] == "card":
        method["card"]["checks"] = checks("pass")
    world.emit("payment_method.attached", method)


def release(world: World, method: Json) -> None:
    """Detach a PaymentMethod for good; the Customer's default is cleared if it was that."""
    owner = method["customer"]
    method.update({"customer": None, "_spent": True})
    world.emit("payment_method.detached", method, previous_attributes={"customer": owner})
    customer = world.find("customer", owner)
    settings = customer["invoice_settings"]
    if settings["default_payment_method"] == method["id"]:
        before = {"invoice_settings": dict(settings)}
        settings["default_payment_method"] = None
        world.emit("customer.updated", customer, previous_attributes=before)


def kept_by(world: World, customer: str) -> list[Json]:
    """The PaymentMethods of a Customer, newest first."""
    return [m for m in world.all("payment_method") if m["customer"] == customer]


# ----------------------------------------------------------------------------------- the routes


@route("POST", "/v1/payment_methods/{id}/attach")
def attach(call: Call) -> Json:
    """Give a PaymentMethod to a Customer; a test token such as `pm_card_visa` becomes one first.

    It is not set up for payments without the buyer: SetupIntents do that.
    """
    if call.params.get("customer") is None:
        raise refused(
            "Missing required param: customer.", code="parameter_missing", param="customer"
        )
    customer = require_customer(call.world, call.params["customer"])
    method = require_payment_method(call.world, call.args["id"], status=404)
    if method["customer"] != customer["id"]:
        require_attachable(method)
        keep(call.world, method, customer["id"])
    return method


@route("POST", "/v1/payment_methods/{id}/detach")
def detach(call: Call) -> Json:
    """Take a PaymentMethod from its Customer; nobody can use it again."""
    method = find_payment_method(call)
    if method["customer"] is None:
        raise refused(
            "The payment method you provided is not attached to a customer so detachment is "
            "impossible."
        )
    release(call.world, method)
    return method


@route("POST", "/v1/payment_methods/{id}")
def update(call: Call) -> Json:
    """Change what is said about a kept PaymentMethod: billing details, expiry, metadata."""
    method, params = find_payment_method(call), call.params
    if method["customer"] is None:
        raise refused("You must save this PaymentMethod to a customer before you can update it.")
    if "us_bank_account" in params:
        raise refused(
            "The sandbox does not simulate a change of us_bank_account.", param="us_bank_account"
        )
    changes: Json = {"billing_details": billed(method["billing_details"], params)}
    if "allow_redisplay" in params:
        changes["allow_redisplay"] = params["allow_redisplay"]
    if "card" in params:
        changes["card"] = _card(method, params["card"])
    change(call, method, changes, "payment_method.updated")
    return method


def _card(method: Json, given: Json) -> Json:
    if method["type"] != "card":
        raise refused("You can only update the card of a card PaymentMethod.", param="card")
    if given.get("exp_month", 1) not in MONTHS:
        raise StripeError(
            402,
            "Your card's expiration month is invalid.",
            code="invalid_expiry_month",
            param="exp_month",
        )
    networks = {**method["card"]["networks"], **(given.get("networks") or {})}
    return {**method["card"], **given, "networks": {**networks}}


@route("GET", "/v1/payment_methods")
def list_payment_methods(call: Call) -> Json:
    """What the Customer given keeps, newest first, of one type if asked."""
    if call.params.get("customer") is None:
        raise refused(
            "Missing required param: customer.", code="parameter_missing", param="customer"
        )
    customer = require_customer(call.world, call.params["customer"])
    return _listed(call, customer, "/v1/payment_methods")


@route("GET", "/v1/customers/{customer}/payment_methods")
def list_of_customer(call: Call) -> Json:
    """What the Customer of the path keeps, newest first, of one type if asked."""
    customer = require_customer(call.world, call.args["customer"], status=404)
    return _listed(call, customer, f"/v1/customers/{customer['id']}/payment_methods")


def _listed(call: Call, customer: Json, url: str) -> Json:
    filters: dict[str, Any] = {n: call.params.get(n) for n in ("type", "allow_redisplay")}
    return list_of(call, kept_by(call.world, customer["id"]), url, filters=filters)


@route("GET", "/v1/customers/{customer}/payment_methods/{id}")
def retrieve_of_customer(call: Call) -> Json:
    """One PaymentMethod, if the Customer of the path keeps it."""
    customer = require_customer(call.world, call.args["customer"], status=404)
    method = find_payment_method(call)
    if method["customer"] != customer["id"]:
        raise missing_resource("PaymentMethod", method["id"], param="payment_method")
    return method
