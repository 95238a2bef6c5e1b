"""Every currency Stripe charges in, and what may be asked of it. Pure data and one check.

Amounts are minor units as Stripe's API writes them (docs.stripe.com/currencies):

- *zero-decimal*: the amount is the whole unit (500 JPY is 500);
- *three-decimal*: thousandths, of which the last digit must be 0, so that amounts go in steps of
  10;
- ISK and UGX are written with two decimals that must be 00, so that amounts go in steps of 100;
- HUF and TWD are charged to the cent but paid out in whole units: `payout_step` is 100.

The minimum is Stripe's documented one, in the currency of settlement; where none is documented the
smallest step is. The ceiling is our own: eight digits are what every payment method accepts
(cards take twelve), and a larger price is a mistake more often than a sale.
"""

from types import MappingProxyType

import msgspec

from payments.errors import AmountNotChargeable, CurrencyUnknown

MAXIMUM_CHARGE = 99_999_999
"""The largest amount we charge, in minor units of any currency."""


class Currency(msgspec.Struct, frozen=True, kw_only=True):
    """One currency: `exponent` decimals on the wire, amounts in multiples of `step` minor units."""

    code: str
    exponent: int
    step: int
    payout_step: int
    minimum: int


_TWO_DECIMAL = """
    aed afn all amd ang aoa ars aud awg azn bam bbd bdt bmd bnd bob brl bsd bwp byn bzd cad cdf
    chf cny cop crc cve czk dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gtq gyd hkd hnl htg
    huf idr ils inr isk jmd kes kgs khr kyd kzt lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop mur
    mvr mwk mxn myr mzn nad ngn nio nok npr nzd pab pen pgk php pkr pln qar ron rsd rub sar sbd
    scr sek sgd shp sle sos srd std szl thb tjs top try ttd twd tzs uah ugx usd uyu uzs wst xcd
    xcg yer zar zmw
"""
_ZERO_DECIMAL = "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf"
_THREE_DECIMAL = "bhd jod kwd omr tnd"
_EXPONENTS = {
    code: exponent
    for exponent, codes in ((0, _ZERO_DECIMAL), (2, _TWO_DECIMAL), (3, _THREE_DECIMAL))
    for code in codes.split()
}

_STEPS = {"isk": 100, "ugx": 100}
_PAYOUT_STEPS = {"huf": 100, "twd": 100, "isk": 100, "ugx": 100}
# docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
_MINIMUMS = {
    "aed": 200, "ars": 50, "aud": 50, "brl": 50, "cad": 50, "chf": 50, "cop": 50, "czk": 1500,
    "dkk": 250, "eur": 50, "gbp": 30, "hkd": 400, "huf": 17500, "idr": 50, "ils": 50, "inr": 50,
    "jpy": 50, "krw": 50, "mxn": 1000, "myr": 200, "nok": 300, "nzd": 50, "php": 50, "pln": 200,
    "ron": 200, "rub": 50, "sek": 300, "sgd": 50, "thb": 1000, "usd": 50, "zar": 50,
}  # fmt: skip


def _currency(code: str, exponent: int) -> Currency:
    step = _STEPS.get(code, 10 if exponent == 3 else 1)
    return Currency(
        code=code,
        exponent=exponent,
        step=step,
        payout_step=_PAYOUT_STEPS.get(code, step),
        minimum=_MINIMUMS.get(code, step),
    )


CURRENCIES = MappingProxyType({code: _currency(code, e) for code, e in sorted(_EXPONENTS.items())})
"""Every currency by its lower-case ISO code."""


def currency(code: str) -> Currency:
    """The currency of a lower-case ISO code. Raises CurrencyUnknown."""
    try:
        return CURRENCIES[code]
    except (KeyError, TypeError):
        raise CurrencyUnknown(code) from None


def check_chargeable(amount: int, code: str) -> None:
    """Raise unless a card can be charged this amount: AmountNotChargeable, CurrencyUnknown.

    The limit in the error is the minimum, the maximum, or the step that was missed. Minor units.
    """
    rules = currency(code)
    if amount < rules.minimum:
        raise AmountNotChargeable("too_small", amount=amount, currency=code, limit=rules.minimum)
    if amount > MAXIMUM_CHARGE:
        raise AmountNotChargeable("too_large", amount=amount, currency=code, limit=MAXIMUM_CHARGE)
    check_whole(amount, code)


def check_whole(amount: int, code: str) -> None:
    """Raise AmountNotChargeable unless the amount is one that exists in the currency: 1.50 ISK does not."""
    step = currency(code).step
    if amount % step:
        raise AmountNotChargeable("not_whole", amount=amount, currency=code, limit=step)
