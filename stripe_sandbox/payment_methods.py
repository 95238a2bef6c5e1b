"""PaymentMethods made of test cards and test bank accounts."""

from datetime import UTC, datetime

from .bank_debits import ROUTING_NUMBER, BankDebit, debit_of_fingerprint, debit_of_token
from .cards import Card, card_of_fingerprint, card_of_number, card_of_token
from .errors import Json, StripeError, missing_resource, refused
from .routes import Call, route
from .updates import address, unset
from .world import World

Instrument = Card | BankDebit

COUNTRY = "US"
EXPIRY_MONTH = 12
VALID_YEARS = 3


@route("POST", "/v1/payment_methods", publishable=True, for_accounts=True)
def create(call: Call) -> Json:
    """Make a PaymentMethod of a test card: `card[token]=tok_visa`, or from a browser its number."""
    if call.params.get("type") != "card":
        raise refused("The sandbox makes PaymentMethods of cards only.", param="type")
    card = _given_card(call)
    method = new_payment_method(call.world, card, account=call.account)
    method["billing_details"] = billed(method["billing_details"], call.params)
    method["allow_redisplay"] = call.params.get("allow_redisplay", "unspecified")
    method["metadata"] = call.params.get("metadata") or {}
    return method


def billed(kept: Json, params: Json) -> Json:
    """Billing details after a request: what it gives replaces what was kept."""
    given = {name: unset(value) for name, value in (params.get("billing_details") or {}).items()}
    if given.get("address"):
        given["address"] = address(given["address"])
    return {**kept, **given}


def _given_card(call: Call) -> Card:
    given = call.params.get("card") or {}
    number, token = given.get("number"), given.get("token", "")
    if number and not call.publishable:
        raise refused(
            "Sending credit card numbers directly to the Stripe API is generally unsafe. To test "
            "in your Stripe account, use a test token such as tok_visa.",
            param="card[number]",
        )
    card = card_of_number(number) if number else card_of_token(token.replace("tok_", "pm_card_", 1))
    if card is None:
        raise StripeError(
            402,
            "Your card number is incorrect.",
            code="incorrect_number",
            param="number",
        )
    return card


@route("GET", "/v1/payment_methods/{id}")
def retrieve(call: Call) -> Json:
    return find_payment_method(call)


def find_payment_method(call: Call) -> Json:
    """The PaymentMethod of the path, whichever Customer keeps it, or `resource_missing`."""
    id = call.args["id"]
    kept = call.world.all("payment_method", account=call.account)
    found = next((method for method in kept if method["id"] == id), None)
    if found is None:
        raise missing_resource("PaymentMethod", id, param="payment_method")
    return found


def new_payment_method(world: World, instrument: Instrument, *, account: str | None = None) -> Json:
    """Keep a new PaymentMethod of the card or bank account."""
    if isinstance(instrument, Card):
        own = {"card": _card(world, instrument), "type": "card"}
    else:
        own = {"us_bank_account": _bank_account(instrument), "type": "us_bank_account"}
    return world.put(
        {
            "id": world.mint("pm"),
            "object": "payment_method",
            "allow_redisplay": "unspecified",
            "billing_details": billing_details(),
            "created": world.now(),
            "customer": None,
            "customer_account": None,
            "livemode": False,
            "metadata": {},
            **own,
            "_set_up": False,  # for payments without the buyer
            "_spent": False,  # it belonged to nobody and was used, or was detached
        },
        account=account,
    )


def require_payment_method(world: World, id: str, *, status: int = 400) -> Json:
    """The PaymentMethod of an id, or a new one for a test token such as `pm_card_visa`.

    Raises `resource_missing` (param `payment_method`) for anything else.
    """
    instrument = card_of_token(id) or debit_of_token(id)
    if instrument is not None:
        return new_payment_method(world, instrument)
    found = world.peek("payment_method", id)
    if found is None:
        raise missing_resource("PaymentMethod", id, param="payment_method", status=status)
    return found


def card_behind(method: Json) -> Card:
    """The test card a PaymentMethod was made of."""
    return card_of_fingerprint(method["card"]["fingerprint"])


def instrument_behind(method: Json) -> Instrument:
    """The test card or bank account a PaymentMethod was made of."""
    if method["type"] == "card":
        return card_behind(method)
    return debit_of_fingerprint(method["us_bank_account"]["fingerprint"])


def billing_details() -> Json:
    return {"address": None, "email": None, "name": None, "phone": None, "tax_id": None}


def _card(world: World, card: Card) -> Json:
    return {
        "brand": card.brand,
        "checks": checks("unchecked"),
        "country": COUNTRY,
        "display_brand": card.brand,
        "exp_month": EXPIRY_MONTH,
        "exp_year": datetime.fromtimestamp(world.now(), UTC).year + VALID_YEARS,
        "fingerprint": card.fingerprint,
        "funding": "credit",
        "generated_from": None,
        "last4": card.last4,
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


def _bank_account(debit: BankDebit) -> Json:
    return {
        "account_holder_type": "individual",
        "account_type": "checking",
        "bank_name": "STRIPE TEST BANK",
        "financial_connections_account": None,
        "fingerprint": debit.fingerprint,
        "last4": debit.last4,
        "networks": {"preferred": "ach", "supported": ["ach"]},
        "routing_number": ROUTING_NUMBER,
        "status_details": None,
    }


def checks(cvc: str) -> Json:
    return {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": cvc}
