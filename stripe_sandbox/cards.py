"""Stripe's test cards: what each of them does when it is charged.

A card is named by its PaymentMethod token (`pm_card_visa`) or number, and lives on in a
PaymentMethod through its fingerprint, as a real card number does. Only cards are simulated.
Source: https://docs.stripe.com/testing (October 2026).
"""

import hashlib
from dataclasses import dataclass
from typing import Literal

from .errors import DOCUMENTATION, Json, StripeError

GENERIC_MESSAGE = "Your card was declined."


@dataclass(frozen=True, slots=True)
class Decline:
    """The bank's no, with every code Stripe tells about it."""

    code: str = "card_declined"
    decline_code: str | None = "generic_decline"
    message: str = GENERIC_MESSAGE
    advice_code: str = "try_again_later"
    network_decline_code: str = "01"
    network_advice_code: str = "02"
    cvc_check: str = "pass"
    param: str | None = None

    def told(self) -> Json:
        """The error as a PaymentIntent, a SetupIntent or an answer carries it."""
        error: Json = {
            "advice_code": self.advice_code,
            "code": self.code,
            "decline_code": self.decline_code,
            "doc_url": f"{DOCUMENTATION}/{self.code.replace('_', '-')}",
            "message": self.message,
            "network_advice_code": self.network_advice_code,
            "network_decline_code": self.network_decline_code,
            "type": "card_error",
        }
        if self.param is not None:
            error["param"] = self.param
        return error


def decline_error(told: Json, extra: Json) -> StripeError:
    """The 402 of a decline that was told, with the objects Stripe puts beside it."""
    told = dict(told)
    return StripeError(
        402,
        told.pop("message"),
        type=told.pop("type"),
        code=told.pop("code"),
        extra={**told, **extra},
    )


Aftermath = Literal["dispute", "dispute_not_received", "inquiry", "fraud_warning"] | None
"""What follows a payment by itself."""


@dataclass(frozen=True, slots=True)
class Card:
    """One test card.

    `challenge`: 3-D Secure is asked for when the buyer is present; `off_session` tells what
    happens when the buyer is not. `decline` is the bank's answer after any challenge, to a
    payment and to being saved, unless it `declines_only_payments`.
    `refund` is the fate of its refunds; `available_at_once` skips the pending balance.
    `aftermath` is what follows its payments.
    """

    token: str
    number: str
    brand: str = "visa"
    decline: Decline | None = None
    challenge: bool = False
    off_session: Literal["succeeds", "needs_setup", "needs_authentication"] = "needs_authentication"
    declines_only_payments: bool = False
    refund: Literal["succeeds", "pending", "fails"] = "succeeds"
    available_at_once: bool = False
    aftermath: Aftermath = None

    @property
    def last4(self) -> str:
        return self.number[-4:]

    @property
    def fingerprint(self) -> str:
        """The same for the same number, everywhere and always."""
        return hashlib.sha256(self.number.encode()).hexdigest()[:16]

    @property
    def setup_decline(self) -> Decline | None:
        """The bank's answer to saving the card, after any challenge."""
        return None if self.declines_only_payments else self.decline

    def wants_buyer(self, *, set_up: bool, off_session: bool) -> bool:
        """Whether the bank asks for 3-D Secure; `set_up` says that it was passed for later use."""
        if not self.challenge or not off_session:
            return self.challenge
        if self.off_session == "needs_setup":
            return not set_up
        return self.off_session == "needs_authentication"


INSUFFICIENT_FUNDS = Decline(
    decline_code="insufficient_funds",
    message="Your card has insufficient funds.",
    network_decline_code="51",
)
LOST_CARD = Decline(
    decline_code="lost_card",
    advice_code="do_not_try_again",
    network_decline_code="41",
    network_advice_code="03",
)
STOLEN_CARD = Decline(
    decline_code="stolen_card",
    advice_code="do_not_try_again",
    network_decline_code="43",
    network_advice_code="03",
)
EXPIRED_CARD = Decline(
    code="expired_card",
    decline_code="expired_card",
    message="Your card has expired.",
    advice_code="do_not_try_again",
    network_decline_code="54",
    network_advice_code="01",
    param="exp_month",
)
INCORRECT_CVC = Decline(
    code="incorrect_cvc",
    decline_code="incorrect_cvc",
    message="Your card's security code is incorrect.",
    advice_code="confirm_card_data",
    network_decline_code="82",
    network_advice_code="01",
    cvc_check="fail",
    param="cvc",
)
PROCESSING_ERROR = Decline(
    code="processing_error",
    decline_code="processing_error",
    message="An error occurred while processing your card. Try again in a little bit.",
    network_decline_code="96",
)
VELOCITY_EXCEEDED = Decline(
    decline_code="card_velocity_exceeded",
    message="Your card was declined for making repeated attempts too frequently "
    "or exceeding its amount limit.",
    network_decline_code="65",
)
AUTHENTICATION_REQUIRED = Decline(
    code="authentication_required",
    decline_code="authentication_required",
    message="Your card was declined. This transaction requires authentication.",
    advice_code="confirm_card_data",
    network_decline_code="1A",
    network_advice_code="01",
)
DECLINED = Decline()

CARDS: tuple[Card, ...] = (
    Card("pm_card_visa", "4242424242424242"),
    Card("pm_card_visa_debit", "4000056655665556"),
    Card("pm_card_mastercard", "5555555555554444", "mastercard"),
    Card("pm_card_amex", "378282246310005", "amex"),
    Card("pm_card_discover", "6011111111111117", "discover"),
    Card("pm_card_bypassPending", "4000000000000077", available_at_once=True),
    Card("pm_card_visa_chargeDeclined", "4000000000000002", decline=DECLINED),
    Card(
        "pm_card_visa_chargeDeclinedInsufficientFunds",
        "4000000000009995",
        decline=INSUFFICIENT_FUNDS,
    ),
    Card("pm_card_visa_chargeDeclinedLostCard", "4000000000009987", decline=LOST_CARD),
    Card("pm_card_visa_chargeDeclinedStolenCard", "4000000000009979", decline=STOLEN_CARD),
    Card("pm_card_chargeDeclinedExpiredCard", "4000000000000069", decline=EXPIRED_CARD),
    Card("pm_card_chargeDeclinedIncorrectCvc", "4000000000000127", decline=INCORRECT_CVC),
    Card("pm_card_chargeDeclinedProcessingError", "4000000000000119", decline=PROCESSING_ERROR),
    Card(
        "pm_card_visa_chargeDeclinedVelocityLimitExceeded",
        "4000000000006975",
        decline=VELOCITY_EXCEEDED,
    ),
    Card(
        "pm_card_chargeCustomerFail",
        "4000000000000341",
        decline=DECLINED,
        declines_only_payments=True,
    ),
    Card("pm_card_authenticationRequired", "4000002760003184", challenge=True),
    Card(
        "pm_card_authenticationRequiredOnSetup",
        "4000002500003155",
        challenge=True,
        off_session="needs_setup",
    ),
    Card(
        "pm_card_authenticationRequiredSetupForOffSession",
        "4000003800000446",
        challenge=True,
        off_session="succeeds",
    ),
    Card(
        "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds",
        "4000008260003178",
        challenge=True,
        off_session="needs_setup",
        decline=INSUFFICIENT_FUNDS,
        declines_only_payments=True,
    ),
    Card("pm_card_threeDSecure2Required", "4000000000003220", challenge=True),
    Card(
        "pm_card_threeDSecureRequiredChargeDeclined",
        "4000008400001629",
        challenge=True,
        decline=DECLINED,
    ),
    # The look-up of 3-D Secure itself fails, so there is no challenge, only a decline.
    Card("pm_card_threeDSecureRequiredProcessingError", "4000008400001280", decline=DECLINED),
    Card("pm_card_pendingRefund", "4000000000007726", refund="pending"),
    Card("pm_card_refundFail", "4000000000005126", refund="fails"),
    Card("pm_card_createDispute", "4000000000000259", aftermath="dispute"),
    Card(
        "pm_card_createDisputeProductNotReceived",
        "4000000000002685",
        aftermath="dispute_not_received",
    ),
    Card("pm_card_createDisputeInquiry", "4000000000001976", aftermath="inquiry"),
    Card("pm_card_createIssuerFraudRecord", "4000000000005423", aftermath="fraud_warning"),
)

ALIASES = {
    "pm_card_chargeDeclined": "pm_card_visa_chargeDeclined",
    "pm_card_chargeDeclinedInsufficientFunds": "pm_card_visa_chargeDeclinedInsufficientFunds",
    "pm_card_chargeDeclinedLostCard": "pm_card_visa_chargeDeclinedLostCard",
    "pm_card_chargeDeclinedStolenCard": "pm_card_visa_chargeDeclinedStolenCard",
    "pm_card_visa_chargeDeclinedExpiredCard": "pm_card_chargeDeclinedExpiredCard",
    "pm_card_visa_chargeDeclinedIncorrectCvc": "pm_card_chargeDeclinedIncorrectCvc",
    "pm_card_visa_chargeDeclinedProcessingError": "pm_card_chargeDeclinedProcessingError",
    "pm_card_threeDSecureRequired": "pm_card_threeDSecure2Required",
    "pm_card_threeDSecure2RequiredChargeDeclined": "pm_card_threeDSecureRequiredChargeDeclined",
    "pm_card_threeDSecure2RequiredProcessingError": "pm_card_threeDSecureRequiredProcessingError",
}
"""Older or alternative spellings of the same card."""

_BY_TOKEN = {card.token: card for card in CARDS}
_BY_NUMBER = {card.number: card for card in CARDS}
_BY_FINGERPRINT = {card.fingerprint: card for card in CARDS}


def card_of_token(token: str) -> Card | None:
    """The card of `pm_card_...`, or None."""
    return _BY_TOKEN.get(ALIASES.get(token, token))


def card_of_number(number: str) -> Card | None:
    """The card of a test number, spaces allowed, or None."""
    return _BY_NUMBER.get(number.replace(" ", ""))


def card_of_fingerprint(fingerprint: str) -> Card:
    """The card behind a PaymentMethod this sandbox made. Raises `KeyError` for another."""
    return _BY_FINGERPRINT[fingerprint]
