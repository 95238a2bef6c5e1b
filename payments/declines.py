"""The bank's no in our words: a closed list of reasons, each with what the buyer can do. Pure.

Stripe has some eighty codes, and some must never reach the buyer: that a card is reported lost or
stolen, or that a payment looked fraudulent (docs.stripe.com/declines/codes). Those are
`card_declined`, with the very advice of any other plain decline, so that nothing can be told
apart from outside.
"""

from types import MappingProxyType
from typing import Literal, get_args

import msgspec

DeclineReason = Literal[
    "already_paid",
    "authentication_required",
    "card_declined",
    "card_limit_exceeded",
    "card_not_supported",
    "checkout_expired",
    "duplicate_payment",
    "expired_card",
    "incorrect_details",
    "insufficient_funds",
    "payment_method_unavailable",
    "seller_unavailable",
    "try_again",
]
"""Stable: programs may depend on these words. New ones may be added."""

SELLER_UNAVAILABLE: DeclineReason = "seller_unavailable"
"""Stripe's no to the seller's account: nobody's card was asked."""

REASONS: tuple[DeclineReason, ...] = get_args(DeclineReason)


class Advice(msgspec.Struct, frozen=True):
    """What to tell the buyer, and whether the same card is worth another try."""

    reason: DeclineReason
    text: str
    same_card: bool


_ADVICE: dict[DeclineReason, tuple[str, bool]] = {
    "already_paid": ("This order is paid. Nothing more is needed.", False),
    "authentication_required": ("Your bank asks you to confirm this payment. Try again.", True),
    "card_declined": ("Your bank declined the card. Use another card or call your bank.", False),
    "card_limit_exceeded": ("The card's limit is reached. Use another card.", False),
    "card_not_supported": ("This card cannot make this payment. Use another card.", False),
    "checkout_expired": ("This checkout is over. Start again from your order.", True),
    "duplicate_payment": ("The same amount was just paid. Look at your order first.", False),
    "expired_card": ("The card has expired. Check its date or use another card.", False),
    "incorrect_details": ("The card's details do not match. Enter them again.", True),
    "insufficient_funds": ("The card has not enough funds. Use another card.", False),
    "payment_method_unavailable": ("This way to pay is not available. Choose another.", False),
    "seller_unavailable": ("The seller cannot be paid at the moment. Nothing was charged.", True),
    "try_again": ("The bank could not be reached. Try the same card again shortly.", True),
}

_STRIPE_WORDS: dict[DeclineReason, str] = {
    "authentication_required": (
        "authentication_required authentication_not_handled payment_intent_action_required "
        "payment_intent_authentication_failure"
    ),
    "card_limit_exceeded": "card_velocity_exceeded",
    "card_not_supported": (
        "card_not_supported currency_not_supported invalid_amount invalid_card_type"
    ),
    "checkout_expired": "payment_intent_payment_attempt_expired",
    "duplicate_payment": "duplicate_transaction",
    "expired_card": "expired_card invalid_expiry_month invalid_expiry_year",
    "incorrect_details": (
        "incorrect_address incorrect_cvc incorrect_number incorrect_zip invalid_cvc invalid_number"
    ),
    "insufficient_funds": "insufficient_funds withdrawal_count_limit_exceeded",
    "payment_method_unavailable": (
        "payment_intent_incompatible_payment_method payment_method_customer_decline "
        "payment_method_not_available payment_method_provider_decline"
    ),
    "seller_unavailable": (
        "account_closed account_invalid capability_not_active "
        "insufficient_capabilities_for_transfer no_account transfers_not_allowed"
    ),
    "try_again": (
        "approve_with_id issuer_not_available processing_error reenter_transaction try_again_later"
    ),
}
_REASON_OF = MappingProxyType(
    {word: reason for reason, words in _STRIPE_WORDS.items() for word in words.split()}
)

SECRET_DECLINES = frozenset({"fraudulent", "lost_card", "merchant_blacklist", "stolen_card"})
"""Decline codes that the buyer must not learn."""


def reason_of(code: str | None, decline_code: str | None) -> DeclineReason:
    """Our stable reason for Stripe's `code` and `decline_code`.

    What is not known, and what must not be told, is `card_declined`. Stripe's advice code plays no
    part: it differs between a plain decline and a stolen card, and would tell them apart.
    """
    if decline_code in SECRET_DECLINES or code in SECRET_DECLINES:
        return "card_declined"
    known = _REASON_OF.get(decline_code or "") or _REASON_OF.get(code or "")
    return known or "card_declined"


def advice_on(reason: DeclineReason, advice_code: str | None = None) -> Advice:
    """What the buyer can do; with `do_not_try_again` from Stripe never with the same card."""
    text, same_card = _ADVICE[reason]
    return Advice(reason, text, same_card and advice_code != "do_not_try_again")
