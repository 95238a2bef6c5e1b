"""Money: integers in minor units beside their currency, and the only two roundings. Pure."""

import msgspec

from payments.currencies import currency as find_currency
from payments.errors import CurrencyMismatch

BASIS_POINTS = 10_000
"""A whole, in basis points."""


class Money(msgspec.Struct, frozen=True):
    """An amount in minor units of one currency; it may be negative, as a difference can be.

    Raises TypeError for an amount that is not an integer, CurrencyUnknown for a currency Stripe
    does not take, CurrencyMismatch where two currencies meet.
    """

    amount: int
    currency: str

    def __post_init__(self) -> None:
        require_integer(self.amount)
        find_currency(self.currency)

    def __add__(self, other: "Money") -> "Money":
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.amount - self._same(other), self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.amount, self.currency)

    def __mul__(self, times: int) -> "Money":
        """So many of it: a price by a quantity."""
        return Money(self.amount * require_integer(times), self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.amount < self._same(other)

    def __le__(self, other: "Money") -> bool:
        return self.amount <= self._same(other)

    def __gt__(self, other: "Money") -> bool:
        return self.amount > self._same(other)

    def __ge__(self, other: "Money") -> bool:
        return self.amount >= self._same(other)

    def __str__(self) -> str:
        return written(self.amount, self.currency)

    def _same(self, other: "Money") -> int:
        if self.currency != other.currency:
            raise CurrencyMismatch(self.currency, other.currency)
        return other.amount


def require_integer(number: int) -> int:
    """The number itself. Raises TypeError for a float, a bool, or anything else but an int."""
    if type(number) is not int:
        raise TypeError(f"minor units are integers, not {type(number).__name__}")
    return number


def portion(amount: int, basis_points: int) -> int:
    """`basis_points` of an amount, rounded half up: 250 of 1010 is 25. Both at least 0."""
    return _half_up(amount, basis_points, BASIS_POINTS)


def cumulative_share(fee: int, part: int, whole: int) -> int:
    """How much of a fee belongs to `part` of a `whole`, rounded half up.

    The cumulative-difference rule: what is returned with one refund is the share of all refunded
    so far less what was returned before, so any sequence of partial refunds adds up to the fee
    exactly. Raises ValueError unless 0 <= part <= whole and whole is above 0.
    """
    if part > whole:
        raise ValueError(f"a part of {part} is more than the whole of {whole}")
    return _half_up(fee, part, whole)


def whole_share(fee: int, part: int, whole: int, currency: str) -> int:
    """The same in whole steps of the currency, because Stripe moves no other amounts: 0.176 KWD is none.

    All of the fee belongs to the whole, whatever it is. Raises what `cumulative_share` does, and
    CurrencyUnknown.
    """
    step = find_currency(currency).step
    share = cumulative_share(fee // step, part, whole) * step
    return fee if part == whole else share


def written(amount: int, currency: str) -> str:
    """The amount for people: `12.30 EUR`, `500 JPY`, `1.230 KWD`, and `500 ISK`, never 500.00."""
    rules = find_currency(currency)
    scale = 10**rules.exponent
    units, fraction = divmod(abs(require_integer(amount)), scale)
    sign = "-" if amount < 0 else ""
    indivisible = rules.step == scale and fraction == 0
    decimals = "" if indivisible else f".{fraction:0{rules.exponent}d}"
    return f"{sign}{units}{decimals} {currency.upper()}"


def _half_up(amount: int, numerator: int, denominator: int) -> int:
    for number in (amount, numerator, denominator):
        require_integer(number)
    if amount < 0 or numerator < 0 or denominator <= 0:
        raise ValueError(f"cannot take {numerator}/{denominator} of {amount}")
    return (2 * amount * numerator + denominator) // (2 * denominator)
