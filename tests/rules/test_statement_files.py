"""Statements as files and pages: amounts to the unit, nothing a spreadsheet or a browser would run."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from marketplace.books.errors import StatementNotFound
from marketplace.books.months import Month
from marketplace.books.statement_csv import HEADER, lines, safe
from marketplace.books.statements import CurrencyStatement, KindSum, Movement, Statement
from marketplace.books.words import place_of, words_for
from marketplace.pages.statement import page
from payments.book_tables import Posting

NOW = datetime(2026, 12, 5, tzinfo=UTC)
NOVEMBER = Month(2026, 11)


def a_movement(amount: int, currency: str = "eur", **changes: str) -> Movement:
    facts = {
        "id": "pst_1",
        "kind": "capture",
        "currency": currency,
        "reference": "pay_1",
        "order_id": "ord_1",
    }
    moment = datetime(2026, 11, 21, 12, tzinfo=UTC)
    return Movement(
        amount=amount,
        occurred_at=moment - timedelta(days=3),
        recorded_at=moment,
        **(facts | changes),  # type: ignore[arg-type]
    )


def a_statement(*currencies: tuple[str, int, int], closed: bool = True) -> Statement:
    return Statement(
        seller_id="sel_1",
        month=NOVEMBER,
        closed=closed,
        currencies=tuple(
            CurrencyStatement(
                currency=currency,
                opening=opening,
                moved=moved,
                closing=opening + moved,
                movements=1,
                by_kind=(KindSum(kind="capture", movements=1, amount=moved),),
            )
            for currency, opening, moved in currencies
        ),
    )


async def each(*movements: Movement) -> AsyncIterator[Movement]:
    for movement in movements:
        yield movement


async def a_file(statement: Statement, *movements: Movement) -> list[dict[str, str]]:
    text = "".join([line async for line in lines(statement, each(*movements))])
    return list(csv.DictReader(io.StringIO(text)))


async def test_each_currency_runs_from_opening_to_closing() -> None:
    statement = a_statement(("eur", 1_000, 250), ("jpy", -5, 500))
    told = await a_file(statement, a_movement(250), a_movement(500, "jpy"))
    assert [(one["currency"], one["amount"], one["balance"]) for one in told] == [
        ("EUR", "0.00", "10.00"),
        ("JPY", "0", "-5"),
        ("EUR", "2.50", "12.50"),
        ("JPY", "500", "495"),
        ("EUR", "0.00", "12.50"),
        ("JPY", "0", "495"),
    ]
    assert [one["balance_minor_units"] for one in told] == [
        "1000",
        "-5",
        "1250",
        "495",
        "1250",
        "495",
    ]
    assert list(told[0]) == list(HEADER)


async def test_what_is_not_closed_is_the_balance_so_far() -> None:
    told = await a_file(a_statement(("eur", 0, 0), closed=False))
    assert [one["description"] for one in told] == ["Opening balance", "Balance so far"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
async def test_no_text_is_a_formula(text: str) -> None:
    assert safe(text) == f"'{text}"
    [_, told, _] = await a_file(a_statement(("eur", 0, -7)), a_movement(-7, reference=text))
    assert told["reference"].startswith("'")
    assert (told["amount"], told["amount_minor_units"]) == ("-0.07", "-7")  # numbers stay numbers


async def test_the_page_is_whole_and_escaped() -> None:
    statement = a_statement(("eur", 0, 250))
    pieces = page(
        statement, "<b>Ada & co</b>", lambda _: each(a_movement(250, reference="<i>")), NOW
    )
    text = "".join([piece async for piece in pieces])
    assert "&lt;b&gt;Ada &amp; co&lt;/b&gt;" in text
    assert "<b>" not in text
    assert "&lt;i&gt;" in text
    assert "of 2026-11-18" in text  # it happened on another day
    assert text.startswith("<!doctype html>")
    assert text.rstrip().endswith("</html>")
    assert "@media print" in text


async def test_the_balance_of_an_open_month_is_of_the_day_it_was_asked() -> None:
    for closed, day in ((False, f"{NOW:%Y-%m-%d}"), (True, "2026-11-30")):
        statement = a_statement(("eur", 0, 250), closed=closed)
        pieces = page(statement, "Ada", lambda _: each(a_movement(250)), NOW)
        last = "".join([piece async for piece in pieces]).split('<tr class="balance">')[2]
        assert day in last, last
    assert f"{NOW:%d}" != "30"


async def test_a_page_of_nothing_says_so() -> None:
    pieces = page(a_statement(closed=False), "Ada", lambda _: each(), NOW)
    text = "".join([piece async for piece in pieces])
    assert "No money has moved yet" in text
    assert "not over" in text


@pytest.mark.parametrize(
    "name",
    [
        "",
        "2026",
        "2026-13",
        "2026-00",
        "2026-1",
        "1999-12",
        "2026-11 ",
        "٢٠٢٦-11",
        "x" * 900,
        "2026-12-01",
    ],
)
def test_what_is_no_month_has_no_statement(name: str) -> None:
    with pytest.raises(StatementNotFound):
        Month.begun(name, NOW)


def test_a_month_begins_ends_and_closes_a_little_later() -> None:
    assert Month.begun("2026-11", NOW) == NOVEMBER
    assert (NOVEMBER.name, NOVEMBER.until, NOVEMBER.last_day.day) == (
        "2026-11",
        datetime(2026, 12, 1, tzinfo=UTC),
        30,
    )
    assert Month(2026, 12).until == datetime(2027, 1, 1, tzinfo=UTC)
    assert not NOVEMBER.is_closed(NOVEMBER.until + timedelta(minutes=59))
    assert NOVEMBER.is_closed(NOVEMBER.until + timedelta(hours=1))
    with pytest.raises(StatementNotFound):
        Month.begun("2027-01", NOW)


def test_every_kind_of_posting_of_a_sellers_has_words() -> None:
    kinds = str(Posting.postings_kind_known.condition).partition("IN (")[2].rstrip(")").split(", ")
    assert len(kinds) > 15
    unknown = place_of("a_kind_of_tomorrow")
    named = {kind.strip("'") for kind in kinds} - {"processing_cost"}  # never a seller's
    assert [kind for kind in sorted(named) if place_of(kind) == unknown] == []
    assert words_for("a_kind_of_tomorrow") == "A kind of tomorrow"
