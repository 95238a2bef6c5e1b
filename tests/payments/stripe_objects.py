"""Stripe's JSON as its servers send it, cut down to what is read, with more than we know."""

from typing import Any

Json = dict[str, Any]
CREATED = 1_795_262_400  # 2026-11-21 12:00:00 UTC


def payment_intent(**changes: Any) -> Json:
    """A PaymentIntent that waits for a card."""
    return {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 10_000,
        "amount_capturable": 0,
        "amount_received": 0,
        "application_fee_amount": 1_000,
        "cancellation_reason": None,
        "capture_method": "manual",
        "client_secret": "pi_1_secret_hush",
        "created": CREATED,
        "currency": "usd",
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": {"order_id": "ord_1", "payment_id": "pay_1", "operation_id": "op_1"},
        "status": "requires_payment_method",
        "transfer_data": {"destination": "acct_1"},
        "a_field_of_next_year": {"nested": [1, 2]},
        **changes,
    }


def charge(**changes: Any) -> Json:
    """A captured charge, expanded as `stripe_gateway.SHOWN_WHOLE` asks."""
    return {
        "id": "ch_1",
        "object": "charge",
        "amount": 10_000,
        "amount_captured": 10_000,
        "amount_refunded": 0,
        "currency": "usd",
        "application_fee": {
            "id": "fee_1",
            "object": "application_fee",
            "amount": 1_000,
            "amount_refunded": 0,
            "originating_transaction": "ch_1",
        },
        "balance_transaction": movement("charge", amount=10_000, fee=320),
        "captured": True,
        "created": CREATED + 60,
        "payment_method_details": {
            "type": "card",
            "card": {"brand": "visa", "last4": "4242", "capture_before": CREATED + 600_000},
        },
        "refunds": {"object": "list", "data": [], "has_more": False, "url": "/v1/refunds"},
        "status": "succeeded",
        "transfer": "tr_1",
        **changes,
    }


def refund(id: str = "re_1", **changes: Any) -> Json:
    """A card refund that succeeded at once."""
    return {
        "id": id,
        "object": "refund",
        "amount": 1_000,
        "balance_transaction": movement("refund", amount=-1_000),
        "charge": "ch_1",
        "created": CREATED + 120,
        "currency": "usd",
        "metadata": {"refund_id": "rfd_1"},
        "reason": "requested_by_customer",
        "status": "succeeded",
        "transfer_reversal": "trr_1",
        **changes,
    }


def movement(category: str, *, amount: int, fee: int = 0, **changes: Any) -> Json:
    """A balance transaction."""
    return {
        "id": f"txn_{category}",
        "object": "balance_transaction",
        "amount": amount,
        "created": CREATED,
        "currency": "usd",
        "fee": fee,
        "net": amount - fee,
        "reporting_category": category,
        "source": None,
        "type": category,
        **changes,
    }


def page(*items: Json, has_more: bool = False) -> Json:
    """One page of a list."""
    return {"object": "list", "data": list(items), "has_more": has_more, "url": "/v1/things"}
