"""A schedule made ready to price a million orders: the same answers as `quote`, remembered. Pure.

What the rules can tell apart is little: a seller that no rule names is like any other such seller, an
amount matters only by the thresholds on either side of it. So the rule is looked up by such a *class* of
line, and a fee by rule, currency, amount and units; both come from `holds` and `price` the first time.
"""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from marketplace.catalog.listings import Kind
from marketplace.fees.pricing import price
from marketplace.fees.rules import FeeInputs, PricedLine, holds
from marketplace.fees.schedule import FeeRule, MalformedSchedule, Problem

_REMEMBERED: Final = 500_000
"""How many different fees are kept before they are all forgotten: about 100 MB."""

Fees = tuple[int, int]
"""The seller's fee with its tax, and the buyer's service fee; minor units."""


class CompiledRules:
    """Rules ready to be asked many times; not for more than one thread at once."""

    def __init__(self, rules: Sequence[FeeRule]) -> None:
        self._rules = tuple(rules)
        conditions = [rule.when for rule in rules]
        self._sellers = frozenset(word for when in conditions for word in when.seller_ids)
        self._categories = frozenset(word for when in conditions for word in when.categories)
        self._amounts = sorted(
            {
                bound
                for when in conditions
                for bound in (when.amount_from, when.amount_below)
                if bound is not None
            }
        )
        self._times = sorted(
            {
                bound
                for when in conditions
                for bound in (when.placed_from, when.placed_before)
                if bound is not None
            }
        )
        self._rule_by_class: dict[tuple[object, ...], int] = {}
        self._fees: dict[tuple[int, str, int, int], Fees] = {}

    def rule_at(self, position: int) -> FeeRule:
        """The rule with that place in the order of precedence."""
        return self._rules[position]

    def match(
        self,
        seller_id: str,
        currency: str,
        total: int,
        placed_at: datetime | None,
        category: str,
        kind: Kind,
    ) -> int:
        """The position of the rule for a line of an order that comes to `total`."""
        like = (
            seller_id if seller_id in self._sellers else None,
            category if category in self._categories else None,
            kind,
            currency,
            bisect_right(self._amounts, total) if self._amounts else 0,
            None if placed_at is None else bisect_right(self._times, placed_at),
        )
        found = self._rule_by_class.get(like)
        if found is None:
            found = self._search(seller_id, currency, total, placed_at, category, kind)
            if len(self._rule_by_class) >= _REMEMBERED:
                self._rule_by_class.clear()
            self._rule_by_class[like] = found
        return found

    def fees(self, position: int, currency: str, amount: int, units: int) -> Fees:
        """What the rule charges for an amount of so many units, before any credit."""
        key = (position, currency, amount, units)
        found = self._fees.get(key)
        if found is None:
            part = price(self._rules[position], currency=currency, amount=amount, units=units)
            found = (part.fee, part.service_fee)
            if len(self._fees) >= _REMEMBERED:
                self._fees.clear()
            self._fees[key] = found
        return found

    def _search(
        self,
        seller_id: str,
        currency: str,
        total: int,
        placed_at: datetime | None,
        category: str,
        kind: Kind,
    ) -> int:
        line = PricedLine(listing_id="", category=category, kind=kind, amount=total)
        inputs = FeeInputs(
            seller_id=seller_id, currency=currency, lines=(line,), placed_at=placed_at
        )
        for position, rule in enumerate(self._rules):
            if holds(rule.when, line, inputs, total):
                return position
        raise MalformedSchedule(Problem("rules", "no_catch_all"))
