"""SetupIntents: cards kept for later payments, without a payment now.

Simulated: cards of the platform's Customers, with 3-D Secure, by a server or a browser. Refused
with a clear 400: bank accounts and the parameters listed in `setup_rules.UNSIMULATED`.
"""

from .errors import Json, refused
from .intent_rules import require_one_choice
from .payment_methods import require_payment_method
from .routes import Call, list_of, route
from .saved_cards import require_customer, require_usable
from .setup_confirmation import confirm, prepare, try_to_set_up
from .setup_rules import (
    OPEN,
    find_setup,
    refuse_unsimulated,
    require_card,
    require_cards_offered,
    require_not_over,
    seen_by,
    told_with,
    unexpected_state,
)
from .updates import merged, unset
from .world import World

CARD_OPTIONS: Json = {
    "mandate_options": None,
    "network": None,
    "request_three_d_secure": "automatic",
}
TYPES = ("allowed_payment_method_types", "excluded_payment_method_types")


@route("POST", "/v1/setup_intents")
def create(call: Call) -> Json:
    """Create a SetupIntent, and confirm it at once when asked to."""
    world, params = call.world, call.params
    refuse_unsimulated(call)
    require_one_choice(params)
    _require_confirming(call)
    setup = _new_setup(world, params)
    _apply(call, setup)
    if params.get("payment_method"):
        _attach(call, setup, {})
    if not params.get("confirm"):
        world.put(setup)
        world.emit("setup_intent.created", setup)
        return setup
    method = prepare(call, setup, attached=setup["payment_method"])
    world.put(setup)
    world.emit("setup_intent.created", setup)
    return try_to_set_up(call, setup, method)


@route("GET", "/v1/setup_intents/{id}", publishable=True)
def retrieve(call: Call) -> Json:
    return seen_by(call, find_setup(call))


@route("GET", "/v1/setup_intents")
def list_setups(call: Call) -> Json:
    filters = {name: call.params.get(name) for name in ("customer", "payment_method")}
    return list_of(call, call.world.all("setup_intent"), "/v1/setup_intents", filters=filters)


@route("POST", "/v1/setup_intents/{id}")
def update(call: Call) -> Json:
    """Change a SetupIntent; its PaymentMethod only while it is open. Emits nothing, as Stripe."""
    setup = find_setup(call)
    refuse_unsimulated(call)
    require_one_choice(call.params)
    changed = {**setup, "metadata": dict(setup["metadata"])}
    _apply(call, changed)
    if call.params.get("payment_method"):
        require_not_over(call, setup, "update")
        _attach(call, changed, told_with(call, setup))
        changed["next_action"] = None
    setup.update(changed)
    return setup


@route("POST", "/v1/setup_intents/{id}/cancel")
def cancel(call: Call) -> Json:
    """Stop a SetupIntent that has set up nothing."""
    setup = find_setup(call)
    if setup["status"] == "canceled":
        raise unexpected_state(
            call, setup, "You cannot cancel this SetupIntent because it is already canceled."
        )
    if setup["status"] not in OPEN:
        raise unexpected_state(
            call,
            setup,
            f"You cannot cancel this SetupIntent because it has a status of {setup['status']}. "
            "Only a SetupIntent with one of the following statuses may be canceled: "
            "`requires_payment_method`, `requires_confirmation`, or `requires_action`.",
        )
    setup.update(
        {
            "cancellation_reason": call.params.get("cancellation_reason"),
            "next_action": None,
            "status": "canceled",
        }
    )
    call.world.emit("setup_intent.canceled", setup)
    return setup


route("POST", "/v1/setup_intents/{id}/confirm", publishable=True)(confirm)


def _require_confirming(call: Call) -> None:
    """Refuses a way back in a creation that does not confirm."""
    if "return_url" in call.params and not call.params.get("confirm"):
        raise refused(
            "The parameter `return_url` cannot be passed when creating a SetupIntent unless "
            "`confirm` is set to true.",
            param="return_url",
        )


def _attach(call: Call, setup: Json, told: Json) -> None:
    method = require_payment_method(call.world, call.params["payment_method"])
    require_card(call, setup, method)
    require_usable(method, setup, told)
    setup.update({"payment_method": method["id"], "status": "requires_confirmation"})


def _apply(call: Call, setup: Json) -> None:
    """Write the given parameters into the SetupIntent."""
    params = call.params
    if customer := params.get("customer"):
        setup["customer"] = require_customer(call.world, customer)["id"]
    if "description" in params:
        setup["description"] = unset(params["description"])
    if "metadata" in params:
        setup["metadata"] = merged(setup["metadata"], params["metadata"])
    for name in TYPES:
        if name in params:
            setup[name] = unset(params[name])
            if name == "allowed_payment_method_types":
                setup["automatic_payment_methods"] = None
    card = (params.get("payment_method_options") or {}).get("card") or {}
    setup["payment_method_options"] = {"card": {**setup["payment_method_options"]["card"], **card}}
    setup["payment_method_types"] = require_cards_offered(setup)


def _new_setup(world: World, params: Json) -> Json:
    id = world.mint("seti")
    automatic = params.get("automatic_payment_methods") or {}
    return {
        "id": id,
        "object": "setup_intent",
        "allowed_payment_method_types": None,
        "application": None,
        "automatic_payment_methods": {
            "allow_redirects": automatic.get("allow_redirects", "always"),
            "enabled": automatic.get("enabled", True),
        },
        "cancellation_reason": None,
        "client_secret": f"{id}_secret_{world.token(24)}",
        "created": world.now(),
        "customer": None,
        "customer_account": None,
        "description": None,
        "excluded_payment_method_types": None,
        "flow_directions": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": False,
        "managed_payments": None,
        "mandate": None,
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": dict(CARD_OPTIONS)},
        "payment_method_types": ["card"],
        "single_use_mandate": None,
        "status": "requires_payment_method",
        "usage": params.get("usage", "off_session"),
        "_return_url": None,
    }
