"""A PaymentIntent's drafts as Stripe's parameters: pure. Every parameter Stripe would default is said."""

from typing import Any

import msgspec

from payments.gateway import CaptureDraft, ConfirmDraft, IntentDraft, Shipping, UpdateDraft

SHOWN_WHOLE = (
    "latest_charge.balance_transaction",
    "latest_charge.application_fee",
    "latest_charge.refunds.data.balance_transaction",
    "latest_charge.refunds.data.transfer_reversal",
)
"""What to expand of a PaymentIntent; Stripe expands four levels at most."""


KEPT_FOR = "on_session"
"""What a card is kept for: its owner is there whenever it pays."""


def creating(draft: IntentDraft) -> dict[str, Any]:
    """A destination charge without a payment method."""
    about = {"order_id": draft.order_id, "payment_id": draft.payment_id}
    return {
        "amount": draft.amount,
        "currency": draft.currency,
        # Cards and what behaves like them: nothing that would send the buyer's browser away.
        "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        "capture_method": draft.capture_method,
        # Left out rather than zero: the parameter asks for a fee.
        "application_fee_amount": draft.application_fee or None,
        "transfer_data": {"destination": draft.destination, "metadata": about},
        "transfer_group": f"order_{draft.order_id}",
        "receipt_email": draft.receipt_email,
        "description": draft.description,
        "customer": draft.customer_id,
        "setup_future_usage": KEPT_FOR if draft.save_card and draft.customer_id else None,
        "shipping": _shipping(draft.shipping),
        "metadata": {
            **about,
            "seller_id": draft.seller_id,
            "operation_id": draft.operation_id,
            "generation": str(draft.generation),
        },
    }


def updating(draft: UpdateDraft) -> dict[str, Any]:
    """Another amount and its fee, always together. An empty fee takes the earlier one away."""
    return {
        "amount": draft.amount,
        "application_fee_amount": draft.application_fee or "",
        "shipping": _shipping(draft.shipping),
        "metadata": {"cart_version": str(draft.version)},
        "expand": SHOWN_WHOLE,
    }


def confirming(draft: ConfirmDraft) -> dict[str, Any]:
    """An attempt with a saved card. What Stripe charges is the amount the buyer was shown, or nothing."""
    return {
        "payment_method": draft.payment_method_id,
        "amount_to_confirm": draft.amount,
        "off_session": False,
        "use_stripe_sdk": True,
        "return_url": draft.return_url,
        "expand": SHOWN_WHOLE,
    }


def capturing(draft: CaptureDraft) -> dict[str, Any]:
    """The one final capture, with its fee."""
    asks_fee = draft.asks_fee or draft.application_fee > 0
    return {
        "amount_to_capture": draft.amount,
        "application_fee_amount": draft.application_fee if asks_fee else None,
        "final_capture": True,
        "expand": SHOWN_WHOLE,
    }


def _shipping(shipping: Shipping | None) -> dict[str, Any] | None:
    """Without what is not known: Stripe refuses empty strings."""
    if shipping is None:
        return None
    told: dict[str, Any] = msgspec.to_builtins(shipping)
    address = {name: said for name, said in told["address"].items() if said is not None}
    return {name: said for name, said in (told | {"address": address}).items() if said is not None}
