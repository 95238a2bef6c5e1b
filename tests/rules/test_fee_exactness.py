"""No cent is made or lost, whatever the rules, the cart and its refunds: tried with millions of orders."""

import random

import pytest

from marketplace.fees.checking import check_rules
from marketplace.fees.compiled import CompiledRules
from marketplace.fees.explaining import explain, misses
from marketplace.fees.pricing import FeePart
from marketplace.fees.rules import FeeInputs, FeeQuote, PricedLine, holds, quote, quote_captured
from marketplace.fees.schedule import FeeRule, Schedule
from payments.currencies import CURRENCIES
from payments.money import BASIS_POINTS, whole_share
from tests.fees import chance as by_chance
from tests.fees.refunding import live_through

EVERY_DAY = 3_000
SOAK = 3_000_000
CARTS_PER_SCHEDULE = 100


def schedule(rules: tuple[FeeRule, ...]) -> Schedule:
    check_rules(rules)
    return Schedule(id="fsc_1", version=1, rules=rules)


def check_quote(answer: FeeQuote, step: int) -> None:
    """What must hold for every fee there is."""
    amount = answer.inputs.total
    assert 0 <= answer.fee <= answer.total
    assert answer.fee + answer.seller_amount == answer.total == amount + answer.service_fee
    assert answer.fee == answer.fee_net + answer.fee_tax + answer.service_fee
    assert 0 <= answer.credit <= answer.inputs.credit
    assert 0 <= answer.service_fee <= amount
    assert sum(part.amount for part in answer.parts) == amount
    for part in answer.parts:
        assert 0 <= part.fee == part.fee_net + part.fee_tax == part.within_amount - part.credit
        assert part.fee_net >= 0
        assert part.fee_tax >= 0
        assert part.within_amount == min(part.gross, part.amount)
        assert part.before_limits == part.rate_amount + part.fixed + part.units_amount
        assert part.units_amount == part.fixed_per_unit * part.units
        assert part.after_floor == max(part.before_limits, part.floor)
        assert part.after_cap == (
            part.after_floor if part.cap is None else min(part.after_floor, part.cap)
        )
        assert part.gross == part.after_cap + part.tax_amount
        assert part.service_fee == min(part.service_rate_amount + part.service_fixed, part.amount)
        check_rates(part, step)
        if part.credit == 0 and part.gross <= part.amount:
            assert (part.fee_net, part.fee_tax) == (part.after_cap, part.tax_amount)
        assert part.fee % step == part.fee_net % step == part.service_fee % step == 0


def check_rates(part: FeePart, step: int) -> None:
    """Each rate of its amount, to the nearest step: never further off than half of one."""
    exact = part.amount * part.basis_points
    if part.tier_slices:
        assert sum(one.amount for one in part.tier_slices) == part.amount
        exact = sum(one.amount * one.basis_points for one in part.tier_slices)
    for rounded, of in (
        (part.rate_amount, exact),
        (part.tax_amount, part.after_cap * part.tax_basis_points),
        (part.service_rate_amount, part.amount * part.service_basis_points),
    ):
        assert rounded % step == 0
        # Half up: short of it by less than half a step, over it by at most that.
        assert -BASIS_POINTS * step <= 2 * (of - rounded * BASIS_POINTS) < BASIS_POINTS * step


def captured_of(chance: random.Random, inputs: FeeInputs) -> list[PricedLine]:
    """Some of the units of some of the lines, at the unit's price as far as it is whole."""
    found = []
    for line in inputs.lines:
        units = chance.randint(0, line.quantity)
        unit = line.amount // line.quantity // CURRENCIES[inputs.currency].step
        amount = (
            line.amount
            if units == line.quantity
            else units * unit * CURRENCIES[inputs.currency].step
        )
        if units and amount:
            found.append(
                PricedLine(
                    listing_id=line.listing_id,
                    category=line.category,
                    kind=line.kind,
                    amount=amount,
                    quantity=units,
                )
            )
    return found


def try_many(carts: int, seed: int) -> set[str]:
    """So many orders under rules by chance; answers the currencies there were."""
    chance = random.Random(seed)
    seen = set()
    for _ in range(carts // CARTS_PER_SCHEDULE):
        codes = by_chance.codes(chance)
        rules = by_chance.rules(chance, 6, codes)
        under, compiled = schedule(rules), CompiledRules(rules)
        for _ in range(CARTS_PER_SCHEDULE):
            currency = chance.choice(codes)
            seen.add(currency)
            answer = quote(under, by_chance.cart(chance, currency))
            check_quote(answer, CURRENCIES[currency].step)
            check_compiled(compiled, answer)
            captured = check_captured(chance, under, answer)
            live_through(chance, captured)
    return seen


def check_compiled(compiled: CompiledRules, answer: FeeQuote) -> None:
    inputs = answer.inputs
    amounts: dict[int, list[int]] = {}
    for line in inputs.lines:
        at = compiled.match(
            inputs.seller_id,
            inputs.currency,
            inputs.total,
            inputs.placed_at,
            line.category,
            line.kind,
        )
        sums = amounts.setdefault(at, [0, 0])
        sums[0] += line.amount
        sums[1] += line.quantity
    fees = [compiled.fees(at, inputs.currency, *sums) for at, sums in amounts.items()]
    assert tuple(compiled.rule_at(at).id for at in amounts) == answer.rule_ids
    assert [fee for fee, _ in fees] == [part.within_amount for part in answer.parts]
    assert sum(service for _, service in fees) == answer.service_fee


def check_captured(chance: random.Random, under: Schedule, placed: FeeQuote) -> FeeQuote:
    """Capture all of it or a part; answers what was captured."""
    whole = quote_captured(under, placed, placed.inputs.lines)
    assert (whole.fee, whole.total, whole.credit) == (placed.fee, placed.total, placed.credit)
    lines = captured_of(chance, placed.inputs) if chance.random() < 0.5 else []
    if not lines:
        return whole
    part = quote_captured(under, placed, lines)
    check_quote(part, CURRENCIES[placed.inputs.currency].step)
    assert part.total <= placed.total
    assert part.credit <= placed.credit
    assert part.service_fee == whole_share(
        placed.service_fee, part.inputs.total, placed.inputs.total, placed.inputs.currency
    )
    return part


def test_no_cent_is_made_or_lost() -> None:
    try_many(EVERY_DAY, seed=1121)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(4))
def test_no_cent_is_made_or_lost_in_millions_of_orders(seed: int) -> None:
    assert try_many(SOAK // 4, seed=seed) == set(CURRENCIES)


def test_what_is_explained_is_what_is_done() -> None:
    chance = random.Random(7)
    for _ in range(300):
        under = schedule(by_chance.rules(chance, 6))
        inputs = by_chance.cart(chance, "eur")
        explained = explain(under, inputs)
        assert explained.quote == quote(under, inputs)
        for line, told in zip(inputs.lines, explained.lines, strict=True):
            assert [one.matched for one in told.tried] == [False] * (len(told.tried) - 1) + [True]
            part = next(
                each for each in explained.quote.parts if line.listing_id in each.listing_ids
            )
            assert told.rule_id == part.rule_id
        for rule in under.rules:
            missing = misses(rule.when, inputs.lines[0], inputs)
            assert (not missing) == holds(rule.when, inputs.lines[0], inputs, inputs.total)
