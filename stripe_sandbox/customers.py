"""Customers: the buyers a platform keeps, to whom cards can belong."""

from .errors import Json, StripeError
from .routes import Call, list_of, route
from .updates import address, change, merged, require_email, shipping, unset

PLAIN = ("address", "description", "email", "name", "phone", "preferred_locales", "shipping")
"""What is kept as it is given; an empty string clears it."""
NOT_SIMULATED = ("balance", "cash_balance", "source", "tax", "tax_id_data", "test_clock")


@route("POST", "/v1/customers")
def create(call: Call) -> Json:
    """A new customer."""
    _require_simulated(call)
    world = call.world
    customer: Json = {
        "id": world.mint("cus", 14),
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": world.now(),
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": world.token(8).upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }
    customer.update(_changes(call.params))
    customer["metadata"] = merged({}, call.params.get("metadata"))
    world.put(customer)
    world.emit("customer.created", customer)
    return customer


@route("GET", "/v1/customers/{id}")
def retrieve(call: Call) -> Json:
    """One customer."""
    return call.world.find("customer", call.args["id"])


@route("POST", "/v1/customers/{id}")
def update(call: Call) -> Json:
    """Change what is given; the event says what it was before."""
    _require_simulated(call)
    customer = call.world.find("customer", call.args["id"])
    change(call, customer, _changes(call.params), "customer.updated")
    return customer


@route("GET", "/v1/customers")
def list_customers(call: Call) -> Json:
    """Customers, newest first, of one e-mail address if asked."""
    filters = {"email": call.params.get("email")}
    return list_of(call, call.world.all("customer"), "/v1/customers", filters=filters)


def _changes(params: Json) -> Json:
    require_email(params, "email")
    changes = {name: unset(params[name]) for name in PLAIN if name in params}
    if params.get("address"):
        changes["address"] = address(params["address"])
    if params.get("shipping"):
        changes["shipping"] = shipping(params["shipping"])
    return changes


def _require_simulated(call: Call) -> None:
    for name in NOT_SIMULATED:
        if name in call.params:
            raise StripeError(
                400, f"The sandbox does not simulate a customer's {name}.", param=name
            )
