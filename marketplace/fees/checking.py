"""What a fee schedule must be before it may price an order. Pure; tells every problem."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from marketplace.fees.schedule import (
    RULES_LIMIT,
    Conditions,
    FeeRule,
    MalformedSchedule,
    Problem,
    Tier,
)
from payments.currencies import CURRENCIES, MAXIMUM_CHARGE
from payments.money import BASIS_POINTS

_RULE_ID: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,59}")
_PROBLEMS_LIMIT: Final = 50
TIERS_LIMIT: Final = 20

_Found = Iterator[tuple[str, str]]
"""Where below the rule, and why."""


def check_rules(rules: Sequence[FeeRule]) -> None:
    """Refuse rules that could not price every order exactly. Raises MalformedSchedule.

    The last rule must apply to every order, and only the last: anything after such a rule is dead.
    """
    problems = problems_of(rules)
    if problems:
        raise MalformedSchedule(*problems[:_PROBLEMS_LIMIT])


def problems_of(rules: Sequence[FeeRule]) -> list[Problem]:
    """Everything that is wrong with them, in their order."""
    if not rules:
        return [Problem("rules", "no_rules")]
    if len(rules) > RULES_LIMIT:
        return [Problem("rules", "too_many_rules")]
    found: list[Problem] = []
    seen: set[str] = set()
    last = len(rules) - 1
    for position, rule in enumerate(rules):
        told = list(_of_rule(rule))
        if rule.id in seen:
            told.insert(0, (".id", "rule_id_repeated"))
        seen.add(rule.id)
        if rule.when.any_order and position != last:
            told.append((".when", "rules_after_catch_all"))
        if not rule.when.any_order and position == last:
            told.append((".when", "no_catch_all"))
        found += [Problem(f"rules[{position}]{path}", why, rule.id) for path, why in told]
    return found


def _of_rule(rule: FeeRule) -> _Found:
    if not _RULE_ID.fullmatch(rule.id):
        yield ".id", "rule_id_shape"
    for name in ("basis_points", "tax_basis_points", "service_basis_points"):
        if not 0 <= getattr(rule, name) <= BASIS_POINTS:
            yield f".{name}", "basis_points_outside"
    yield from _of_conditions(rule.when)
    for name in ("fixed", "fixed_per_unit", "floor", "cap", "service_fixed"):
        for code, amount in getattr(rule, name).items():
            yield from _of_amount(f".{name}.{code}", code, amount)
        yield from _known_currencies(f".{name}", getattr(rule, name), rule.when)
    for code, tiers in rule.tiers.items():
        yield from _of_tiers(f".tiers.{code}", code, tiers)
    yield from _known_currencies(".tiers", rule.tiers, rule.when)
    for code, floor in rule.floor.items():
        if floor > rule.cap.get(code, MAXIMUM_CHARGE):
            yield f".floor.{code}", "floor_above_cap"


def _of_conditions(when: Conditions) -> _Found:
    for name in ("seller_ids", "categories", "kinds", "currencies"):
        given: tuple[str, ...] = getattr(when, name)
        for position, word in enumerate(given):
            if not word.strip():
                yield f".when.{name}[{position}]", "empty"
            elif word in given[:position]:
                yield f".when.{name}[{position}]", "repeated"
    for position, code in enumerate(when.currencies):
        if code not in CURRENCIES:
            yield f".when.currencies[{position}]", "currency_unknown"
    yield from _of_amount_range(when)
    yield from _of_date_window(when)


def _of_amount_range(when: Conditions) -> _Found:
    bounds = {"amount_from": when.amount_from, "amount_below": when.amount_below}
    for name, bound in bounds.items():
        if bound is None:
            continue
        if not when.currencies:
            yield f".when.{name}", "amount_without_currency"
        if not 0 <= bound <= MAXIMUM_CHARGE + 1:
            yield f".when.{name}", "amount_outside"
    if when.amount_below is not None and (when.amount_from or 0) >= when.amount_below:
        yield ".when.amount_below", "amount_range_empty"


def _of_date_window(when: Conditions) -> _Found:
    bounds = {"placed_from": when.placed_from, "placed_before": when.placed_before}
    without = [name for name, bound in bounds.items() if bound is not None and bound.tzinfo is None]
    for name in without:
        yield f".when.{name}", "time_without_zone"
    if without or when.placed_from is None or when.placed_before is None:
        return
    if when.placed_from >= when.placed_before:
        yield ".when.placed_before", "date_window_empty"


def _of_tiers(path: str, code: str, tiers: Sequence[Tier]) -> _Found:
    if not 1 <= len(tiers) <= TIERS_LIMIT:
        yield path, "no_tiers" if not tiers else "too_many_tiers"
        return
    if tiers[0].amount_from != 0:
        yield f"{path}[0].amount_from", "first_tier_not_from_zero"
    for position, tier in enumerate(tiers):
        yield from _of_amount(f"{path}[{position}].amount_from", code, tier.amount_from)
        if not 0 <= tier.basis_points <= BASIS_POINTS:
            yield f"{path}[{position}].basis_points", "basis_points_outside"
        if position and tier.amount_from <= tiers[position - 1].amount_from:
            yield f"{path}[{position}].amount_from", "tiers_not_ascending"


def _of_amount(path: str, code: str, amount: int) -> _Found:
    if code not in CURRENCIES:
        yield path, "currency_unknown"
    elif not 0 <= amount <= MAXIMUM_CHARGE:
        yield path, "amount_outside"
    elif amount % CURRENCIES[code].step:
        yield path, "amount_not_whole"


def _known_currencies(path: str, amounts: Mapping[str, Any], when: Conditions) -> _Found:
    """A rule for certain currencies says all it says of each of them, and of no other."""
    if not when.currencies or not amounts:
        return
    for code in amounts:
        if code not in when.currencies:
            yield f"{path}.{code}", "currency_never_matches"
    for code in when.currencies:
        if code not in amounts:
            yield f"{path}.{code}", "currency_not_named"
