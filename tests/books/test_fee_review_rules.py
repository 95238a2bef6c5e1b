"""The pure parts of the fee review: how money is spread, how days are cut, what is odd about a fee."""

from datetime import date, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.books.fees.assessing import CODES, Band, PaymentFacts, anomalies, band, explain
from marketplace.books.fees.periods import Span, cut
from marketplace.books.fees.spreading import by_category, by_rule
from marketplace.fees.first_schedule import FIRST_RULES
from marketplace.fees.rules import FeeInputs, FeeQuote, PricedLine, quote
from marketplace.fees.schedule import FeeRule, Schedule
from marketplace.orders.totals import Line

SCHEDULE = Schedule(id="fsc_1", version=1, rules=FIRST_RULES)


def priced(*lines: tuple[str, str, int]) -> FeeQuote:
    """The fee of lines of (category, kind, amount)."""
    return quote(
        SCHEDULE,
        FeeInputs(
            seller_id="sel_1",
            currency="eur",
            lines=tuple(
                PricedLine(
                    listing_id=f"lst_{position}",
                    category=category,
                    kind=kind,  # type: ignore[arg-type]
                    amount=amount,
                )
                for position, (category, kind, amount) in enumerate(lines)
            ),
        ),
    )


CART = priced(("yoga", "product", 2_000), ("tea", "product", 1_000), ("yoga", "session", 4_000))


def facts_of(fee: FeeQuote, **changes: object) -> PaymentFacts:
    """A payment that went as it should."""
    facts: dict[str, object] = {
        "currency": "eur",
        "captured": fee.total,
        "refunded": 0,
        "fee_taken": fee.fee,
        "fee_returned": 0,
        "processing_cost": 100,
        "gross": fee.total,
        "service_fee": fee.service_fee,
        "asked_amount": fee.total,
        "asked_fee": fee.fee,
        "transfer_id": "tr_1",
        "disputed": 0,
        "fee_working": msgspec.json.encode(fee).decode(),
        "lines": tuple(
            Line(
                position=position,
                listing_id=line.listing_id,
                kind=line.kind,
                title="A thing",
                category=line.category,
                unit_amount=line.amount,
                quantity=1,
                amount=line.amount,
                quantity_prepared=1,
            )
            for position, line in enumerate(fee.inputs.lines)
        ),
    }
    return PaymentFacts(**{**facts, **changes})  # type: ignore[arg-type]


def codes(facts: PaymentFacts, schedule: Schedule | None = SCHEDULE) -> set[str]:
    return {one.code for one in anomalies(facts, explain(facts, schedule).expected, schedule)}


def test_a_fee_is_spread_over_rules_and_over_the_categories_of_their_lines() -> None:
    rules = by_rule(CART)
    assert rules.keys == ("everything-else", "sessions")
    assert (rules.amounts, rules.fees) == ((3_000, 4_000), (330, 600))
    categories = by_category(CART)
    assert (categories.keys, categories.amounts) == (("yoga", "tea"), (6_000, 1_000))
    assert categories.fees == (220 + 600, 110), "two thirds of 3.30, and the session's 6.00"


def test_an_order_without_a_fee_is_spread_by_its_amounts() -> None:
    free = Schedule(id="fsc_0", version=2, rules=(FeeRule(id="free", basis_points=0),))
    spread = by_category(quote(free, CART.inputs))
    assert spread.fees == spread.amounts == (6_000, 1_000)


def test_what_was_captured_is_priced_by_the_schedule_again() -> None:
    assert explain(facts_of(CART), SCHEDULE).expected == CART.fee
    only_the_mat = msgspec.structs.replace(
        facts_of(CART, captured=2_000),
        lines=tuple(
            msgspec.structs.replace(line, quantity_prepared=int(line.position == 0))
            for line in facts_of(CART).lines
        ),
    )
    explained = explain(only_the_mat, SCHEDULE)
    assert explained.expected == 230
    assert (explained.categories.keys, explained.rules.keys) == (("yoga",), ("everything-else",))


def test_a_part_captured_elsewhere_is_expected_in_proportion() -> None:
    """Nobody said of which lines."""
    elsewhere = facts_of(CART, captured=3_500)
    assert explain(elsewhere, SCHEDULE).expected == CART.fee // 2
    assert explain(elsewhere, SCHEDULE).rules == by_rule(CART)


@pytest.mark.parametrize("working", ["{}", "no json", '{"format": 2}'])
def test_a_working_that_cannot_be_read_stops_nothing_and_is_flagged(working: str) -> None:
    broken = facts_of(CART, fee_working=working)
    assert explain(broken, SCHEDULE).expected is None
    assert codes(broken) == {"fee_unexplained"}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, set()),
        ({"fee_taken": CART.fee + 1}, {"fee_differs"}),
        ({"fee_taken": 3_000}, {"fee_differs", "rate_out_of_band"}),
        ({"fee_taken": 0, "processing_cost": 0}, {"fee_differs", "rate_out_of_band"}),
        ({"transfer_id": None}, {"transfer_skipped", "fee_without_transfer"}),
        ({"fee_returned": 10}, {"fee_returned_without_refund"}),
        ({"fee_returned": 10, "refunded": 77}, set()),
        ({"fee_returned": 10, "disputed": 77}, set()),
        ({"processing_cost": CART.fee + 1}, {"negative_margin"}),
    ],
)
def test_what_is_odd_has_a_code(changes: dict[str, object], found: set[str]) -> None:
    assert codes(facts_of(CART, **changes)) == found
    assert found <= set(CODES)


def test_without_the_schedule_nobody_can_say_what_was_expected() -> None:
    assert codes(facts_of(CART), None) == {"fee_unexplained"}


def test_the_band_follows_the_schedule() -> None:
    assert band(SCHEDULE) == Band(500, 3_000)
    taxed = FeeRule(id="r", basis_points=1_000, tax_basis_points=2_000, service_basis_points=300)
    assert band(Schedule(id="f", version=1, rules=(taxed,))) == Band(500, 3_000)
    assert band(Schedule(id="f", version=1, rules=())) == Band(0, 10_000)


DAYS = st.dates(min_value=date(2023, 1, 1), max_value=date(2026, 12, 31))


def days_of(*spans: Span) -> list[date]:
    return [
        span.since + timedelta(days=number)
        for span in spans
        for number in range((span.until - span.since).days)
    ]


@given(DAYS, DAYS)
def test_a_period_is_whole_months_and_the_days_around_them(one: date, other: date) -> None:
    since, until = sorted((one, other))
    parts = cut(since, until)
    assert days_of(parts.before, parts.months, parts.after) == days_of(Span(since, until))
    if parts.months.since != parts.months.until:
        assert (parts.months.since.day, parts.months.until.day) == (1, 1)
        assert max(len(days_of(parts.before)), len(days_of(parts.after))) < 31


@given(DAYS)
def test_an_open_end_is_all_there_is(day: date) -> None:
    everything = cut(None, None)
    assert everything.months == everything.whole == Span(date.min, date.max)
    since, until = cut(day, None), cut(None, day)
    assert (since.whole, until.whole) == (Span(day, date.max), Span(date.min, day))
    assert since.months.until == date.max
    assert until.months.since == date.min
    assert until.after.until == day
