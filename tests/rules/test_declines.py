"""What a buyer is told when the bank says no, and what a buyer is never told."""

import pytest

from payments.declines import REASONS, SECRET_DECLINES, DeclineReason, advice_on, reason_of


@pytest.mark.parametrize(
    ("code", "decline_code", "reason"),
    [
        ("card_declined", "generic_decline", "card_declined"),
        ("card_declined", "do_not_honor", "card_declined"),
        ("card_declined", "pickup_card", "card_declined"),
        ("card_declined", "insufficient_funds", "insufficient_funds"),
        ("card_declined", "withdrawal_count_limit_exceeded", "insufficient_funds"),
        ("card_declined", "card_velocity_exceeded", "card_limit_exceeded"),
        ("card_declined", "authentication_required", "authentication_required"),
        ("authentication_required", None, "authentication_required"),
        ("payment_intent_authentication_failure", None, "authentication_required"),
        ("expired_card", "expired_card", "expired_card"),
        ("invalid_expiry_year", None, "expired_card"),
        ("incorrect_cvc", "incorrect_cvc", "incorrect_details"),
        ("incorrect_zip", None, "incorrect_details"),
        ("card_declined", "currency_not_supported", "card_not_supported"),
        ("card_declined", "duplicate_transaction", "duplicate_payment"),
        ("processing_error", "processing_error", "try_again"),
        ("card_declined", "issuer_not_available", "try_again"),
        ("payment_method_provider_decline", None, "payment_method_unavailable"),
        ("payment_intent_payment_attempt_expired", None, "checkout_expired"),
        ("insufficient_capabilities_for_transfer", None, "seller_unavailable"),
        ("a_code_of_next_year", "a_decline_of_next_year", "card_declined"),
        (None, None, "card_declined"),
    ],
)
def test_stripes_codes_become_our_stable_reasons(
    code: str | None, decline_code: str | None, reason: DeclineReason
) -> None:
    assert reason_of(code, decline_code) == reason


@pytest.mark.parametrize("secret", sorted(SECRET_DECLINES))
@pytest.mark.parametrize("advice_code", [None, "do_not_try_again", "try_again_later"])
def test_lost_stolen_and_fraudulent_look_like_any_decline(
    secret: str, advice_code: str | None
) -> None:
    plain = advice_on(reason_of("card_declined", "generic_decline"), "try_again_later")
    assert advice_on(reason_of("card_declined", secret), advice_code) == plain
    assert advice_on(reason_of(secret, None), advice_code) == plain


def test_no_text_gives_a_secret_away() -> None:
    for reason in REASONS:
        text = advice_on(reason).text.lower()
        assert not any(word in text for word in ("lost", "stolen", "fraud", "blacklist", "radar"))


def test_every_reason_has_advice_of_its_own() -> None:
    texts = {advice_on(reason).text for reason in REASONS}
    assert len(texts) == len(REASONS)
    assert [advice_on(reason).reason for reason in REASONS] == list(REASONS)


def test_the_same_card_is_worth_another_try_only_when_the_bank_may_change_its_mind() -> None:
    worth = {reason for reason in REASONS if advice_on(reason).same_card}
    assert worth == {
        "authentication_required",
        "checkout_expired",
        "incorrect_details",
        "seller_unavailable",
        "try_again",
    }
    assert not advice_on("try_again", "do_not_try_again").same_card
