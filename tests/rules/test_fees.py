"""The application fee: which rule, how much, and every integer on the way."""

from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.fees.checking import check_rules
from marketplace.fees.rules import FeeInputs, FeeQuote, PricedLine, quote
from marketplace.fees.schedule import Conditions, FeeRule, MalformedSchedule, Schedule
from payments.currencies import MAXIMUM_CHARGE

REST = FeeRule(id="rest", basis_points=1_000)


def schedule(*rules: FeeRule) -> Schedule:
    check_rules(rules)
    return Schedule(id="fsc_1", version=1, rules=rules)


def inputs(*amounts: int, currency: str = "eur", **line: str) -> FeeInputs:
    facts = {"category": "yoga", "kind": "product", **line}
    return FeeInputs(
        seller_id="sel_1",
        currency=currency,
        lines=tuple(
            PricedLine(listing_id=f"lst_{n}", amount=amount, **facts)  # type: ignore[arg-type]
            for n, amount in enumerate(amounts)
        ),
    )


def fee(rule: FeeRule, amount: int, currency: str = "eur") -> int:
    return quote(schedule(rule), inputs(amount, currency=currency)).fee


@pytest.mark.parametrize(
    ("amount", "basis_points", "expected"),
    [
        (6_000, 1_000, 600),
        (1_005, 1_000, 101),  # 100.5 goes up
        (1_004, 1_000, 100),
        (333, 1_500, 50),  # 49.95
        (50, 0, 0),
        (50, 10_000, 50),
        (99_999_999, 1, 10_000),
    ],
)
def test_a_rate_is_rounded_half_up_once(amount: int, basis_points: int, expected: int) -> None:
    assert fee(FeeRule(id="rest", basis_points=basis_points), amount) == expected


def test_fixed_floor_and_cap_belong_to_a_currency() -> None:
    rule = FeeRule(
        id="rest",
        basis_points=1_000,
        fixed={"eur": 30, "jpy": 50},
        floor={"eur": 100},
        cap={"eur": 2_000},
    )
    assert fee(rule, 5_000) == 530
    assert fee(rule, 500) == 100  # 80 is below the floor
    assert fee(rule, 50_000) == 2_000  # 5,030 is above the cap
    assert fee(rule, 500, "jpy") == 100
    assert fee(rule, 500, "usd") == 50  # nothing is fixed in a currency no one named


def test_the_fee_is_never_more_than_the_amount() -> None:
    assert fee(FeeRule(id="rest", basis_points=0, floor={"eur": 500}), 100) == 100


@pytest.mark.parametrize(
    ("currency", "amount", "expected"),
    [("isk", 12_300, 1_200), ("kwd", 12_340, 1_230), ("jpy", 1_005, 101)],
)
def test_the_fee_is_a_whole_step_of_its_currency(currency: str, amount: int, expected: int) -> None:
    assert fee(REST, amount, currency) == expected


def test_the_first_rule_that_matches_decides() -> None:
    rules = (
        FeeRule(id="friend", basis_points=100, when=Conditions(seller_ids=("sel_1",))),
        FeeRule(id="yoga", basis_points=200, when=Conditions(categories=("yoga",))),
        REST,
    )
    assert quote(schedule(*rules), inputs(1_000)).rule_ids == ("friend",)
    assert quote(schedule(*rules[1:]), inputs(1_000)).rule_ids == ("yoga",)
    assert quote(schedule(*rules[1:]), inputs(1_000, category="chess")).rule_ids == ("rest",)


@pytest.mark.parametrize(
    ("when", "matches"),
    [
        (Conditions(seller_ids=("sel_2",)), False),
        (Conditions(kinds=("product",)), True),
        (Conditions(kinds=("session",)), False),
        (Conditions(currencies=("usd", "eur")), True),
        (Conditions(currencies=("usd",)), False),
        (Conditions(currencies=("eur",), amount_from=1_000), True),
        (Conditions(currencies=("eur",), amount_from=1_001), False),
        (Conditions(currencies=("eur",), amount_below=1_001), True),
        (Conditions(currencies=("eur",), amount_below=1_000), False),
        (Conditions(categories=("yoga",), kinds=("session",)), False),
    ],
)
def test_every_condition_given_must_hold(when: Conditions, matches: bool) -> None:
    special = FeeRule(id="special", basis_points=1, when=when)
    answer = quote(schedule(special, REST), inputs(1_000))
    assert answer.rule_ids == (("special",) if matches else ("rest",))


def test_amount_conditions_look_at_the_order_not_at_a_line() -> None:
    large = FeeRule(
        id="large", basis_points=500, when=Conditions(currencies=("eur",), amount_from=1_000)
    )
    assert quote(schedule(large, REST), inputs(400, 600)).rule_ids == ("large",)


def test_lines_of_one_rule_are_priced_together_and_parts_add_up() -> None:
    yoga = FeeRule(
        id="yoga", basis_points=333, fixed={"eur": 25}, when=Conditions(categories=("yoga",))
    )
    lines = FeeInputs(
        seller_id="sel_1",
        currency="eur",
        lines=(
            PricedLine(listing_id="lst_a", category="yoga", kind="product", amount=1_015),
            PricedLine(listing_id="lst_b", category="chess", kind="product", amount=1_005),
            PricedLine(listing_id="lst_c", category="yoga", kind="product", amount=985),
        ),
    )
    answer = quote(schedule(yoga, REST), lines)
    assert [(part.rule_id, part.listing_ids, part.fee) for part in answer.parts] == [
        ("yoga", ("lst_a", "lst_c"), 67 + 25),
        ("rest", ("lst_b",), 101),
    ]
    assert answer.fee == 193
    assert answer.seller_amount == 3_005 - 193


def test_a_quote_keeps_every_integer_and_comes_back_from_json() -> None:
    rule = FeeRule(
        id="rest", basis_points=1_000, fixed={"eur": 30}, floor={"eur": 700}, cap={"eur": 650}
    )
    with pytest.raises(MalformedSchedule):
        check_rules([rule])
    rule = msgspec.structs.replace(rule, floor={"eur": 640})
    answer = quote(schedule(rule), inputs(6_000))
    (part,) = answer.parts
    assert (part.rate_amount, part.before_limits, part.after_floor, part.after_cap, part.fee) == (
        600,
        630,
        640,
        640,
        640,
    )
    assert msgspec.json.decode(msgspec.json.encode(answer), type=FeeQuote) == answer


amounts = st.lists(st.integers(1, 2_000_000), min_size=1, max_size=50)
money = st.integers(0, 5_000)


@given(amounts, st.integers(0, 10_000), money, money, money)
def test_fee_and_remainder_are_the_whole_and_the_rate_is_exact(
    line_amounts: list[int], basis_points: int, fixed: int, floor: int, more: int
) -> None:
    rule = FeeRule(
        id="rest",
        basis_points=basis_points,
        fixed={"eur": fixed},
        floor={"eur": floor},
        cap={"eur": floor + more},
    )
    answer = quote(schedule(rule), inputs(*line_amounts))
    assert 0 <= answer.fee <= answer.total == sum(line_amounts)
    assert answer.fee + answer.seller_amount == answer.total
    assert min(floor, answer.total) <= answer.fee <= floor + more
    (part,) = answer.parts
    exact = Fraction(answer.total * basis_points, 10_000)
    assert Fraction(-1, 2) < part.rate_amount - exact <= Fraction(1, 2)


@given(amounts, st.integers(0, 10_000), money)
def test_splitting_an_order_into_lines_changes_nothing(
    line_amounts: list[int], basis_points: int, fixed: int
) -> None:
    rules = schedule(FeeRule(id="rest", basis_points=basis_points, fixed={"eur": fixed}))
    assert quote(rules, inputs(*line_amounts)).fee == quote(rules, inputs(sum(line_amounts))).fee


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ([], "no_rules"),
        ([FeeRule(id="a", basis_points=1, when=Conditions(kinds=("session",)))], "no_catch_all"),
        ([REST, REST], "rule_id_repeated"),
        ([REST, FeeRule(id="other", basis_points=1)], "rules_after_catch_all"),
        ([FeeRule(id="Bad id", basis_points=1)], "rule_id_shape"),
        ([FeeRule(id="rest", basis_points=-1)], "basis_points_outside"),
        ([FeeRule(id="rest", basis_points=10_001)], "basis_points_outside"),
        ([FeeRule(id="rest", basis_points=1, fixed={"eur": -1})], "amount_outside"),
        ([FeeRule(id="rest", basis_points=1, cap={"eur": MAXIMUM_CHARGE + 1})], "amount_outside"),
        ([FeeRule(id="rest", basis_points=1, fixed={"xxx": 1})], "currency_unknown"),
        ([FeeRule(id="rest", basis_points=1, fixed={"isk": 150})], "amount_not_whole"),
        (
            [FeeRule(id="rest", basis_points=1, floor={"eur": 2}, cap={"eur": 1})],
            "floor_above_cap",
        ),
        (
            [FeeRule(id="a", basis_points=1, when=Conditions(amount_from=5)), REST],
            "amount_without_currency",
        ),
        (
            [
                FeeRule(
                    id="a",
                    basis_points=1,
                    when=Conditions(currencies=("eur",), amount_from=5, amount_below=5),
                ),
                REST,
            ],
            "amount_range_empty",
        ),
    ],
)
def test_a_malformed_schedule_is_refused(rules: list[FeeRule], why: str) -> None:
    with pytest.raises(MalformedSchedule) as refusal:
        check_rules(rules)
    assert why in {problem.why for problem in refusal.value.problems}
