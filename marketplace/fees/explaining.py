"""Why an order's fee is what it is: the rules tried, why each did not match, and every integer. Pure."""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

import msgspec

from marketplace.fees.rules import FeeInputs, FeeQuote, PricedLine, quote
from marketplace.fees.schedule import Conditions, FeeRule, Schedule

Condition = Literal["seller", "category", "kind", "currency", "amount", "placed_at"]


class Miss(msgspec.Struct, frozen=True, kw_only=True):
    """One condition that did not hold: what the rule asks for, and what the order has."""

    condition: Condition
    wanted: str
    found: str


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that was looked at. It matched when nothing was missing."""

    rule_id: str
    matched: bool
    misses: tuple[Miss, ...]


class ExplainedLine(msgspec.Struct, frozen=True, kw_only=True):
    """The rules tried for one line, in their order; the last of them matched."""

    listing_id: str
    rule_id: str
    tried: tuple[Tried, ...]


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Which rule made the fee of each line, and the fee's whole working."""

    lines: tuple[ExplainedLine, ...]
    quote: FeeQuote


def explain(schedule: Schedule, inputs: FeeInputs) -> Explanation:
    """Quote the order and say why. Raises what `quote` does."""
    quoted = quote(schedule, inputs)
    return Explanation(
        lines=tuple(_line(schedule.rules, line, inputs) for line in inputs.lines), quote=quoted
    )


def misses(when: Conditions, line: PricedLine, inputs: FeeInputs) -> tuple[Miss, ...]:
    """The conditions that do not hold for a line of the order; empty when the rule applies."""
    return tuple(_misses(when, line, inputs))


def _line(rules: tuple[FeeRule, ...], line: PricedLine, inputs: FeeInputs) -> ExplainedLine:
    tried = []
    for rule in rules:
        missing = misses(rule.when, line, inputs)
        tried.append(Tried(rule_id=rule.id, matched=not missing, misses=missing))
        if not missing:
            break
    return ExplainedLine(listing_id=line.listing_id, rule_id=tried[-1].rule_id, tried=tuple(tried))


def _misses(when: Conditions, line: PricedLine, inputs: FeeInputs) -> Iterator[Miss]:
    words: tuple[tuple[Condition, tuple[str, ...], str], ...] = (
        ("seller", when.seller_ids, inputs.seller_id),
        ("category", when.categories, line.category),
        ("kind", when.kinds, line.kind),
        ("currency", when.currencies, inputs.currency),
    )
    for condition, wanted, found in words:
        if wanted and found not in wanted:
            yield Miss(condition=condition, wanted=_one_of(wanted), found=found)
    total = inputs.total
    if (when.amount_from is not None and total < when.amount_from) or (
        when.amount_below is not None and total >= when.amount_below
    ):
        wanted_range = _range(when.amount_from, when.amount_below)
        yield Miss(condition="amount", wanted=wanted_range, found=str(total))
    if _outside(when, inputs.placed_at):
        found_at = "not known" if inputs.placed_at is None else inputs.placed_at.isoformat()
        window = _range(when.placed_from, when.placed_before)
        yield Miss(condition="placed_at", wanted=window, found=found_at)


def _outside(when: Conditions, placed_at: datetime | None) -> bool:
    if when.placed_from is None and when.placed_before is None:
        return False
    if placed_at is None:
        return True
    return (when.placed_from is not None and placed_at < when.placed_from) or (
        when.placed_before is not None and placed_at >= when.placed_before
    )


def _one_of(words: tuple[str, ...]) -> str:
    shown = ", ".join(words[:5])
    return f"{shown} or {len(words) - 5} others" if len(words) > 5 else shown


def _range(start: int | datetime | None, end: int | datetime | None) -> str:
    told = {"from": start, "below" if isinstance(end, int) else "before": end}
    return " ".join(
        f"{word} {bound.isoformat() if isinstance(bound, datetime) else bound}"
        for word, bound in told.items()
        if bound is not None
    )
