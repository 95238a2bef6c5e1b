"""What a schedule says without meaning to, held to looking at every order there can be."""

import random
from collections import defaultdict
from datetime import UTC, datetime

import pytest

from marketplace.fees.checking import check_rules
from marketplace.fees.linting import Finding, compare, inputs_of, lint
from marketplace.fees.regions import Region, Search, TooManyRegions, Words, region_of, span_of
from marketplace.fees.rules import FeeInputs, holds, quote
from marketplace.fees.schedule import Conditions, FeeRule, Schedule, Tier
from tests.fees import chance as by_chance

REST = FeeRule(id="rest", basis_points=1_000)


def rule(rule_id: str, basis_points: int = 500, **when: object) -> FeeRule:
    return FeeRule(id=rule_id, basis_points=basis_points, when=Conditions(**when))  # type: ignore[arg-type]


def told(findings: list[Finding]) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(one.what, one.rule_id, one.other_rule_ids) for one in findings]


def of(*rules: FeeRule) -> Schedule:
    check_rules(rules)
    return Schedule(id="fsc_1", version=1, rules=rules)


def test_a_rule_below_one_that_takes_all_its_orders_never_matches() -> None:
    rules = (
        rule("yoga", categories=("yoga", "chess")),
        rule("yoga-sessions", categories=("yoga",), kinds=("session",)),
        REST,
    )
    (finding,) = lint(rules)
    assert told([finding]) == [("never_matches", "yoga-sessions", ("yoga",))]
    assert finding.weight == "error"
    assert finding.example is not None
    assert quote(of(*rules), inputs_of(finding.example)).rule_ids == ("yoga",)


def test_several_rules_together_can_take_all_of_one() -> None:
    rules = (
        rule("sessions", kinds=("session",)),
        rule("products", kinds=("product",)),
        rule("friend", seller_ids=("sel_1",)),
        REST,
    )
    # The last rule has nothing left either, but it stands for what nobody thought of.
    assert told(lint(rules)) == [("never_matches", "friend", ("sessions", "products"))]


def test_a_range_without_any_amount_that_exists_never_matches() -> None:
    odd = rule("odd", currencies=("isk",), amount_from=101, amount_below=200)
    assert told(lint((odd, REST))) == [("never_matches", "odd", ())]
    assert lint((rule("even", currencies=("isk",), amount_from=101, amount_below=201), REST)) == []


def test_a_date_window_outside_the_time_in_effect_never_matches() -> None:
    past = datetime(2026, 1, 1, tzinfo=UTC)
    promotion = rule("promotion", placed_before=past)
    assert lint((promotion, REST)) == []
    assert told(lint((promotion, REST), span_of(past, None))) == [
        ("never_matches", "promotion", ())
    ]


def test_an_overlap_says_who_wins_and_an_exception_is_only_noted() -> None:
    rules = (
        rule("friend", seller_ids=("sel_1",)),
        rule("yoga", categories=("yoga",)),
        rule("yoga-or-chess", categories=("yoga", "chess")),
        REST,
    )
    findings = lint(rules)
    assert told(findings) == [
        ("overlap", "friend", ("yoga",)),
        ("overlap", "friend", ("yoga-or-chess",)),
        ("exception", "yoga", ("yoga-or-chess",)),
    ]
    for finding in findings:
        assert finding.example is not None
        assert quote(of(*rules), inputs_of(finding.example)).rule_ids == (finding.rule_id,)


def test_moving_a_rule_up_silently_narrows_the_one_it_passed() -> None:
    friend, yoga = (
        rule("friend", 100, seller_ids=("sel_1",)),
        rule("yoga", 200, categories=("yoga",)),
    )
    before = of(yoga, friend, REST)
    findings = compare(before, (friend, yoga, REST))
    assert told(findings) == [
        ("widened", "friend", ("yoga",)),
        ("narrowed", "yoga", ("friend",)),
    ]
    assert all(one.silent for one in findings)
    assert (findings[0].fee_before, findings[0].fee_after) == (120, 60)


def test_removing_a_rule_silently_widens_the_one_below_it() -> None:
    before = of(rule("friend", 100, seller_ids=("sel_1",)), REST)
    (finding,) = compare(before, (REST,))
    assert (finding.what, finding.rule_id, finding.silent) == ("widened", "rest", True)
    assert finding.other_rule_ids == ("friend",)
    assert finding.example is not None
    assert finding.example.seller_id == "sel_1"


def test_an_edit_of_the_rules_own_conditions_is_not_silent() -> None:
    before = of(rule("yoga", 100, categories=("yoga",)), REST)
    findings = compare(before, (rule("yoga", 100, categories=("yoga", "chess")), REST))
    assert [(one.what, one.rule_id, one.silent) for one in findings] == [
        ("widened", "yoga", False),
        ("narrowed", "rest", True),
    ]


def test_another_price_for_the_same_orders_is_noted() -> None:
    (finding,) = compare(of(REST), (FeeRule(id="rest", basis_points=1_200),))
    assert (finding.what, finding.weight, finding.rule_id) == ("repriced", "note", "rest")
    assert (finding.fee_before, finding.fee_after) == (600, 720)
    assert compare(of(REST), (REST,)) == []


def test_a_repriced_order_is_one_that_costs_something_else() -> None:
    """Where the usual order costs the same: the cap, the floor, a tier or another currency changed."""
    floor, cap = {"eur": 100}, {"eur": 50_000}
    for before, after in (
        ({"floor": floor}, {}),
        ({}, {"cap": cap}),
        ({"fixed": {"usd": 35, "eur": 30}}, {"fixed": {"eur": 30}}),
        (
            {"tiers": {"eur": (Tier(amount_from=0, basis_points=1_000),)}},
            {
                "tiers": {
                    "eur": (
                        Tier(amount_from=0, basis_points=1_000),
                        Tier(amount_from=70_000, basis_points=0),
                    )
                }
            },
        ),
    ):
        old, new = (FeeRule(id="rest", basis_points=1_000, **terms) for terms in (before, after))  # type: ignore[arg-type]
        (finding,) = compare(of(old), (new,))
        assert finding.what == "repriced"
        assert finding.fee_before != finding.fee_after, (before, after)


def test_amounts_that_are_not_said_of_a_currency_are_told() -> None:
    yoga = FeeRule(
        id="yoga",
        basis_points=500,
        fixed={"eur": 30, "usd": 35},
        when=Conditions(categories=("yoga",), currencies=("eur", "usd")),
    )
    rest = FeeRule(id="rest", basis_points=1_000, fixed={"eur": 30}, cap={"eur": 900, "usd": 900})
    (finding,) = lint((yoga, rest))
    assert (finding.what, finding.weight, finding.rule_id) == (
        "currency_not_named",
        "warning",
        "rest",
    )
    assert finding.paths == ("fixed.usd",)
    assert finding.example is not None
    assert finding.example.currency == "usd"
    (finding,) = lint((yoga, rest), currencies={"jpy"})
    assert finding.paths == ("fixed.jpy", "cap.jpy", "fixed.usd")
    # Where nobody sells in another currency nothing is missing, nor where an earlier rule takes it.
    assert lint((FeeRule(id="rest", basis_points=1_000, fixed={"eur": 30}),)) == []
    dollars = FeeRule(id="dollars", basis_points=1, when=Conditions(currencies=("usd", "jpy")))
    assert lint((dollars, rest), currencies={"jpy"}) == []


def test_a_rule_that_takes_anothers_place_at_another_price_is_noted() -> None:
    """Renamed and dearer in one edit: neither name is in both versions."""
    before = of(rule("yoga", 100, categories=("yoga",)), REST)
    (finding,) = compare(before, (rule("stretching", 900, categories=("yoga",)), REST))
    assert (finding.what, finding.rule_id, finding.other_rule_ids) == (
        "repriced",
        "stretching",
        ("yoga",),
    )
    assert (finding.fee_before, finding.fee_after) == (60, 540)
    assert compare(before, (rule("stretching", 100, categories=("yoga",)), REST)) == []


def test_too_entangled_rules_are_said_to_be_undecided() -> None:
    products = region_of(Conditions(kinds=("product",)))
    found = Search(steps_limit=2).find(Region(), [products])
    assert found is not None
    assert found.kind == "session"
    with pytest.raises(TooManyRegions):
        Search(steps_limit=1).find(Region(), [products])


def test_all_words_but_some() -> None:
    a, not_b = Words(frozenset("a"), False), Words(frozenset("b"), True)
    assert a & not_b == a
    assert (not_b - a) == Words(frozenset("ab"), True)
    assert (a - a).empty
    assert not_b.one("b") == "b-2"


def winner(rules: tuple[FeeRule, ...], order: FeeInputs) -> int:
    (line,) = order.lines
    return next(at for at, rule in enumerate(rules) if holds(rule.when, line, order, order.total))


@pytest.mark.parametrize("seed", range(40))
def test_lint_says_what_looking_at_every_order_says(seed: int) -> None:
    rules = by_chance.rules(random.Random(seed), 5)
    wins: dict[int, int] = defaultdict(int)
    both: set[tuple[str, str]] = set()
    for order in by_chance.every_order(rules):
        (line,) = order.lines
        at = winner(rules, order)
        wins[at] += 1
        both |= {
            (rules[at].id, later.id)
            for later in rules[at + 1 : -1]
            if holds(later.when, line, order, order.total)
        }
    dead = {rule.id for at, rule in enumerate(rules[:-1]) if not wins[at]}
    findings = lint(rules)
    assert {one.rule_id for one in findings if one.what == "never_matches"} == dead
    told_both = {
        (one.rule_id, one.other_rule_ids[0])
        for one in findings
        if one.what in ("overlap", "exception")
    }
    assert told_both == {(first, second) for first, second in both if second not in dead}
    for one in findings:
        if one.example is not None and one.what != "never_matches":
            assert rules[winner(rules, inputs_of(one.example))].id == one.rule_id


@pytest.mark.parametrize("seed", range(40))
def test_comparing_says_what_looking_at_every_order_says(seed: int) -> None:
    chance = random.Random(seed)
    old = by_chance.rules(chance, 5)
    edited = list(old[:-1])
    chance.shuffle(edited)
    new = (*edited[1:], by_chance.rule(chance, "added", Conditions(kinds=("session",))), old[-1])
    moved = set()
    for order in by_chance.every_order(old + new):
        came_from, to = old[winner(old, order)], new[winner(new, order)]
        if came_from.id != to.id:
            moved.add((came_from.id, to.id))
    kept = {rule.id for rule in old} & {rule.id for rule in new}
    findings = compare(Schedule(id="fsc_1", version=1, rules=old), new)
    widened = {(one.other_rule_ids[0], one.rule_id) for one in findings if one.what == "widened"}
    narrowed = {(one.rule_id, one.other_rule_ids[0]) for one in findings if one.what == "narrowed"}
    assert widened == {(before, after) for before, after in moved if after in kept}
    assert narrowed == {(before, after) for before, after in moved if before in kept}
    repriced = {(*one.other_rule_ids, one.rule_id) for one in findings if one.what == "repriced"}
    assert repriced == {each for each in moved if not kept.intersection(each)}
