"""Which orders a rule's conditions let through, as sets that can be intersected and subtracted. Pure, exact.

A *region* is a box: a set of sellers, of categories, of kinds, of currencies, a range of amounts and a
range of times. Sellers and categories may be "all but these", because there are always more of them than
any rule names. `find` looks for one order inside a region and outside of others, and is certain either way.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from marketplace.catalog.listings import Kind
from marketplace.fees.schedule import Conditions
from payments.currencies import CURRENCIES, MAXIMUM_CHARGE

KINDS: Final[frozenset[Kind]] = frozenset(("session", "product"))
ALL_CURRENCIES: Final = frozenset(CURRENCIES)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LONG_AGO: Final = -(10**18)
_NEVER: Final = 10**18
STEPS_LIMIT: Final = 20_000
"""How many regions the questions about one rule may look at; rules that people write need a few dozen."""

# Where an order can be of several currencies, the one that is shown.
_FAMILIAR: Final = ("eur", "usd", "gbp", "jpy")


class TooManyRegions(Exception):
    """The rules are too entangled to be certain within STEPS_LIMIT."""


class Words(msgspec.Struct, frozen=True):
    """These words or, when `but` is set, every word but these."""

    named: frozenset[str] = frozenset()
    but: bool = True

    @property
    def empty(self) -> bool:
        return not self.named and not self.but

    def misses(self, other: "Words") -> bool:
        """Whether they have no word in common."""
        if self.but:
            return not other.but and other.named <= self.named
        return self.named <= other.named if other.but else self.named.isdisjoint(other.named)

    def __and__(self, other: "Words") -> "Words":
        if self.but and other.but:
            return Words(self.named | other.named, True)
        if self.but:
            return Words(other.named - self.named, False)
        if other.but:
            return Words(self.named - other.named, False)
        return Words(self.named & other.named, False)

    def __sub__(self, other: "Words") -> "Words":
        return self & Words(other.named, not other.but)

    def one(self, other_word: str) -> str:
        """A word of these: `other_word`, or something like it, where nothing in particular is meant."""
        if not self.but:
            return min(self.named)
        while other_word in self.named:
            other_word += "-2"
        return other_word


class Span(msgspec.Struct, frozen=True):
    """The whole numbers from `start` up to but without `end`."""

    start: int
    end: int

    @property
    def empty(self) -> bool:
        return self.start >= self.end

    def __and__(self, other: "Span") -> "Span":
        return Span(max(self.start, other.start), min(self.end, other.end))

    def minus(self, other: "Span") -> list["Span"]:
        """What is before and what is after `other`."""
        rest = [
            Span(self.start, min(self.end, other.start)),
            Span(max(self.start, other.end), self.end),
        ]
        return [span for span in rest if not span.empty]


ANY_TIME: Final = Span(_LONG_AGO, _NEVER)


class Region(msgspec.Struct, frozen=True, kw_only=True):
    """Every order (of one line) with one of these sellers, one of these categories, and so on."""

    sellers: Words = Words()
    categories: Words = Words()
    kinds: frozenset[Kind] = KINDS
    currencies: frozenset[str] = ALL_CURRENCIES
    # Minor units: what can be charged at all.
    amounts: Span = Span(1, MAXIMUM_CHARGE + 1)
    # Microseconds since 1970.
    times: Span = ANY_TIME

    @property
    def empty(self) -> bool:
        """Whether no order there can be is inside."""
        return (
            self.sellers.empty
            or self.categories.empty
            or not self.kinds
            or self.times.empty
            or self._price() is None
        )

    def __and__(self, other: "Region") -> "Region":
        return Region(
            sellers=self.sellers & other.sellers,
            categories=self.categories & other.categories,
            kinds=self.kinds & other.kinds,
            currencies=self.currencies & other.currencies,
            amounts=self.amounts & other.amounts,
            times=self.times & other.times,
        )

    def meets(self, other: "Region") -> bool:
        """Whether an order can be inside of both. The cheap questions come first."""
        return not (
            self.amounts.start >= other.amounts.end
            or other.amounts.start >= self.amounts.end
            or self.times.start >= other.times.end
            or other.times.start >= self.times.end
            or self.sellers.misses(other.sellers)
            or self.categories.misses(other.categories)
            or self.kinds.isdisjoint(other.kinds)
            or self.currencies.isdisjoint(other.currencies)
            or (self & other).empty
        )

    def holds(self, example: "Example", moment: int) -> bool:
        """Whether the order is inside; `moment` is its time, as `times` has it."""
        return (
            self.amounts.start <= example.amount < self.amounts.end
            and self.times.start <= moment < self.times.end
            and example.kind in self.kinds
            and example.currency in self.currencies
            and (example.seller_id in self.sellers.named) != self.sellers.but
            and (example.category in self.categories.named) != self.categories.but
        )

    def minus(self, other: "Region") -> list["Region"]:
        """What is left of this one without `other`: regions that do not overlap, none of them empty."""
        if not self.meets(other):
            return [self]
        both = self & other
        replace = msgspec.structs.replace
        rest: Region = self
        pieces = [replace(rest, sellers=self.sellers - other.sellers)]
        rest = replace(rest, sellers=both.sellers)
        pieces.append(replace(rest, categories=self.categories - other.categories))
        rest = replace(rest, categories=both.categories)
        pieces.append(replace(rest, kinds=self.kinds - other.kinds))
        rest = replace(rest, kinds=both.kinds)
        pieces.append(replace(rest, currencies=self.currencies - other.currencies))
        rest = replace(rest, currencies=both.currencies)
        pieces += [replace(rest, amounts=span) for span in self.amounts.minus(other.amounts)]
        rest = replace(rest, amounts=both.amounts)
        pieces += [replace(rest, times=span) for span in self.times.minus(other.times)]
        return [piece for piece in pieces if not piece.empty]

    def example(self) -> "Example":
        """One order that is inside, told by what the rules look at. The region must not be empty."""
        price = self._price()
        assert price is not None
        return Example(
            seller_id=self.sellers.one("any-seller"),
            category=self.categories.one("any-category"),
            kind=min(self.kinds),
            currency=price[0],
            amount=price[1],
            placed_at=_time_in(self.times),
        )

    def _price(self) -> tuple[str, int] | None:
        """A currency and an amount that exists in it: there is no 1.50 ISK."""
        for code in _FAMILIAR:
            if code in self.currencies and (amount := self._amount_in(code)) is not None:
                return code, amount
        for code in sorted(self.currencies):
            if (amount := self._amount_in(code)) is not None:
                return code, amount
        return None

    def _amount_in(self, code: str) -> int | None:
        step = CURRENCIES[code].step
        first = -(-max(self.amounts.start, step) // step) * step
        last = (min(self.amounts.end, MAXIMUM_CHARGE + 1) - 1) // step * step
        if first > last:
            return None
        for usual in (6_000, CURRENCIES[code].minimum):
            if first <= usual <= last:
                return usual
        return first


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """An order that shows something, of one line. `amount` is minor units of `currency`."""

    seller_id: str
    category: str
    kind: Kind
    currency: str
    amount: int
    placed_at: datetime


def region_of(when: Conditions) -> Region:
    """The orders that a rule's conditions let through."""
    return Region(
        sellers=_words(when.seller_ids),
        categories=_words(when.categories),
        kinds=frozenset(when.kinds) or KINDS,
        currencies=frozenset(when.currencies) & ALL_CURRENCIES
        if when.currencies
        else ALL_CURRENCIES,
        amounts=Span(
            1 if when.amount_from is None else max(when.amount_from, 1),
            MAXIMUM_CHARGE + 1 if when.amount_below is None else when.amount_below,
        ),
        times=span_of(when.placed_from, when.placed_before),
    )


def span_of(start: datetime | None, end: datetime | None) -> Span:
    """The times from `start` up to but without `end`; None is open."""
    return Span(
        _LONG_AGO if start is None else microseconds(start),
        _NEVER if end is None else microseconds(end),
    )


def microseconds(moment: datetime) -> int:
    """Since 1970, exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


class Search:
    """Questions about regions that share one allowance of steps."""

    def __init__(self, steps_limit: int = STEPS_LIMIT) -> None:
        self._left = steps_limit

    def find(self, inside: Region, outside: Sequence[Region]) -> Example | None:
        """An order inside of one region and outside of all the others; None when there is none.

        Raises TooManyRegions.
        """
        if inside.empty:
            return None
        return self._find(inside, outside)

    def _find(self, inside: Region, outside: Sequence[Region]) -> Example | None:
        """Try one order; where it is in one of the others, look at what that one leaves."""
        self._left -= 1
        if self._left < 0:
            raise TooManyRegions
        example = inside.example()
        moment = microseconds(example.placed_at)
        around = [region for region in outside if region.holds(example, moment)]
        if not around:
            return example
        left = min((inside.minus(region) for region in around), key=len)
        for piece in left:
            found = self._find(piece, [region for region in outside if region.meets(piece)])
            if found is not None:
                return found
        return None


def _words(named: Sequence[str]) -> Words:
    return Words(frozenset(named), False) if named else Words()


def _time_in(times: Span) -> datetime:
    if times.start > _LONG_AGO:
        return _EPOCH + timedelta(microseconds=times.start)
    if times.end < _NEVER:
        return _EPOCH + timedelta(microseconds=times.end - 1)
    return datetime(2027, 1, 1, tzinfo=UTC)
