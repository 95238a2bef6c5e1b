"""What a rule can charge: tiers, units, tax, credit, and what the buyer pays on top."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from marketplace.fees.checking import check_rules, problems_of
from marketplace.fees.explaining import explain
from marketplace.fees.pricing import FeePart, price
from marketplace.fees.rules import (
    FeeInputs,
    FeeQuote,
    PricedLine,
    quote,
    quote_captured,
    read_quote,
)
from marketplace.fees.schedule import Conditions, FeeRule, MalformedSchedule, Schedule, Tier

NOON = datetime(2026, 12, 24, 12, tzinfo=UTC)


def charged(amount: int, *, units: int = 1, credit: int = 0, **terms: Any) -> FeePart:
    rule = FeeRule(**{"id": "rest", "basis_points": 1_000, **terms})
    check_rules([rule])
    return price(rule, currency="eur", amount=amount, units=units, credit=credit)


def of(*rules: FeeRule) -> Schedule:
    check_rules(rules)
    return Schedule(id="fsc_1", version=1, rules=rules)


def cart(*lines: tuple[int, int], **facts: Any) -> FeeInputs:
    return FeeInputs(
        seller_id="sel_1",
        currency="eur",
        lines=tuple(
            PricedLine(
                listing_id=f"lst_{n}",
                category="yoga",
                kind="product",
                amount=amount,
                quantity=units,
            )
            for n, (amount, units) in enumerate(lines)
        ),
        **facts,
    )


TIERS = (
    Tier(amount_from=0, basis_points=1_500),
    Tier(amount_from=10_000, basis_points=1_000),
    Tier(amount_from=50_000, basis_points=500),
)


@pytest.mark.parametrize(
    ("amount", "expected", "slices"),
    [
        (9_999, 1_500, [9_999]),  # 1,499.85
        (10_000, 1_500, [10_000]),
        (10_001, 1_500, [10_000, 1]),  # 1,500.1
        (60_000, 1_500 + 4_000 + 500, [10_000, 40_000, 10_000]),
    ],
)
def test_tiers_take_each_slice_at_its_own_rate(
    amount: int, expected: int, slices: list[int]
) -> None:
    part = charged(amount, tiers={"eur": TIERS})
    assert (part.rate_amount, part.fee) == (expected, expected)
    assert [one.amount for one in part.tier_slices] == slices


def test_slices_are_added_before_they_are_rounded() -> None:
    halves = (Tier(amount_from=0, basis_points=50), Tier(amount_from=70, basis_points=50))
    # 0.35 and 0.35 of a cent: 0.7, not 0 and 0.
    assert charged(140, tiers={"eur": halves}).rate_amount == 1
    assert charged(140, basis_points=50).rate_amount == 1


def test_a_fixed_part_for_each_unit_is_taken_for_each_unit() -> None:
    part = charged(6_000, units=3, fixed={"eur": 30}, fixed_per_unit={"eur": 25})
    assert (part.units_amount, part.before_limits, part.fee) == (75, 600 + 30 + 75, 705)


def test_tax_is_added_to_the_fee_and_kept_apart() -> None:
    part = charged(6_000, tax_basis_points=1_900)
    assert (part.after_cap, part.tax_amount, part.gross) == (600, 114, 714)
    assert (part.fee, part.fee_net, part.fee_tax) == (714, 600, 114)


def test_a_fee_that_the_amount_limits_still_holds_its_tax() -> None:
    part = charged(100, fixed={"eur": 200}, tax_basis_points=2_500)
    assert (part.gross, part.within_amount) == (263, 100)
    assert (part.fee, part.fee_net, part.fee_tax) == (100, 80, 20)


def test_credit_lessens_fee_and_tax_together() -> None:
    part = charged(6_000, tax_basis_points=1_900, credit=238)
    assert (part.credit, part.fee, part.fee_net, part.fee_tax) == (238, 476, 400, 76)
    used_up = charged(6_000, tax_basis_points=1_900, credit=10_000)
    assert (used_up.credit, used_up.fee, used_up.fee_net, used_up.fee_tax) == (714, 0, 0, 0)


def test_credit_is_used_by_one_part_after_the_other() -> None:
    rules = (
        FeeRule(id="yoga", basis_points=1_000, when=Conditions(categories=("yoga",))),
        FeeRule(id="rest", basis_points=2_000),
    )
    lines = cart((1_000, 1), (1_000, 1), credit=250).lines
    chess = msgspec.structs.replace(lines[1], category="chess")
    inputs = msgspec.structs.replace(cart(credit=250), lines=(lines[0], chess))
    answer = quote(of(*rules), inputs)
    assert [(part.credit, part.fee) for part in answer.parts] == [(100, 0), (150, 50)]
    assert (answer.credit, answer.fee, answer.seller_amount) == (250, 50, 1_950)


def test_the_buyer_pays_the_service_fee_on_top() -> None:
    rule = FeeRule(
        id="rest", basis_points=1_000, service_basis_points=500, service_fixed={"eur": 50}
    )
    answer = quote(of(rule), cart((6_000, 1)))
    assert (answer.service_fee, answer.total) == (350, 6_350)
    assert (answer.fee, answer.seller_amount) == (600 + 350, 5_400)
    (part,) = answer.parts
    assert (part.service_rate_amount, part.service_fixed) == (300, 50)


def test_a_partial_capture_scales_what_the_buyer_agreed_to() -> None:
    rule = FeeRule(
        id="rest",
        basis_points=1_000,
        fixed_per_unit={"eur": 10},
        service_fixed={"eur": 100},
    )
    placed = quote(of(rule), cart((6_000, 3), credit=400))
    assert (placed.total, placed.fee, placed.credit) == (6_100, 330, 400)
    third = quote_captured(of(rule), placed, cart((2_000, 1)).lines)
    # A third of the service fee; the rate and one unit's part, which the credit takes off whole.
    assert (third.total, third.service_fee, third.credit) == (2_033, 33, 210)
    assert (third.fee, third.seller_amount) == (33, 2_000)
    assert quote_captured(of(rule), placed, placed.inputs.lines).fee == placed.fee


def test_a_promotion_is_a_rule_with_a_date_window() -> None:
    promotion = FeeRule(
        id="christmas",
        basis_points=0,
        when=Conditions(placed_from=NOON, placed_before=NOON + timedelta(days=3)),
    )
    schedule = of(promotion, FeeRule(id="rest", basis_points=1_000))
    instant = timedelta(microseconds=1)
    for at, expected in (
        (NOON - instant, 600),
        (NOON, 0),
        (NOON + timedelta(days=3) - instant, 0),
        (NOON + timedelta(days=3), 600),
    ):
        assert quote(schedule, cart((6_000, 1), placed_at=at)).fee == expected
    # What was priced before orders kept their time is outside every window.
    assert quote(schedule, cart((6_000, 1))).fee == 600


def test_an_explanation_says_why_a_rule_did_not_match() -> None:
    narrow = FeeRule(
        id="narrow",
        basis_points=1,
        when=Conditions(
            seller_ids=("sel_2",),
            categories=("a", "b", "c", "d", "e", "f"),
            kinds=("session",),
            currencies=("usd",),
            amount_from=100,
            amount_below=5_000,
            placed_from=NOON,
        ),
    )
    explained = explain(of(narrow, FeeRule(id="rest", basis_points=1_000)), cart((6_000, 1)))
    (line,) = explained.lines
    assert [(tried.rule_id, tried.matched) for tried in line.tried] == [
        ("narrow", False),
        ("rest", True),
    ]
    assert [(miss.condition, miss.wanted, miss.found) for miss in line.tried[0].misses] == [
        ("seller", "sel_2", "sel_1"),
        ("category", "a, b, c, d, e or 1 others", "yoga"),
        ("kind", "session", "product"),
        ("currency", "usd", "eur"),
        ("amount", "from 100 below 5000", "6000"),
        ("placed_at", "from 2026-12-24T12:00:00+00:00", "not known"),
    ]


def test_a_working_of_the_first_format_is_still_read() -> None:
    old = (
        b'{"schedule_id":"fsc_1","schedule_version":1,"inputs":{"seller_id":"sel_1","currency":"eur",'
        b'"lines":[{"listing_id":"lst_0","category":"yoga","kind":"product","amount":6000}]},"parts":'
        b'[{"rule_id":"rest","listing_ids":["lst_0"],"amount":6000,"basis_points":1000,"rate_amount":600,'
        b'"fixed":30,"floor":60,"cap":30000,"before_limits":630,"after_floor":630,"after_cap":630,'
        b'"fee":630}],"total":6000,"fee":630,"seller_amount":5370,"format":1}'
    )
    kept = read_quote(old)
    assert (kept.fee, kept.fee_net, kept.fee_tax, kept.service_fee) == (630, 630, 0, 0)
    rule = FeeRule(
        id="rest", basis_points=1_000, fixed={"eur": 30}, floor={"eur": 60}, cap={"eur": 30_000}
    )
    again = quote(of(rule), kept.inputs)
    assert (again.fee, again.total, again.seller_amount) == (kept.fee, kept.total, 5_370)
    assert quote_captured(of(rule), kept, kept.inputs.lines).fee == kept.fee
    assert read_quote(msgspec.json.encode(again)) == again
    assert msgspec.json.decode(old, type=FeeQuote).fee == 630


@pytest.mark.parametrize(
    ("terms", "path", "why"),
    [
        ({"tiers": {"eur": ()}}, "tiers.eur", "no_tiers"),
        (
            {"tiers": {"eur": TIERS[1:]}},
            "tiers.eur[0].amount_from",
            "first_tier_not_from_zero",
        ),
        (
            {"tiers": {"eur": (*TIERS, TIERS[1])}},
            "tiers.eur[3].amount_from",
            "tiers_not_ascending",
        ),
        ({"tiers": {"xxx": TIERS}}, "tiers.xxx[0].amount_from", "currency_unknown"),
        ({"tax_basis_points": -1}, "tax_basis_points", "basis_points_outside"),
        ({"service_fixed": {"isk": 150}}, "service_fixed.isk", "amount_not_whole"),
        ({"fixed_per_unit": {"eur": -5}}, "fixed_per_unit.eur", "amount_outside"),
    ],
)
def test_a_problem_says_where_it_is(terms: dict[str, Any], path: str, why: str) -> None:
    with pytest.raises(MalformedSchedule) as refusal:
        check_rules([FeeRule(**{"id": "rest", "basis_points": 1_000, **terms})])
    assert (refusal.value.path, refusal.value.why) == (f"rules[0].{path}", why)


@pytest.mark.parametrize(
    ("when", "path", "why"),
    [
        ({"currencies": ("eur", "xxx")}, "currencies[1]", "currency_unknown"),
        ({"categories": ("yoga", " ")}, "categories[1]", "empty"),
        ({"seller_ids": ("a", "b", "a")}, "seller_ids[2]", "repeated"),
        ({"currencies": ("eur",), "amount_below": 0}, "amount_below", "amount_range_empty"),
        ({"placed_from": NOON, "placed_before": NOON}, "placed_before", "date_window_empty"),
        ({"placed_from": NOON.replace(tzinfo=None)}, "placed_from", "time_without_zone"),
    ],
)
def test_a_condition_that_contradicts_itself_is_refused(
    when: dict[str, Any], path: str, why: str
) -> None:
    rule = FeeRule(id="special", basis_points=1, when=Conditions(**when))
    told = [(one.path, one.why) for one in problems_of([rule, FeeRule(id="rest", basis_points=1)])]
    assert (f"rules[0].when.{path}", why) in told


def test_a_rule_for_certain_currencies_knows_each_of_them_and_no_other() -> None:
    when = Conditions(currencies=("eur", "usd"))
    rule = FeeRule(id="special", basis_points=1, when=when, fixed={"eur": 30, "gbp": 25})
    told = [(one.path, one.why) for one in problems_of([rule, FeeRule(id="rest", basis_points=1)])]
    assert told == [
        ("rules[0].fixed.gbp", "currency_never_matches"),
        ("rules[0].fixed.usd", "currency_not_named"),
    ]


def test_every_problem_is_told_at_once() -> None:
    rules = [FeeRule(id="Bad", basis_points=-1), FeeRule(id="rest", basis_points=1)]
    assert [(one.path, one.why) for one in problems_of(rules)] == [
        ("rules[0].id", "rule_id_shape"),
        ("rules[0].basis_points", "basis_points_outside"),
        ("rules[0].when", "rules_after_catch_all"),
    ]
