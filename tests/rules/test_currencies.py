"""What Stripe charges in: the table, its odd currencies, and the one check."""

import pytest

from payments.currencies import CURRENCIES, MAXIMUM_CHARGE, check_chargeable, currency
from payments.errors import AmountNotChargeable, CurrencyUnknown


def refusal(amount: int, code: str) -> tuple[str, int]:
    with pytest.raises(AmountNotChargeable) as caught:
        check_chargeable(amount, code)
    assert (caught.value.amount, caught.value.currency) == (amount, code)
    return caught.value.why, caught.value.limit


def test_the_table_holds_every_currency_stripe_charges_in() -> None:
    assert len(CURRENCIES) == 139
    assert all(code == rules.code == code.lower() for code, rules in CURRENCIES.items())
    assert all(len(code) == 3 and code.isascii() and code.isalpha() for code in CURRENCIES)


def test_zero_decimal_currencies_are_written_in_whole_units() -> None:
    whole = {code for code, rules in CURRENCIES.items() if rules.exponent == 0}
    codes = "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf"
    assert whole == set(codes.split(" "))
    assert {currency(code).step for code in whole} == {1}


@pytest.mark.parametrize("code", ["bhd", "jod", "kwd", "omr", "tnd"])
def test_three_decimal_amounts_must_end_in_zero(code: str) -> None:
    assert currency(code).exponent == 3
    assert refusal(1_235, code) == ("not_whole", 10)
    check_chargeable(1_230, code)


@pytest.mark.parametrize("code", ["isk", "ugx"])
def test_krona_and_shilling_are_written_with_two_decimals_that_are_00(code: str) -> None:
    assert currency(code).exponent == 2
    assert refusal(50_050, code) == ("not_whole", 100)
    check_chargeable(50_000, code)


@pytest.mark.parametrize("code", ["huf", "twd"])
def test_forint_and_taiwan_dollar_are_charged_to_the_cent_and_paid_out_whole(code: str) -> None:
    assert (currency(code).step, currency(code).payout_step) == (1, 100)
    check_chargeable(17_501, code)


@pytest.mark.parametrize(
    ("code", "minimum"),
    [
        ("usd", 50),
        ("eur", 50),
        ("gbp", 30),
        ("sek", 300),
        ("czk", 1500),
        ("huf", 17500),
        ("jpy", 50),
    ],
)
def test_the_documented_minimum_is_the_first_amount_taken(code: str, minimum: int) -> None:
    assert refusal(minimum - 1, code) == ("too_small", minimum)
    check_chargeable(minimum, code)


@pytest.mark.parametrize("amount", [0, -1, -5_000])
def test_nothing_and_less_than_nothing_are_too_small(amount: int) -> None:
    assert refusal(amount, "usd") == ("too_small", 50)
    assert refusal(amount, "bhd") == ("too_small", 10)


def test_more_than_eight_digits_is_too_large() -> None:
    check_chargeable(MAXIMUM_CHARGE, "usd")
    assert refusal(MAXIMUM_CHARGE + 1, "usd") == ("too_large", 99_999_999)


@pytest.mark.parametrize("code", ["USD", "xxx", "", "us", "usd ", "btc"])
def test_a_currency_stripe_does_not_take_is_unknown(code: str) -> None:
    with pytest.raises(CurrencyUnknown) as caught:
        check_chargeable(1_000, code)
    assert caught.value.code == code


def test_every_minimum_can_itself_be_charged() -> None:
    for code, rules in CURRENCIES.items():
        check_chargeable(rules.minimum, code)
