"""Charges: one attempt of a PaymentIntent to take money from a card or bank account."""

from . import balances, schedule
from .cards import Decline
from .charge_shapes import approved, card_details, debit_details, declined, empty_charge
from .errors import Json, refused
from .expansion import register_expandable
from .parts import list_inside
from .payment_methods import Instrument, checks, instrument_behind
from .routes import Call, list_of, route
from .saved_cards import require_customer
from .updates import change, require_email, shipping, unset
from .world import World, public

HOLD_SECONDS = 7 * 86_400
"""How long a card's authorization lasts; told as `capture_before`."""
VISA_OFF_SESSION_HOLD_SECONDS = 4 * 86_400 + 18 * 3_600
"""How long Visa's lasts when the buyer was not there (a merchant-initiated transaction)."""

DETAILS_COPIED = (
    "application_fee_amount",
    "currency",
    "customer",
    "description",
    "on_behalf_of",
    "receipt_email",
    "shipping",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_group",
)


def authorize(world: World, intent: Json, method: Json, *, capture: bool, challenged: bool) -> Json:
    """Keep the charge of an approved card: captured in full, or not at all."""
    charge = _new_charge(world, intent, method, challenged=challenged)
    amount = charge["amount"]
    charge.update(
        {
            "captured": capture,
            "amount_captured": amount if capture else 0,
            "outcome": approved(),
            "paid": True,
            "status": "succeeded",
        }
    )
    card = charge["payment_method_details"]["card"]
    card["amount_authorized"] = amount
    card["authorization_code"] = world.token(6).upper()
    return charge


def hold(world: World, charge: Json, *, off_session: bool) -> None:
    """Say until when the approved money can be captured; then the hold expires."""
    card = charge["payment_method_details"]["card"]
    short = off_session and card["brand"] == "visa"
    card["capture_before"] = world.now() + (
        VISA_OFF_SESSION_HOLD_SECONDS if short else HOLD_SECONDS
    )
    schedule.at(world, card["capture_before"], "hold_expires", charge["payment_intent"])


def submit(world: World, intent: Json, method: Json) -> Json:
    """Keep the pending charge of a bank debit; its bank decides later."""
    charge = _new_charge(world, intent, method)
    charge.update({"amount_captured": charge["amount"], "captured": True, "status": "pending"})
    return charge


def decline(world: World, intent: Json, method: Json, reason: Decline, *, challenged: bool) -> Json:
    """Keep the failed charge of a card that was declined."""
    charge = _new_charge(world, intent, method, challenged=challenged)
    charge.update(
        {
            "failure_code": reason.code,
            "failure_message": reason.message,
            "outcome": declined(reason),
        }
    )
    card = charge["payment_method_details"]["card"]
    card["checks"] = checks(reason.cvc_check)
    return charge


def book_capture(world: World, charge: Json) -> None:
    """Book what a capture brings the platform; a part left uncaptured goes back at once.

    Stripe books the whole authorization as `charge` and the rest as `refund` of category
    `partial_capture_reversal`, whose refund object counts into `amount_refunded`.
    """
    captured, amount = charge["amount_captured"], charge["amount"]
    by_card = charge["payment_method_details"]["type"] == "card"
    fee = balances.processing_fee(captured) if by_card else balances.debit_fee(captured)
    transaction = balances.book(
        world,
        "charge" if by_card else "payment",
        amount,
        charge["currency"],
        charge["id"],
        fees=(fee,),
        available_on=funds_available_on(world, charge),
        description=charge["description"],
    )
    charge["balance_transaction"] = transaction["id"]
    if captured < amount:
        rest = release_hold(world, charge, amount - captured, reason=None)
        rest["balance_transaction"] = balances.book(
            world,
            "refund",
            captured - amount,
            charge["currency"],
            rest["id"],
            category="partial_capture_reversal",
            available_on=transaction["available_on"],
        )["id"]


def release_hold(world: World, charge: Json, amount: int, *, reason: str | None) -> Json:
    """Give back an authorized amount that is not captured, as the refund Stripe makes of it."""
    refund = new_refund(world, charge, amount, reason=reason)
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    return refund


def new_refund(world: World, charge: Json, amount: int, *, reason: str | None = None) -> Json:
    """Keep a succeeded refund of the charge that has moved nothing yet."""
    refund = world.put(
        {
            "id": world.mint("re" if charge["id"].startswith("ch_") else "pyr"),
            "object": "refund",
            "amount": amount,
            "balance_transaction": None,
            "charge": charge["id"],
            "created": world.now(),
            "currency": charge["currency"],
            "customer": charge["customer"],
            "customer_account": None,
            "metadata": {},
            "payment_intent": charge["payment_intent"],
            "payment_method": charge["payment_method"],
            "reason": reason,
            "receipt_number": None,
            "source_transfer_reversal": None,
            "status": "succeeded",
            "transfer_reversal": None,
        }
    )
    charge["_refunds"].append(refund["id"])
    return refund


def funds_available_on(world: World, charge: Json) -> int:
    """When the money of a charge becomes available, unix seconds."""
    if instrument_of(world, charge).available_at_once:
        return world.now()
    return world.now() + balances.AVAILABLE_AFTER_SECONDS


def instrument_of(world: World, charge: Json) -> Instrument:
    """The test card or bank account that was charged."""
    return instrument_behind(world.find("payment_method", charge["payment_method"]))


def _new_charge(world: World, intent: Json, method: Json, *, challenged: bool = False) -> Json:
    by_card = method["type"] == "card"
    charge = empty_charge(world, "ch" if by_card else "py", intent["amount"], intent["currency"])
    charge.update({name: public(intent[name]) for name in DETAILS_COPIED})
    charge.update(
        {
            "billing_details": public(method["billing_details"]),
            "metadata": public(intent["metadata"]),
            "payment_intent": intent["id"],
            "payment_method": method["id"],
            "payment_method_details": {
                method["type"]: card_details(world, intent, method, challenged=challenged)
                if by_card
                else debit_details(method),
                "type": method["type"],
            },
            "transfer_data": _transfer_data(intent),
        }
    )
    return world.put(charge)


def _transfer_data(intent: Json) -> Json | None:
    data = intent["transfer_data"]
    return data and {"amount": data.get("amount"), "destination": data["destination"]}


# --------------------------------------------------------------------------------- the routes


@route("GET", "/v1/charges", for_accounts=True)
def list_charges(call: Call) -> Json:
    filters = {n: call.params.get(n) for n in ("payment_intent", "customer", "transfer_group")}
    kept = call.world.all("charge", account=call.account)
    return list_of(call, kept, "/v1/charges", filters=filters)


@route("GET", "/v1/charges/{id}", for_accounts=True)
def retrieve(call: Call) -> Json:
    return call.world.find("charge", call.args["id"], account=call.account)


UPDATABLE = ("customer", "description", "receipt_email", "transfer_group")
ONCE = ("customer", "transfer_group")


@route("POST", "/v1/charges/{id}", for_accounts=True)
def update(call: Call) -> Json:
    """Change what is said about a charge (a tracking number, for example), never its money."""
    charge, params = call.world.find("charge", call.args["id"], account=call.account), call.params
    require_email(params, "receipt_email")
    for name in ONCE:
        if name in params and charge[name] not in (None, params[name]):
            raise refused(f"You cannot change the {name} of a charge once it is set.", param=name)
    if "customer" in params:
        require_customer(call.world, params["customer"])
    changes = {n: unset(params[n]) for n in UPDATABLE if n in params}
    if "fraud_details" in params:
        report = unset(params["fraud_details"]["user_report"])
        changes["fraud_details"] = {"user_report": report} if report else {}
    if "shipping" in params:
        changes["shipping"] = shipping(params["shipping"], charge["shipping"])
    change(call, charge, changes, "charge.updated")
    return charge


def _refunds_of(world: World, charge: Json) -> Json:
    kept = world.peek("charge", charge["id"]) or charge
    return list_inside(world, "refund", kept["_refunds"], f"/v1/charges/{charge['id']}/refunds")


register_expandable("charge", "refunds", _refunds_of)
