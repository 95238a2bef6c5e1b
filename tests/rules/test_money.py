"""Money: whole minor units, one currency at a time, two roundings."""

from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.errors import CurrencyMismatch, CurrencyUnknown
from payments.money import Money, cumulative_share, portion, written

AMOUNTS = st.integers(min_value=0, max_value=99_999_999)


@pytest.mark.parametrize("amount", [1.0, 12.5, True, False, "12", None, Decimal("1")])
def test_an_amount_that_is_not_an_integer_is_refused(amount: Any) -> None:
    with pytest.raises(TypeError):
        Money(amount, "eur")


def test_a_float_in_json_is_refused_too() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"amount": 1.0, "currency": "eur"}', type=Money)


@pytest.mark.parametrize("code", ["EUR", "xyz", ""])
def test_a_currency_stripe_does_not_take_is_refused(code: str) -> None:
    with pytest.raises(CurrencyUnknown):
        Money(100, code)


def test_money_adds_subtracts_and_multiplies_within_its_currency() -> None:
    assert Money(1230, "eur") + Money(70, "eur") == Money(1300, "eur")
    assert Money(100, "eur") - Money(130, "eur") == -Money(30, "eur")
    assert Money(499, "eur") * 3 == Money(1497, "eur")
    with pytest.raises(TypeError):
        Money(499, "eur") * 1.5  # type: ignore[operator]


def test_two_currencies_never_meet() -> None:
    euros, yen = Money(100, "eur"), Money(100, "jpy")
    assert euros != yen
    for meeting in (
        lambda: euros + yen,
        lambda: euros - yen,
        lambda: euros < yen,
        lambda: euros <= yen,
        lambda: euros > yen,
        lambda: euros >= yen,
    ):
        with pytest.raises(CurrencyMismatch) as caught:
            meeting()
        assert (caught.value.left, caught.value.right) == ("eur", "jpy")


@given(AMOUNTS, AMOUNTS)
def test_comparisons_are_those_of_the_amounts(left: int, right: int) -> None:
    one, other = Money(left, "usd"), Money(right, "usd")
    assert (one < other, one <= other) == (left < right, left <= right)
    assert (one > other, one >= other) == (left > right, left >= right)


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (1230, "eur", "12.30 EUR"),
        (5, "usd", "0.05 USD"),
        (-1230, "eur", "-12.30 EUR"),
        (500, "jpy", "500 JPY"),
        (1230, "kwd", "1.230 KWD"),
        (50_000, "isk", "500 ISK"),
        (0, "gbp", "0.00 GBP"),
    ],
)
def test_money_is_written_for_people(amount: int, currency: str, text: str) -> None:
    assert str(Money(amount, currency)) == written(amount, currency) == text


@pytest.mark.parametrize(
    ("amount", "basis_points", "share"),
    [(1010, 250, 25), (20, 250, 1), (19, 250, 0), (10_000, 1, 1), (4_999, 1, 0), (5_000, 1, 1)],
)
def test_a_portion_is_rounded_half_up(amount: int, basis_points: int, share: int) -> None:
    assert portion(amount, basis_points) == share


@given(AMOUNTS, st.integers(min_value=0, max_value=10_000))
def test_a_portion_is_what_decimal_arithmetic_says(amount: int, basis_points: int) -> None:
    exact = Decimal(amount) * basis_points / 10_000
    share = portion(amount, basis_points)
    assert type(share) is int
    assert share == int(exact.quantize(Decimal(1), ROUND_HALF_UP))
    assert 0 <= share <= amount


@st.composite
def refunds_of_a_charge(draw: st.DrawFn) -> tuple[int, int, list[int]]:
    captured = draw(st.integers(min_value=1, max_value=1_000_000))
    fee = draw(st.integers(min_value=0, max_value=captured))
    cuts = draw(st.lists(st.integers(min_value=0, max_value=captured), max_size=8))
    edges = [0, *sorted(cuts), captured]
    return fee, captured, [b - a for a, b in pairwise(edges)]


@given(refunds_of_a_charge())
def test_any_sequence_of_partial_refunds_returns_the_fee_exactly(
    charge: tuple[int, int, list[int]],
) -> None:
    fee, captured, refunds = charge
    returned, refunded = [], 0
    for amount in refunds:
        before = cumulative_share(fee, refunded, captured)
        refunded += amount
        returned.append(cumulative_share(fee, refunded, captured) - before)
        assert 0 <= returned[-1] <= amount + 1
    assert sum(returned) == fee


@given(AMOUNTS, st.integers(min_value=1, max_value=99_999_999), st.data())
def test_a_cumulative_share_is_rounded_half_up(fee: int, whole: int, data: st.DataObject) -> None:
    part = data.draw(st.integers(min_value=0, max_value=whole))
    twice_the_error = 2 * (fee * part - cumulative_share(fee, part, whole) * whole)
    assert -whole <= twice_the_error < whole


def test_a_share_of_nothing_or_of_more_than_the_whole_is_a_mistake() -> None:
    for fee, part, whole in [(10, 1, 0), (10, 6, 5), (-1, 1, 2), (10, -1, 5)]:
        with pytest.raises(ValueError, match=r"part|take"):
            cumulative_share(fee, part, whole)
    with pytest.raises(ValueError, match="take"):
        portion(-1, 100)
    with pytest.raises(TypeError):
        portion(10.0, 100)  # type: ignore[arg-type]
