"""What a charge looks like: every field Stripe answers, in each of its outcomes."""

from .cards import Decline
from .errors import Json
from .payment_methods import billing_details, checks
from .world import World


def empty_charge(world: World, prefix: str, amount: int, currency: str) -> Json:
    """A charge that has not succeeded yet, with every field Stripe answers; not kept yet."""
    return {
        "id": world.mint(prefix),
        "object": "charge",
        "amount": amount,
        "amount_captured": 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": billing_details(),
        "calculated_statement_descriptor": "SANDBOX",
        "captured": False,
        "created": world.now(),
        "currency": currency,
        "customer": None,
        "description": None,
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        "metadata": {},
        "on_behalf_of": None,
        "outcome": None,
        "paid": False,
        "payment_intent": None,
        "payment_method": None,
        "payment_method_details": None,
        "receipt_email": None,
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": None,
        "source": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "failed",
        "transfer_data": None,
        "transfer_group": None,
        "_refunds": [],
    }


def card_details(world: World, intent: Json, method: Json, *, challenged: bool) -> Json:
    """How the card was charged; `capture_before` and the codes of approval come with approval."""
    kept = method["card"]
    unavailable = {"status": "unavailable"}
    return {
        "amount_authorized": None,
        "authorization_code": None,
        "brand": kept["brand"],
        "checks": checks("pass"),
        "country": kept["country"],
        "electronic_commerce_indicator": "05" if challenged else None,
        "exp_month": kept["exp_month"],
        "exp_year": kept["exp_year"],
        "extended_authorization": {"status": "disabled"},
        "fingerprint": kept["fingerprint"],
        "funding": kept["funding"],
        "incremental_authorization": unavailable,
        "installments": None,
        "last4": kept["last4"],
        "mandate": None,
        "multicapture": unavailable,
        "network": kept["brand"],
        "network_token": {"used": False},
        "network_transaction_id": world.token(15).upper(),
        "overcapture": {"maximum_amount_capturable": intent["amount"], **unavailable},
        "regulated_status": kept["regulated_status"],
        "three_d_secure": authenticated() if challenged else None,
        "transaction_link_id": None,
        "wallet": None,
    }


def debit_details(method: Json) -> Json:
    """How the bank account was charged."""
    names = ("account_holder_type", "account_type", "bank_name", "fingerprint", "last4")
    kept = method["us_bank_account"]
    return {
        **{name: kept[name] for name in names},
        "payment_reference": None,
        "routing_number": kept["routing_number"],
    }


def authenticated() -> Json:
    """What a passed challenge leaves in the details of a card."""
    return {
        "authentication_flow": "challenge",
        "electronic_commerce_indicator": "05",
        "exemption_indicator": None,
        "result": "authenticated",
        "result_reason": None,
        "transaction_id": None,
        "version": "2.2.0",
    }


def approved() -> Json:
    """The outcome of a charge the bank said yes to."""
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "approved_by_network",
        "reason": None,
        "risk_level": "normal",
        "risk_score": 20,
        "seller_message": "Payment complete.",
        "type": "authorized",
    }


def declined(reason: Decline) -> Json:
    """The outcome of a charge the bank said no to."""
    return {
        "advice_code": reason.advice_code,
        "network_advice_code": reason.network_advice_code,
        "network_decline_code": reason.network_decline_code,
        "network_status": "declined_by_network",
        "reason": reason.decline_code,
        "risk_level": "normal",
        "risk_score": 20,
        "seller_message": f"The bank returned the decline code `{reason.decline_code}`.",
        "type": "issuer_declined",
    }
