"""Versioned fee schedules: ordered rules, of which the first that matches decides. Pure.

Amounts are minor units, each beside its currency; rates are basis points (1500 is 15 %).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from marketplace.catalog.listings import Kind
from payments.currencies import MAXIMUM_CHARGE
from payments.currencies import currency as find_currency
from payments.errors import CurrencyUnknown
from payments.money import BASIS_POINTS

RULES_LIMIT: Final = 200
_RULE_ID: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,59}")


class MalformedSchedule(Exception):
    """A schedule that cannot price every order: `why` is a stable word, `rule_id` the culprit."""

    def __init__(self, why: str, rule_id: str | None = None) -> None:
        self.why, self.rule_id = why, rule_id
        super().__init__(why, rule_id)


class Conditions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a rule applies. An empty list means any; every condition that is given must hold.

    `amount_from` and `amount_below` look at the order's total, so that splitting an order into lines
    changes nothing; they need `currencies`, because an amount without one says nothing.
    """

    seller_ids: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = ()
    currencies: tuple[str, ...] = ()
    amount_from: int | None = None
    amount_below: int | None = None

    @property
    def any_order(self) -> bool:
        """Whether these conditions hold for every order there can be."""
        return self == Conditions()


class FeeRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rate, and per currency a fixed part, a floor and a cap.

    A currency that `fixed` or `floor` does not name has none (zero); one that `cap` does not name is
    not capped.
    """

    id: str
    basis_points: int
    when: Conditions = Conditions()
    fixed: dict[str, int] = {}
    floor: dict[str, int] = {}
    cap: dict[str, int] = {}


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """One immutable version of the platform's fee rules."""

    id: str
    version: int
    rules: tuple[FeeRule, ...]


def check_rules(rules: Sequence[FeeRule]) -> None:
    """Refuse rules that could not price every order exactly. Raises MalformedSchedule.

    The last rule must apply to every order, and only the last: anything after such a rule is dead.
    """
    if not rules:
        raise MalformedSchedule("no_rules")
    if len(rules) > RULES_LIMIT:
        raise MalformedSchedule("too_many_rules")
    seen: set[str] = set()
    for rule in rules:
        if rule.id in seen:
            raise MalformedSchedule("rule_id_repeated", rule.id)
        seen.add(rule.id)
        _check_rule(rule)
    for rule in rules[:-1]:
        if rule.when.any_order:
            raise MalformedSchedule("rules_after_catch_all", rule.id)
    if not rules[-1].when.any_order:
        raise MalformedSchedule("no_catch_all", rules[-1].id)


def _check_rule(rule: FeeRule) -> None:
    if not _RULE_ID.fullmatch(rule.id):
        raise MalformedSchedule("rule_id_shape", rule.id)
    if not 0 <= rule.basis_points <= BASIS_POINTS:
        raise MalformedSchedule("basis_points_outside", rule.id)
    _check_conditions(rule.when, rule.id)
    for amounts in (rule.fixed, rule.floor, rule.cap):
        _check_amounts(amounts, rule.id)
    for code, floor in rule.floor.items():
        if floor > rule.cap.get(code, MAXIMUM_CHARGE):
            raise MalformedSchedule("floor_above_cap", rule.id)


def _check_conditions(when: Conditions, rule_id: str) -> None:
    for code in when.currencies:
        _check_currency(code, rule_id)
    bounds = [bound for bound in (when.amount_from, when.amount_below) if bound is not None]
    if not bounds:
        return
    if not when.currencies:
        raise MalformedSchedule("amount_without_currency", rule_id)
    if not all(0 <= bound <= MAXIMUM_CHARGE + 1 for bound in bounds):
        raise MalformedSchedule("amount_outside", rule_id)
    if len(bounds) == 2 and bounds[0] >= bounds[1]:
        raise MalformedSchedule("amount_range_empty", rule_id)


def _check_amounts(amounts: Mapping[str, int], rule_id: str) -> None:
    for code, amount in amounts.items():
        _check_currency(code, rule_id)
        if not 0 <= amount <= MAXIMUM_CHARGE:
            raise MalformedSchedule("amount_outside", rule_id)
        if amount % find_currency(code).step:
            raise MalformedSchedule("amount_not_whole", rule_id)


def _check_currency(code: str, rule_id: str) -> None:
    try:
        find_currency(code)
    except CurrencyUnknown:
        raise MalformedSchedule("currency_unknown", rule_id) from None
