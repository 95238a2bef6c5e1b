"""Customers: the buyers a platform keeps, to whom cards can belong."""

from .errors import Json, StripeError
from .payment_methods import require_payment_method
from .routes import Call, list_of, route
from .saved_cards import keep, kept_by, release, require_attachable, require_customer
from .updates import address, change, merged, require_email, shipping, unset
from .world import public

PLAIN = (
    "address",
    "description",
    "email",
    "name",
    "phone",
    "preferred_locales",
    "shipping",
    "tax_exempt",
)
"""What is kept as it is given; an empty string clears it."""
NOT_SIMULATED = (
    "balance",
    "business_name",
    "cash_balance",
    "default_source",
    "individual_name",
    "invoice_prefix",
    "next_invoice_sequence",
    "source",
    "tax",
    "tax_id_data",
    "test_clock",
)


@route("POST", "/v1/customers")
def create(call: Call) -> Json:
    """A new customer, who may keep a PaymentMethod from the beginning."""
    _require_simulated(call)
    world = call.world
    method: Json | None = None
    if given := call.params.get("payment_method"):
        method = require_payment_method(world, given)
        require_attachable(method)
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
    customer.update(_changes(call, customer, method))
    customer["metadata"] = merged({}, call.params.get("metadata"))
    world.put(customer)
    world.emit("customer.created", customer)
    if method is not None:
        keep(world, method, customer["id"])
    return customer


@route("GET", "/v1/customers/{id}")
def retrieve(call: Call) -> Json:
    """One customer; of one that was deleted, only that it was."""
    return call.world.find("customer", call.args["id"])


@route("POST", "/v1/customers/{id}")
def update(call: Call) -> Json:
    """Change what is given; the event says what it was before."""
    _require_simulated(call)
    customer = require_customer(call.world, call.args["id"], param="id", status=404)
    change(call, customer, _changes(call, customer, None), "customer.updated")
    return customer


@route("DELETE", "/v1/customers/{id}")
def delete(call: Call) -> Json:
    """Forget a customer for good, and take away every PaymentMethod."""
    world = call.world
    customer = require_customer(world, call.args["id"], param="id", status=404)
    for method in kept_by(world, customer["id"]):
        release(world, method)
    gone: Json = {"id": customer["id"], "object": "customer", "deleted": True}
    world.put(gone)
    world.emit("customer.deleted", public(customer))
    return gone


@route("GET", "/v1/customers")
def list_customers(call: Call) -> Json:
    """Customers, newest first, of one e-mail address if asked."""
    filters = {"email": call.params.get("email")}
    living = [c for c in call.world.all("customer") if not c.get("deleted")]
    return list_of(call, living, "/v1/customers", filters=filters)


def _changes(call: Call, customer: Json, coming: Json | None) -> Json:
    """What the call changes; `coming` is the PaymentMethod a new customer is about to keep."""
    params = call.params
    require_email(params, "email")
    changes = {name: unset(params[name]) for name in PLAIN if name in params}
    if params.get("address"):
        changes["address"] = address(params["address"])
    if params.get("shipping"):
        changes["shipping"] = shipping(params["shipping"])
    if "invoice_settings" in params:
        given = {n: unset(value) for n, value in params["invoice_settings"].items()}
        if default := given.get("default_payment_method"):
            given["default_payment_method"] = _kept(call, customer, coming, default)
        changes["invoice_settings"] = {**customer["invoice_settings"], **given}
    return changes


def _kept(call: Call, customer: Json, coming: Json | None, id: str) -> str:
    """The id of a PaymentMethod the customer keeps; 400 for any other."""
    if coming is not None and id in (coming["id"], call.params["payment_method"]):
        return str(coming["id"])
    method = call.world.peek("payment_method", id)
    if method is None or method["customer"] != customer["id"]:
        raise StripeError(
            400,
            f"The customer does not have a payment method with the ID {id}. The payment method "
            "must be attached to the customer.",
            code="resource_missing",
            param="invoice_settings[default_payment_method]",
        )
    return id


def _require_simulated(call: Call) -> None:
    for name in NOT_SIMULATED:
        if name in call.params:
            raise StripeError(
                400, f"The sandbox does not simulate a customer's {name}.", param=name
            )
