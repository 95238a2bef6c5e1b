"""What an answer that is not a yes means: every failure is exactly one of our errors."""

from typing import Any

import pytest

from payments.errors import (
    CardDeclined,
    NotSent,
    OutcomeUnknown,
    PaymentError,
    SellerCannotReceive,
    StripeMisconfigured,
    StripeRejected,
)
from payments.stripe_answers import BUSY_CODES, OUR_MISTAKES, SELLER_CODES, refusal
from tests.payments.stripe_objects import payment_intent

HEADERS = {"request-id": "req_9"}


def meaning(status: int, error: dict[str, Any], **headers: str) -> PaymentError:
    told = refusal(status, {"error": error}, {**HEADERS, **headers})
    assert getattr(told, "request_id", None) == "req_9"
    return told


@pytest.mark.parametrize(
    ("status", "error", "kind", "word"),
    [
        (429, {"type": "invalid_request_error", "code": "rate_limit"}, NotSent, "rate_limit"),
        (429, {"type": "invalid_request_error", "code": "lock_timeout"}, NotSent, "lock_timeout"),
        (429, {}, NotSent, "http_429"),
        (400, {"code": "rate_limit"}, NotSent, "rate_limit"),
        (409, {"code": "idempotency_key_in_use"}, NotSent, "idempotency_key_in_use"),
        (409, {"type": "idempotency_error"}, NotSent, "http_409"),
        (500, {"type": "api_error"}, OutcomeUnknown, "http_500"),
        (502, {}, OutcomeUnknown, "http_502"),
        (424, {"type": "api_error"}, OutcomeUnknown, "http_424"),
        (302, {}, OutcomeUnknown, "unreadable"),
        (0, {}, OutcomeUnknown, "unreadable"),
        (401, {"type": "invalid_request_error"}, StripeMisconfigured, "invalid_request_error"),
        (403, {"code": "more_permissions_required"}, StripeMisconfigured, None),
        (400, {"type": "idempotency_error"}, StripeMisconfigured, "idempotency_error"),
        (400, {"code": "parameter_unknown"}, StripeMisconfigured, "parameter_unknown"),
        (400, {"code": "livemode_mismatch"}, StripeMisconfigured, "livemode_mismatch"),
        (402, {"type": "card_error", "code": "card_declined"}, CardDeclined, "card_declined"),
        (400, {"type": "card_error", "code": "invalid_number"}, CardDeclined, "invalid_number"),
        (403, {"code": "account_invalid"}, SellerCannotReceive, "account_invalid"),
        (400, {"code": "transfers_not_allowed"}, SellerCannotReceive, "transfers_not_allowed"),
        (
            400,
            {"code": "resource_missing", "param": "transfer_data[destination]"},
            SellerCannotReceive,
            "resource_missing",
        ),
        (404, {"code": "resource_missing", "param": "intent"}, StripeRejected, "resource_missing"),
        (400, {"code": "amount_too_small"}, StripeRejected, "amount_too_small"),
        (400, {"type": "invalid_request_error"}, StripeRejected, "invalid_request_error"),
        (400, {"code": "a_code_of_next_year"}, StripeRejected, "a_code_of_next_year"),
    ],
)
def test_each_answer_is_one_error(
    status: int, error: dict[str, str], kind: type[PaymentError], word: str | None
) -> None:
    told = meaning(status, error)
    assert type(told) is kind
    said = getattr(told, "code", None) or getattr(told, "why", None)
    assert said == (word or error["code"])


@pytest.mark.parametrize("body", [None, "text", [], {}, {"error": None}, {"error": "oauth"}])
def test_a_body_without_an_error_decides_nothing(body: object) -> None:
    """Something between us and Stripe has answered: Stripe may have done it all the same."""
    for status in (400, 401, 402, 403, 404):
        told = refusal(status, body, {})
        assert type(told) is OutcomeUnknown
    assert type(refusal(429, body, {})) is NotSent


def test_a_stored_500_is_told_apart_from_a_fresh_one() -> None:
    fresh, again = meaning(500, {}), meaning(500, {}, **{"idempotent-replayed": "true"})
    assert isinstance(fresh, OutcomeUnknown)
    assert isinstance(again, OutcomeUnknown)
    assert (fresh.replayed, again.replayed) == (False, True)


def test_a_decline_keeps_the_banks_words_and_the_payment_intent() -> None:
    error = {
        "type": "card_error",
        "code": "card_declined",
        "decline_code": "insufficient_funds",
        "advice_code": "try_again_later",
        "message": "Your card has insufficient funds.",
        "payment_intent": payment_intent(),
    }
    told = meaning(402, error)
    assert isinstance(told, CardDeclined)
    assert (told.decline_code, told.advice_code) == ("insufficient_funds", "try_again_later")
    assert told.message == "Your card has insufficient funds."
    assert told.snapshot.id == "pi_1"
    assert told.snapshot.request_id == "req_9"


def test_an_unexpected_state_shows_how_things_stand() -> None:
    intent = payment_intent(status="succeeded", latest_charge="ch_1")
    error = {"code": "payment_intent_unexpected_state", "payment_intent": intent}
    told = meaning(400, error)
    assert isinstance(told, StripeRejected)
    assert (told.snapshot.status, told.snapshot.charge) == ("succeeded", None)
    assert not told.snapshot.complete


def test_a_no_stays_a_no_when_the_object_beside_it_is_unreadable() -> None:
    told = meaning(402, {"type": "card_error", "payment_intent": {"id": 5}})
    assert isinstance(told, CardDeclined)
    assert told.snapshot is None


def test_the_words_do_not_overlap() -> None:
    assert not SELLER_CODES & OUR_MISTAKES
    assert not BUSY_CODES & (SELLER_CODES | OUR_MISTAKES)
