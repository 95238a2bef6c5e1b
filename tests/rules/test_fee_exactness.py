"""No cent is made or lost, whatever the rules and the cart: tried with hundreds of thousands of both."""

import random

import pytest

from marketplace.fees.checking import check_rules
from marketplace.fees.compiled import CompiledRules
from marketplace.fees.explaining import explain, misses
from marketplace.fees.rules import FeeInputs, FeeQuote, PricedLine, holds, quote, quote_captured
from marketplace.fees.schedule import FeeRule, Schedule
from payments.currencies import CURRENCIES
from payments.money import cumulative_share, whole_share
from tests.fees import chance as by_chance

EVERY_DAY = 200_000
SOAK = 3_000_000
CARTS_PER_SCHEDULE = 200


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
        assert part.within_amount <= part.amount
        if part.credit == 0 and part.gross <= part.amount:
            assert (part.fee_net, part.fee_tax) == (part.after_cap, part.tax_amount)
        assert part.fee % step == part.fee_net % step == part.service_fee % step == 0


def check_refunds(chance: random.Random, answer: FeeQuote) -> None:
    """Any sequence of partial refunds returns the fee to the cent, and never too much on the way."""
    refunded = returned = 0
    while refunded < answer.total:
        refunded += chance.randint(1, answer.total - refunded)
        more = cumulative_share(answer.fee, refunded, answer.total) - returned
        assert more >= 0
        returned += more
        assert 0 <= answer.total - refunded - (answer.fee - returned) <= answer.seller_amount
    assert returned == answer.fee


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


def try_many(carts: int, seed: int) -> None:
    chance = random.Random(seed)
    currencies = sorted(CURRENCIES)
    for number in range(carts // CARTS_PER_SCHEDULE):
        rules = by_chance.rules(chance, 6)
        under, compiled = schedule(rules), CompiledRules(rules)
        for turn in range(CARTS_PER_SCHEDULE):
            # The four that rules have amounts in, and every other one in turn.
            currency = (
                chance.choice(("eur", "isk", "jpy", "kwd"))
                if turn % 4
                else currencies[(number + turn) % len(currencies)]
            )
            inputs = by_chance.cart(chance, currency)
            answer = quote(under, inputs)
            check_quote(answer, CURRENCIES[currency].step)
            check_compiled(compiled, answer)
            if turn % 8 == 0:
                check_refunds(chance, answer)
                check_captured(chance, under, answer)


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


def check_captured(chance: random.Random, under: Schedule, placed: FeeQuote) -> None:
    whole = quote_captured(under, placed, placed.inputs.lines)
    assert (whole.fee, whole.total, whole.credit) == (placed.fee, placed.total, placed.credit)
    lines = captured_of(chance, placed.inputs)
    if not lines:
        return
    part = quote_captured(under, placed, lines)
    check_quote(part, CURRENCIES[placed.inputs.currency].step)
    assert part.total <= placed.total
    assert part.credit <= placed.credit
    assert part.service_fee == whole_share(
        placed.service_fee, part.inputs.total, placed.inputs.total, placed.inputs.currency
    )


def test_no_cent_is_made_or_lost() -> None:
    try_many(EVERY_DAY, seed=1121)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(4))
def test_no_cent_is_made_or_lost_in_millions_of_orders(seed: int) -> None:
    try_many(SOAK // 4, seed=seed)


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
