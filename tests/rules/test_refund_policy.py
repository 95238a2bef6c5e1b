"""Who bears a refund: exact to the unit over any sequence, whatever order it comes in and whatever fails."""

import random

import pytest

from payments.currencies import CURRENCIES
from payments.money import whole_share
from payments.refund_policy import RefundPolicy, Shares, Standing, fee_due, shares

RETURN, KEEP = RefundPolicy(), RefundPolicy(fee="keep")
PLATFORM = RefundPolicy(bearer="platform", fee="keep")


def standing(captured: int, fee: int, **changes: object) -> Standing:
    facts: dict[str, object] = {
        "currency": "eur",
        "captured": captured,
        "fee": fee,
        "counted": 0,
        "given": 0,
        "fee_left": fee,
        "transfer_left": captured,
        "transferred": True,
        "undisturbed": True,
    }
    return Standing(**(facts | changes))  # type: ignore[arg-type]


def test_any_sequence_of_partial_refunds_returns_the_fee_exactly() -> None:
    """dokan 3324, laravel-cashier 29: fee and seller's share were rounded apart, and drifted."""
    dice = random.Random(20_261_121)
    refunds = 0
    while refunds < 100_000:
        currency = dice.choice(("eur", "jpy", "kwd", "isk"))
        step = CURRENCIES[currency].step
        captured = dice.choice((dice.randint(1, 99), dice.randint(50, 10**6), 10**10 - 1)) * step
        fee = dice.randint(0, captured // step) * step
        counted = given = 0
        while counted < captured:
            amount = dice.randint(1, (captured - counted) // step) * step
            before = Standing(
                currency=currency,
                captured=captured,
                fee=fee,
                counted=counted,
                given=given,
                fee_left=fee - given,
                transfer_left=captured - counted,
                transferred=True,
                undisturbed=True,
            )
            due = fee_due(amount, before)
            counted, given, refunds = counted + amount, given + due, refunds + 1
            exact = whole_share(fee, counted, captured, currency)
            if not 0 <= due <= amount or due % step or given != exact:
                pytest.fail(f"{amount} of {captured} with a fee of {fee} after {before}")
        assert given == fee


def test_stripes_own_proportion_is_asked_for_only_where_it_cannot_differ() -> None:
    """Over every small charge: with every way of rounding, Stripe's part is the part we count on."""
    for captured in range(1, 40):
        for fee in range(1, captured + 1):
            for amount in range(1, captured + 1):
                parts = shares(amount, RETURN, standing(captured, fee))
                down, exact = divmod(fee * amount, captured)
                if parts.with_fee:
                    assert (exact, parts.fee) == (0, down)
                else:
                    assert parts.fee == parts.fee_return
                assert parts.with_transfer


def test_a_full_refund_is_one_request() -> None:
    parts = shares(100, RETURN, standing(100, 7))
    assert parts == Shares(seller_bears=True, fee=7, with_transfer=True, with_fee=True)


def test_what_could_round_differently_is_returned_by_our_own_number() -> None:
    parts = shares(1_999, RETURN, standing(10_000, 333))
    assert parts == Shares(seller_bears=True, fee=67, with_transfer=True, fee_return=67)
    rest = standing(10_000, 333, counted=1_999, given=67, fee_left=266, transfer_left=8_001)
    assert shares(8_001, RETURN, rest) == Shares(
        seller_bears=True, fee=266, with_transfer=True, fee_return=266
    )


def test_a_charge_without_a_fee_never_asks_for_one_back() -> None:
    """alf.io 739: a fee refund asked on a charge with zero fee is an error at Stripe."""
    for amount in (1, 50, 100):
        parts = shares(amount, RETURN, standing(100, 0))
        assert parts == Shares(seller_bears=True, with_transfer=True)


def test_the_platform_keeps_its_fee_where_the_schedule_says_so() -> None:
    assert shares(100, KEEP, standing(100, 10)) == Shares(seller_bears=True, with_transfer=True)


def test_what_the_platform_bears_takes_nothing_from_the_seller() -> None:
    assert shares(100, PLATFORM, standing(100, 10)) == Shares(seller_bears=False)
    assert not PLATFORM.returns_fee


def test_a_fee_that_was_kept_is_not_returned_by_a_later_refund() -> None:
    after_keeping = standing(100, 10, transfer_left=50)
    assert shares(50, RETURN, after_keeping).fee == 5


def test_nothing_is_taken_back_where_stripe_skipped_the_transfer() -> None:
    skipped = standing(100, 10, transferred=False, transfer_left=0)
    assert shares(100, RETURN, skipped) == Shares(seller_bears=False)


def test_a_second_refund_after_a_failed_one_takes_only_what_the_seller_has() -> None:
    """The first returned the fee at Stripe for good, so this time it stays with the reversal."""
    after_failure = standing(100, 10, fee_left=0, transfer_left=0, undisturbed=False)
    parts = shares(100, RETURN, after_failure)
    assert parts == Shares(seller_bears=True, fee=10, reversal=90)


def test_a_transfer_that_holds_too_little_is_reversed_by_itself() -> None:
    netted = standing(100, 10, transfer_left=70)
    parts = shares(100, RETURN, netted)
    assert parts == Shares(seller_bears=True, fee=10, reversal=100, fee_return=10)
