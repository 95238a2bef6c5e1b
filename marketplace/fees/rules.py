"""The application fee of an order, computed from a schedule. Pure; integers only.

A rule is chosen for each line (the first that matches its seller, category, kind, currency, and the
order's total). Lines that fall to the same rule are one *part*: their amounts are added first, then the
rate is applied and rounded half up once, then the fixed part is added, then floor and cap hold, then the
result is clamped to 0 and the part's amount. The order's fee is the exact sum of its parts' fees. So ten
lines cost what one line of the same sum costs, a fixed part is taken once for each rule and not for each
line, and the fee can never be more than the order. The seller gets the remainder.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from marketplace.catalog.listings import Kind
from marketplace.fees.schedule import (
    Conditions,
    FeeRule,
    MalformedSchedule,
    Schedule,
)
from payments.currencies import currency as find_currency
from payments.money import portion

_WORKING_FORMAT: Final = 1


class PricedLine(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules look at in one line of an order. Minor units."""

    listing_id: str
    category: str
    kind: Kind
    amount: int


class FeeInputs(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the fee depends on besides the schedule; kept with the quote."""

    seller_id: str
    currency: str
    lines: tuple[PricedLine, ...]

    @property
    def total(self) -> int:
        """The order's amount."""
        return sum(line.amount for line in self.lines)


class FeePart(msgspec.Struct, frozen=True, kw_only=True):
    """One rule's work over the lines that fell to it, with every integer on the way to `fee`."""

    rule_id: str
    listing_ids: tuple[str, ...]
    amount: int
    basis_points: int
    # Of `amount`, rounded half up to the currency's smallest step.
    rate_amount: int
    fixed: int
    floor: int
    cap: int | None
    # Rate and fixed part; then not below the floor; then not above the cap; then within the amount.
    before_limits: int
    after_floor: int
    after_cap: int
    fee: int


class FeeQuote(msgspec.Struct, frozen=True, kw_only=True):
    """A fee and how it came about: enough to compute it again and compare."""

    schedule_id: str
    schedule_version: int
    inputs: FeeInputs
    parts: tuple[FeePart, ...]
    total: int
    fee: int
    seller_amount: int
    format: int = _WORKING_FORMAT

    @property
    def rule_ids(self) -> tuple[str, ...]:
        """The rules that made the fee, by the position of their first line."""
        return tuple(part.rule_id for part in self.parts)


def quote(schedule: Schedule, inputs: FeeInputs) -> FeeQuote:
    """The application fee of an order under `schedule`. Deterministic: the same answer for ever.

    Raises MalformedSchedule when no rule matches, which `check_rules` makes impossible.
    """
    chosen: dict[str, tuple[FeeRule, list[PricedLine]]] = {}
    for line in inputs.lines:
        rule = _first_match(schedule.rules, line, inputs)
        chosen.setdefault(rule.id, (rule, []))[1].append(line)
    parts = tuple(_part(rule, lines, inputs.currency) for rule, lines in chosen.values())
    fee = sum(part.fee for part in parts)
    return FeeQuote(
        schedule_id=schedule.id,
        schedule_version=schedule.version,
        inputs=inputs,
        parts=parts,
        total=inputs.total,
        fee=fee,
        seller_amount=inputs.total - fee,
    )


def _first_match(rules: Sequence[FeeRule], line: PricedLine, inputs: FeeInputs) -> FeeRule:
    for rule in rules:
        if _holds(rule.when, line, inputs):
            return rule
    raise MalformedSchedule("no_catch_all")


def _holds(when: Conditions, line: PricedLine, inputs: FeeInputs) -> bool:
    return (
        (not when.seller_ids or inputs.seller_id in when.seller_ids)
        and (not when.categories or line.category in when.categories)
        and (not when.kinds or line.kind in when.kinds)
        and (not when.currencies or inputs.currency in when.currencies)
        and (when.amount_from is None or inputs.total >= when.amount_from)
        and (when.amount_below is None or inputs.total < when.amount_below)
    )


def _part(rule: FeeRule, lines: Sequence[PricedLine], currency: str) -> FeePart:
    amount = sum(line.amount for line in lines)
    rate_amount = _rate_of(amount, rule.basis_points, currency)
    fixed, floor, cap = (
        rule.fixed.get(currency, 0),
        rule.floor.get(currency, 0),
        rule.cap.get(currency),
    )
    before_limits = rate_amount + fixed
    after_floor = max(before_limits, floor)
    after_cap = after_floor if cap is None else min(after_floor, cap)
    return FeePart(
        rule_id=rule.id,
        listing_ids=tuple(line.listing_id for line in lines),
        amount=amount,
        basis_points=rule.basis_points,
        rate_amount=rate_amount,
        fixed=fixed,
        floor=floor,
        cap=cap,
        before_limits=before_limits,
        after_floor=after_floor,
        after_cap=after_cap,
        fee=min(max(after_cap, 0), amount),
    )


def _rate_of(amount: int, basis_points: int, currency: str) -> int:
    """The rate of `amount` in whole steps of the currency, rounded half up once.

    Prices are whole steps (the catalog sees to it), so the division here leaves nothing behind.
    """
    step = find_currency(currency).step
    return portion(amount // step, basis_points) * step
