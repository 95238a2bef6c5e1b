"""What rules would have charged for past orders, beside what was charged: sums by seller, category and more.

A fee is an order's; its categories and rules get their part of it by their amounts, shared out so that the
parts add up exactly. Amounts are minor units. Pure.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Final, Literal, NamedTuple

import msgspec

from marketplace.catalog.listings import Kind
from marketplace.fees.compiled import CompiledRules
from marketplace.fees.schedule import FeeRule
from payments.money import cumulative_share

By = Literal["total", "seller", "category", "period", "rule"]
DIMENSIONS: Final[tuple[By, ...]] = ("total", "seller", "category", "period", "rule")


class PastLine(NamedTuple):
    """One line of a past order, with the order's facts beside it. `fee` is before any credit."""

    order_id: str
    seller_id: str
    currency: str
    placed_at: datetime
    fee: int
    category: str
    kind: Kind
    amount: int
    quantity: int


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """Orders of one kind in one currency: what was charged for them, and what would have been.

    `orders` counts an order in each category and rule it has lines of; `amount` is their lines'.
    """

    by: By
    key: str
    currency: str
    orders: int
    amount: int
    fee_before: int
    fee_after: int

    @property
    def difference(self) -> int:
        """More (or, negative, less) than was charged."""
        return self.fee_after - self.fee_before


_Key = tuple[By, str, str]


class Sums:
    """Sums that grow order by order, can be written down on the way and taken up again."""

    def __init__(self, rules: tuple[FeeRule, ...], at: datetime | None = None) -> None:
        """`at`: as if every order had been placed then."""
        self._compiled = CompiledRules(rules)
        self._at = at
        self._sums: dict[_Key, list[int]] = {}

    def add(self, lines: Iterable[PastLine]) -> int:
        """Take in whole orders, their lines one after the other; answers how many orders."""
        orders = 0
        for _, group in groupby(lines, key=itemgetter(0)):
            self._add_order(list(group))
            orders += 1
        return orders

    def figures(self) -> list[Figure]:
        """By dimension, the largest differences first."""
        found = [
            Figure(
                by=by,
                key=key,
                currency=currency,
                orders=sums[0],
                amount=sums[1],
                fee_before=sums[2],
                fee_after=sums[3],
            )
            for (by, key, currency), sums in self._sums.items()
        ]
        return sorted(
            found,
            key=lambda one: (DIMENSIONS.index(one.by), -abs(one.difference), one.key, one.currency),
        )

    def checkpoint(self) -> str:
        """The sums so far, as JSON."""
        return msgspec.json.encode([[*key, *sums] for key, sums in self._sums.items()]).decode()

    def resume(self, checkpoint: str) -> None:
        """Go on from a checkpoint."""
        kept = msgspec.json.decode(checkpoint, type=list[tuple[By, str, str, int, int, int, int]])
        self._sums = {(by, key, currency): list(sums) for by, key, currency, *sums in kept}

    def _add_order(self, lines: list[PastLine]) -> None:
        first = lines[0]
        currency, fee_before = first.currency, first.fee
        total = first.amount if len(lines) == 1 else sum(line.amount for line in lines)
        placed_at = self._at or first.placed_at
        rule_at = [
            self._compiled.match(
                first.seller_id, currency, total, placed_at, line.category, line.kind
            )
            for line in lines
        ]
        if len(lines) == 1:
            # Most orders: nothing has to be shared out.
            at = rule_at[0]
            fee, service_fee = self._compiled.fees(at, currency, total, first.quantity)
            fee_after = fee + service_fee
            rule_id = self._compiled.rule_at(at).id
            self._count(("category", first.category, currency), total, fee_before, fee_after)
            self._count(("rule", rule_id, currency), total, fee_before, fee_after)
        else:
            fee_after, by_rule = self._priced(lines, rule_at, currency)
            self._share_out(lines, rule_at, total, fee_before, fee_after, by_rule)
        month = f"{first.placed_at.year}-{first.placed_at.month:02}"
        self._count(("total", "", currency), total, fee_before, fee_after)
        self._count(("seller", first.seller_id, currency), total, fee_before, fee_after)
        self._count(("period", month, currency), total, fee_before, fee_after)

    def _priced(
        self, lines: list[PastLine], rule_at: list[int], currency: str
    ) -> tuple[int, dict[int, int]]:
        """The order's fee, and how much of it each rule makes."""
        parts: dict[int, list[int]] = {}
        for at, line in zip(rule_at, lines, strict=True):
            part = parts.setdefault(at, [0, 0])
            part[0] += line.amount
            part[1] += line.quantity
        made = {
            at: sum(self._compiled.fees(at, currency, amount, units))
            for at, (amount, units) in parts.items()
        }
        return sum(made.values()), made

    def _share_out(
        self,
        lines: list[PastLine],
        rule_at: list[int],
        total: int,
        fee_before: int,
        fee_after: int,
        by_rule: dict[int, int],
    ) -> None:
        currency = lines[0].currency
        for category, amount, before, after in _shares(
            [(line.category, line.amount) for line in lines], total, fee_before, fee_after
        ):
            self._count(("category", category, currency), amount, before, after)
        named = [
            (self._compiled.rule_at(at).id, line.amount)
            for at, line in zip(rule_at, lines, strict=True)
        ]
        exact = {self._compiled.rule_at(at).id: fee for at, fee in by_rule.items()}
        for rule_id, amount, before, _ in _shares(named, total, fee_before, fee_after):
            self._count(("rule", rule_id, currency), amount, before, exact[rule_id])

    def _count(self, key: _Key, amount: int, fee_before: int, fee_after: int) -> None:
        sums = self._sums.get(key)
        if sums is None:
            self._sums[key] = [1, amount, fee_before, fee_after]
            return
        sums[0] += 1
        sums[1] += amount
        sums[2] += fee_before
        sums[3] += fee_after


def _shares(
    named: list[tuple[str, int]], total: int, fee_before: int, fee_after: int
) -> Iterator[tuple[str, int, int, int]]:
    """Each name's amount and its share of both fees; the shares add up to the fees."""
    amounts: dict[str, int] = {}
    for name, amount in named:
        amounts[name] = amounts.get(name, 0) + amount
    reached = before = after = 0
    for name, amount in amounts.items():
        reached += amount
        up_to_before = cumulative_share(fee_before, reached, total)
        up_to_after = cumulative_share(fee_after, reached, total)
        yield name, amount, up_to_before - before, up_to_after - after
        before, after = up_to_before, up_to_after
