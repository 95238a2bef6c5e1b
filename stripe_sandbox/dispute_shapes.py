"""What a dispute looks like: every field Stripe answers."""

from .balances import DAY_SECONDS
from .errors import Json
from .world import World

EVIDENCE_DUE_AFTER_DAYS = 9
REASONS = (
    "bank_cannot_process",
    "check_returned",
    "credit_not_processed",
    "customer_initiated",
    "debit_not_authorized",
    "duplicate",
    "fraudulent",
    "general",
    "incorrect_account_details",
    "insufficient_funds",
    "noncompliant",
    "product_not_received",
    "product_unacceptable",
    "subscription_canceled",
    "unrecognized",
)
NETWORK_REASON_CODES = {
    "credit_not_processed": "13.7",
    "duplicate": "12.6.1",
    "fraudulent": "10.4",
    "product_not_received": "13.1",
    "product_unacceptable": "13.3",
    "subscription_canceled": "13.2",
}
"""Visa's, by Stripe's reason. Source: https://docs.stripe.com/disputes/categories."""

TEXTS = (
    "access_activity_log",
    "billing_address",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_tracking_number",
    "uncategorized_text",
)
FILES = (
    "cancellation_policy",
    "customer_communication",
    "customer_signature",
    "duplicate_charge_documentation",
    "receipt",
    "refund_policy",
    "service_documentation",
    "shipping_documentation",
    "uncategorized_file",
)


def new_dispute(
    world: World, charge: Json, amount: int, *, reason: str, inquiry: bool = False
) -> Json:
    """A dispute nobody has answered yet; not kept yet."""
    evidence = dict.fromkeys((*TEXTS, *FILES))
    evidence["customer_email_address"] = charge["billing_details"]["email"]
    evidence["customer_name"] = charge["billing_details"]["name"]
    due = (world.now() // DAY_SECONDS + EVIDENCE_DUE_AFTER_DAYS + 1) * DAY_SECONDS - 1
    dispute: Json = {
        "id": world.mint("du"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": world.now(),
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**evidence, "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": due,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "intended_submission_method": None,
        "is_charge_refundable": inquiry,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "reason": reason,
        "status": "warning_needs_response" if inquiry else "needs_response",
    }
    _describe_card(dispute, charge)
    case_type(dispute, "inquiry" if inquiry else "chargeback")
    return dispute


def _describe_card(dispute: Json, charge: Json) -> None:
    card = charge["payment_method_details"].get("card")
    if card is None:
        return
    code = NETWORK_REASON_CODES.get(dispute["reason"])
    dispute["payment_method_details"] = {
        "card": {
            "brand": card["brand"],
            "case_type": "chargeback",
            "network": card["network"],
            "network_reason_code": code,
        },
        "type": "card",
    }


def case_type(dispute: Json, case: str) -> None:
    """Say whether the bank asks (`inquiry`) or takes (`chargeback`)."""
    if "payment_method_details" in dispute:
        dispute["payment_method_details"]["card"]["case_type"] = case
