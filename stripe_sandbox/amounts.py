"""What Stripe accepts as an amount of money, and the integer arithmetic on it.

Amounts are integers in the currency's minor unit. Sources: https://docs.stripe.com/currencies
(minimum and maximum amounts, special cases).
"""

from .errors import StripeError, refused

# fmt: off
CURRENCIES = frozenset({
    "usd", "aed", "afn", "all", "amd", "ang", "aoa", "ars", "aud", "awg", "azn", "bam", "bbd",
    "bdt", "bgn", "bhd", "bif", "bmd", "bnd", "bob", "brl", "bsd", "bwp", "byn", "bzd", "cad",
    "cdf", "chf", "clp", "cny", "cop", "crc", "cve", "czk", "djf", "dkk", "dop", "dzd", "egp",
    "etb", "eur", "fjd", "fkp", "gbp", "gel", "gip", "gmd", "gnf", "gtq", "gyd", "hkd", "hnl",
    "htg", "huf", "idr", "ils", "inr", "isk", "jmd", "jod", "jpy", "kes", "kgs", "khr", "kmf",
    "krw", "kwd", "kyd", "kzt", "lak", "lbp", "lkr", "lrd", "lsl", "mad", "mdl", "mga", "mkd",
    "mmk", "mnt", "mop", "mur", "mvr", "mwk", "mxn", "myr", "mzn", "nad", "ngn", "nio", "nok",
    "npr", "nzd", "omr", "pab", "pen", "pgk", "php", "pkr", "pln", "pyg", "qar", "ron", "rsd",
    "rub", "rwf", "sar", "sbd", "scr", "sek", "sgd", "shp", "sle", "sos", "srd", "std", "szl",
    "thb", "tjs", "tnd", "top", "try", "ttd", "twd", "tzs", "uah", "ugx", "uyu", "uzs", "vnd",
    "vuv", "wst", "xaf", "xcd", "xof", "xpf", "yer", "zar", "zmw",
})
ZERO_DECIMAL = frozenset({
    "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf",
    "xof", "xpf",
})
THREE_DECIMAL = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
WHOLE_UNITS = frozenset({"isk", "ugx"})
MINIMUM = {
    "usd": 50, "aed": 200, "aud": 50, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250,
    "eur": 50, "gbp": 30, "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "krw": 50, "mxn": 1000,
    "myr": 200, "nok": 300, "nzd": 50, "pln": 200, "ron": 200, "sek": 300, "sgd": 50, "thb": 1000,
}
# fmt: on
MAXIMUM_DIGITS = 12
AMEX_MAXIMUM_DIGITS = 9


def require_currency(currency: str) -> str:
    """The currency in lower case; 400 for one Stripe does not know."""
    lower = currency.lower()
    if lower not in CURRENCIES:
        raise refused(
            f"Invalid currency: {lower}. Stripe currently supports these currencies: "
            f"{', '.join(sorted(CURRENCIES))}",
            param="currency",
        )
    return lower


def require_positive(amount: int, param: str) -> None:
    """400 `parameter_invalid_integer` for zero and less."""
    if amount < 1:
        raise _invalid_integer("This value must be greater than or equal to 1.", param)


def require_not_negative(amount: int, param: str) -> None:
    """400 `parameter_invalid_integer` for less than zero."""
    if amount < 0:
        raise _invalid_integer("This value must be greater than or equal to 0.", param)


def require_chargeable(amount: int, currency: str) -> None:
    """400 for an amount that cannot be charged in the currency: too small, too large, too fine."""
    require_positive(amount, "amount")
    if amount >= 10**MAXIMUM_DIGITS:
        raise too_large(10**MAXIMUM_DIGITS - 1, currency)
    require_divisible(amount, currency, code="invalid_charge_amount")
    minimum = MINIMUM.get(currency, 1)
    if amount < minimum:
        raise refused(
            f"Amount must be at least {written(minimum, currency)}",
            code="amount_too_small",
            param="amount",
        )


def require_card_limit(amount: int, currency: str, brand: str) -> None:
    """400 for an amount above what the card's network accepts."""
    if brand == "amex" and amount >= 10**AMEX_MAXIMUM_DIGITS:
        raise too_large(10**AMEX_MAXIMUM_DIGITS - 1, currency)


def too_large(maximum: int, currency: str, *, param: str = "amount") -> StripeError:
    return refused(
        f"Amount must be no more than {written(maximum, currency)}",
        code="amount_too_large",
        param=param,
    )


def require_movable(amount: int, currency: str, *, param: str = "amount") -> None:
    """400 for an amount that cannot be moved in the currency: none, or too fine."""
    require_positive(amount, param)
    require_divisible(amount, currency, param=param)


def require_divisible(
    amount: int, currency: str, *, code: str | None = None, param: str = "amount"
) -> None:
    """400 for an amount that is not a whole number of the currency's smallest steps."""
    step = 10 if currency in THREE_DECIMAL else 100 if currency in WHOLE_UNITS else 1
    if amount % step:
        raise refused(
            f"Invalid amount: {amount}. Amounts in {currency} must be a multiple of {step}.",
            code=code,
            param=param,
        )


def _invalid_integer(message: str, param: str) -> StripeError:
    return refused(message, code="parameter_invalid_integer", param=param)


def written(amount: int, currency: str) -> str:
    """The amount for a person: `0.50 usd`."""
    digits = 0 if currency in ZERO_DECIMAL else 3 if currency in THREE_DECIMAL else 2
    if digits == 0:
        return f"{amount} {currency}"
    whole, part = divmod(abs(amount), 10**digits)
    return f"{'-' if amount < 0 else ''}{whole}.{part:0{digits}} {currency}"


def share(amount: int, part: int, whole: int) -> int:
    """`amount * part / whole`, rounded half up, in integers. Needs `whole > 0`."""
    return (2 * amount * part + whole) // (2 * whole)
