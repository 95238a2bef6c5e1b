"""Schedules and carts made by chance, over a world small enough to look at all of it."""

import itertools
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from marketplace.catalog.listings import Kind
from marketplace.fees.rules import FeeInputs, PricedLine
from marketplace.fees.schedule import Conditions, FeeRule, Tier
from payments.currencies import CURRENCIES, MAXIMUM_CHARGE

SELLERS = ("sel_a", "sel_b")
CATEGORIES = ("chess", "yoga")
KINDS: tuple[Kind, ...] = ("product", "session")
NAMED = ("eur", "isk")
BOUNDS = (100, 150, 199, 350, 1_000)
START = datetime(2026, 12, 1, tzinfo=UTC)
TIMES = tuple(START + timedelta(days=days) for days in (0, 7, 14))
_INSTANT = timedelta(microseconds=1)


USUAL = ("eur", "isk", "jpy", "kwd")
_BY_STEP = {
    step: sorted(code for code, rules in CURRENCIES.items() if (rules.step, rules.exponent) == step)
    for step in {(rules.step, rules.exponent) for rules in CURRENCIES.values()}
}


def codes(chance: random.Random) -> tuple[str, ...]:
    """Currencies of one schedule: one of each shape, those without and with three decimals too."""
    shapes = [chance.choice(_BY_STEP[shape]) for shape in sorted(_BY_STEP)]
    return (*shapes, chance.choice(sorted(CURRENCIES)))


def conditions(chance: random.Random, named: Sequence[str] = NAMED) -> Conditions:
    """Some of the conditions, rarely all."""

    def some(words: Sequence[str]) -> tuple[str, ...]:
        return tuple(chance.sample(words, chance.randint(1, len(words))))

    when: dict[str, object] = {}
    if chance.random() < 0.3:
        when["seller_ids"] = some(SELLERS)
    if chance.random() < 0.4:
        when["categories"] = some(CATEGORIES)
    if chance.random() < 0.3:
        when["kinds"] = some(KINDS)
    if chance.random() < 0.6:
        when["currencies"] = some(tuple(dict.fromkeys(named)))
        low, high = sorted(chance.sample(BOUNDS, 2))
        if chance.random() < 0.5:
            when["amount_from"] = low
        if chance.random() < 0.5:
            when["amount_below"] = high
    start, end = sorted(chance.sample(TIMES, 2))
    if chance.random() < 0.3:
        when["placed_from"] = start
    if chance.random() < 0.3:
        when["placed_before"] = end
    return Conditions(**when)  # type: ignore[arg-type]


def rules(
    chance: random.Random, how_many: int, among: Sequence[str] = USUAL
) -> tuple[FeeRule, ...]:
    """So many rules and one that matches everything, with terms of every kind."""
    found = []
    named = NAMED if among is USUAL else among
    for number in range(how_many):
        when = conditions(chance, named)
        if not when.any_order:
            found.append(rule(chance, f"rule-{number}", when, among))
    return (*found, rule(chance, "rest", Conditions(), among))


def rule(
    chance: random.Random, rule_id: str, when: Conditions, among: Sequence[str] = USUAL
) -> FeeRule:
    """A rule with these conditions; where it names amounts it knows every currency it is for."""
    codes = when.currencies or among

    def amounts(limit: int) -> dict[str, int]:
        if chance.random() < 0.5:
            return {}
        return {code: _whole(chance.randint(0, limit), code) for code in codes}

    floor, more = amounts(600), amounts(3_000)
    cap = {code: floor.get(code, 0) + amount for code, amount in more.items()}
    return FeeRule(
        id=rule_id,
        when=when,
        basis_points=_rate(chance),
        fixed=amounts(200),
        fixed_per_unit=amounts(100),
        floor=floor,
        cap=cap,
        tiers=_all_tiers(chance, when, codes),
        tax_basis_points=chance.choice((0, 0, 1_900, 2_500, 777)),
        service_basis_points=chance.choice((0, 0, 250, 1_000)),
        service_fixed=amounts(100),
    )


def cart(chance: random.Random, currency: str, most: int = 40_000) -> FeeInputs:
    """An order of up to five lines whose prices exist in the currency."""
    lines = tuple(
        PricedLine(
            listing_id=f"lst_{number}",
            category=chance.choice((*CATEGORIES, "other")),
            kind=chance.choice(KINDS),
            amount=max(_whole(chance.randint(1, most), currency), CURRENCIES[currency].step),
            quantity=chance.randint(1, 4),
        )
        for number in range(chance.choice((1, 1, 1, 2, 3, 5)))
    )
    return FeeInputs(
        seller_id=chance.choice((*SELLERS, "sel_other")),
        currency=currency,
        lines=lines,
        placed_at=chance.choice(TIMES) + chance.choice((-_INSTANT, _INSTANT * 0)),
        credit=chance.choice((0, 0, _whole(chance.randint(0, 5_000), currency))),
    )


def every_order(used: tuple[FeeRule, ...]) -> Iterator[FeeInputs]:
    """One order of one line for each thing the rules could tell apart."""
    bounds = {bound for rule in used for bound in (rule.when.amount_from, rule.when.amount_below)}
    times = {at for rule in used for at in (rule.when.placed_from, rule.when.placed_before)}
    moments = {START - timedelta(days=9)}
    for at in times - {None}:
        assert at is not None
        moments |= {at - _INSTANT, at}
    for currency in (*NAMED, "usd"):
        step = CURRENCIES[currency].step
        amounts = {step, MAXIMUM_CHARGE // step * step}
        for bound in bounds - {None}:
            assert bound is not None
            amounts |= {(bound - 1) // step * step, -(-bound // step) * step}
        for seller, category, kind, amount, moment in itertools.product(
            (*SELLERS, "sel_other"), (*CATEGORIES, "other"), KINDS, amounts - {0}, moments
        ):
            line = PricedLine(listing_id="lst", category=category, kind=kind, amount=amount)
            yield FeeInputs(seller_id=seller, currency=currency, lines=(line,), placed_at=moment)


def _whole(amount: int, code: str) -> int:
    step = CURRENCIES[code].step
    return amount // step * step


def _rate(chance: random.Random) -> int:
    return chance.choice((0, 1, 333, 1_000, 1_500, 9_999, 10_000))


def _all_tiers(
    chance: random.Random, when: Conditions, codes: Sequence[str]
) -> dict[str, tuple[Tier, ...]]:
    """For some currencies; of a rule for certain ones for all of them or none."""
    if when.currencies:
        return {code: _tiers(chance, code) for code in codes} if chance.random() < 0.3 else {}
    return {code: _tiers(chance, code) for code in codes if chance.random() < 0.3}


def _tiers(chance: random.Random, code: str) -> tuple[Tier, ...]:
    starts = sorted({0, *(_whole(chance.randint(0, 20_000), code) for _ in range(3))})
    return tuple(Tier(amount_from=start, basis_points=_rate(chance)) for start in starts)
