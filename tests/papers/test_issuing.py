"""What papers say: exactly the ledger, frozen, each posting once; and what comes later is on later papers."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import asyncpg
import pytest
import pytest_asyncio

from marketplace.invariants.check import broken
from marketplace.invariants.papers import PAPERS
from marketplace.paging import PageRequest
from marketplace.papers import months, reading, waiting
from marketplace.papers.errors import PaperMonthRefused
from marketplace.papers.reading import Paper, PaperFilter
from marketplace.papers.splitting import TaxPart, divided, moved
from payments import ledger
from payments.database import execute, rows
from tests.papers.bookkeeping import (
    DECEMBER,
    NOVEMBER,
    OCTOBER,
    Bookkeeper,
    issuing,
    named,
    runs,
    sealed,
)

LATER = timedelta(days=25)
"""From the twelfth of a month into the next one, when its papers are due."""
MONTHS = ["2027-09", "2027-10"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def coach(database: None) -> AsyncIterator[Bookkeeper]:
    """A seller with an October and a November, and papers of both."""
    coach = await Bookkeeper.new()
    before = await coach.sale(5_000, datetime(2026, 9, 3, tzinfo=UTC))
    first = await coach.sale(10_000, OCTOBER)
    second = await coach.sale(3_333, OCTOBER + timedelta(hours=1))
    await second.refund(1_700, 204, OCTOBER + timedelta(days=2))
    await coach.payout(9_000, OCTOBER + timedelta(days=3))
    assert await issuing().run_once(OCTOBER + LATER, 100) == 0
    with pytest.raises(PaperMonthRefused, match="no_issuer"):
        await issuing().close_month("2026-10", actor="acc_1", now=OCTOBER + LATER)
    await named()
    await runs(OCTOBER + LATER)
    await first.refund(10_200, 1_390, NOVEMBER)
    await before.refund(100, 12, NOVEMBER)
    await second.refund(100, 14, NOVEMBER)
    await runs(NOVEMBER + LATER)
    yield coach


async def papers_of(seller: Bookkeeper, month: str) -> dict[str, Paper]:
    wanted = PaperFilter(seller_id=seller.seller_id, month=month)
    found = await reading.papers(wanted, PageRequest(limit=100))
    return {one.kind: one for one in found.data}


async def test_a_month_has_a_statement_and_an_invoice(coach: Bookkeeper) -> None:
    found = await papers_of(coach, "2026-10")
    assert set(found) == {"statement", "fee_invoice"}
    statement, invoice = found["statement"], found["fee_invoice"]
    # September is older than the papers: in the opening balance, on no paper.
    assert statement.opening == 5_100 - 695
    assert (
        statement.closing
        == statement.opening + (10_200 - 1_390) + (3_400 - 463) - 1_700 + 204 - 9_000
    )
    assert [(one.kind, one.movements) for one in statement.facts.by_kind] == [
        ("capture", 2),
        ("application_fee", 2),
        ("refund", 1),
        ("fee_refund", 1),
        ("payout", 1),
    ]
    assert [one.amount async for one in reading.every_movement(statement)][-1] == -9_000
    # 10 % and 19 % tax on it; the 2 % that buyers paid on top; and what of the second fee came back.
    lines = [one async for one in reading.every_line(invoice)]
    assert sorted((one.amount, one.fee_net, one.fee_tax, one.service_fee) for one in lines) == [
        (-204, -146, -28, -30),
        (463, 333, 63, 67),
        (1_390, 1_000, 190, 200),
    ]
    assert (invoice.total, invoice.fee_net, invoice.fee_tax, invoice.service_fee) == (
        *(1_649, 1_187, 225, 237),
    )
    assert [(one.tax_basis_points, one.fee_tax) for one in invoice.facts.by_rate] == [(1_900, 225)]
    assert (statement.name[:8], invoice.name[:8]) == ("ST-2026-", "FI-2026-")
    assert invoice.facts.issuer.legal_name == "Marketplace GmbH"
    assert (invoice.facts.seller.name, invoice.facts.seller.line1) == ("A shop", None)


async def test_a_fee_returned_after_its_invoice_is_on_a_credit_note(coach: Bookkeeper) -> None:
    october, november = await papers_of(coach, "2026-10"), await papers_of(coach, "2026-11")
    assert set(november) == {"statement", "credit_note"}
    note = november["credit_note"]
    assert (note.total, note.name[:8]) == (1_390 + 12 + 14, "CN-2026-")
    lines = [one async for one in reading.every_line(note)]
    charged = october["fee_invoice"].name
    # What was charged before there were papers corrects no invoice. Ids of one millisecond have no order.
    assert {(one.amount, one.corrects) for one in lines} == {
        (-1_390, charged),
        (-12, None),
        (-14, charged),
    }
    assert len(lines) == 3
    assert november["statement"].opening == october["statement"].closing
    [told] = await rows(
        "SELECT facts::jsonb ->> 'papers' AS papers FROM messages WHERE account_id = $1 "
        "AND kind = 'papers_issued' AND cause = 'papers:2026-11'",
        coach.account_id,
    )
    assert set(told["papers"].split(", ")) == {one.name for one in november.values()}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE papers SET total = total + 1",
        "DELETE FROM papers",
        "UPDATE paper_fee_lines SET corrects = NULL",
        "DELETE FROM paper_series",
        "TRUNCATE paper_months CASCADE",
        "UPDATE paper_months SET late = '{pst_1}'",
        "UPDATE paper_series SET last_number = last_number + 1",
        "UPDATE paper_series SET last_number = last_number - 1",
    ],
)
async def test_the_database_itself_keeps_papers_as_they_are(
    coach: Bookkeeper, statement: str
) -> None:
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await execute(statement)


async def test_a_posting_that_was_written_down_late_is_on_the_next_papers(
    coach: Bookkeeper,
) -> None:
    """Its transaction began in November and ended when November's papers had been issued."""
    november = await papers_of(coach, "2026-11")
    own = ledger.seller_account(coach.seller_id)
    straggler = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)
    await coach.sales[-1].book("fee_refund", ledger.FEES, own, 1, straggler)
    await coach.sale(2_000, DECEMBER)
    await runs(DECEMBER + LATER)
    december = await papers_of(coach, "2026-12")
    assert await papers_of(coach, "2026-11") == november
    assert december["statement"].opening == november["statement"].closing
    assert december["statement"].total == 1 + 2_040 - 278
    moved = [one async for one in reading.every_movement(december["statement"])]
    assert moved[0].recorded_at == straggler
    assert (december["credit_note"].total, december["fee_invoice"].total) == (1, 278)
    assert december["statement"].name[:8] == "ST-2027-"
    assert await broken(DECEMBER, rules=PAPERS) == []


async def test_random_histories_are_on_papers_to_the_unit(coach: Bookkeeper) -> None:
    chosen = random.Random(7)
    sellers = [await Bookkeeper.new(currency) for currency in ("eur", "jpy", "eur", "isk", "kwd")]
    for number in range(3):
        begins = datetime(2027, 1 + number, 1, tzinfo=UTC)
        for seller in sellers:
            step = 100 if seller.currency == "isk" else 10
            for _ in range(chosen.randrange(4)):
                at = begins + timedelta(minutes=chosen.randrange(40_000))
                await seller.sale(chosen.randrange(100, 9_000) * step, at)
            for sale in chosen.sample(seller.sales, min(2, len(seller.sales))):
                left, fee = sale.quote.total - sale.refunded, sale.quote.fee - sale.returned
                if left > step:
                    part = chosen.randrange(1, left // step) * step
                    back = min(fee, chosen.randrange(0, fee + 1) // step * step)
                    await sale.refund(part, back, begins + timedelta(days=27))
        await runs(datetime(2027, 2 + number, 3, tzinfo=UTC), limit=2)
    assert await broken(DECEMBER, rules=PAPERS) == []
    for seller in sellers:
        found = await rows(
            "SELECT sum(total) AS total, (SELECT sum(CASE target WHEN $2 THEN amount ELSE -amount END) "
            "FROM postings WHERE $2 IN (source, target)) AS held FROM papers "
            "WHERE kind = 'statement' AND seller_id = $1",
            seller.seller_id,
            ledger.seller_account(seller.seller_id),
        )
        assert found[0]["total"] == found[0]["held"]
        await _charged_exactly(seller)


async def _charged_exactly(seller: Bookkeeper) -> None:
    """Of a fee that was kept whole the papers charge its working; of one returned whole, nothing."""
    for sale in seller.sales:
        [lines] = await rows(
            "SELECT sum(amount) AS amount, sum(fee_tax) AS fee_tax FROM paper_fee_lines "
            "WHERE payment_id = $1",
            sale.payment_id,
        )
        assert lines["amount"] == sale.quote.fee - sale.returned
        if sale.returned == 0:
            assert lines["fee_tax"] == sale.quote.fee_tax
        elif sale.returned == sale.quote.fee:
            assert lines["fee_tax"] == 0


async def test_months_are_closed_in_order_when_they_are_over_and_sealed(
    coach: Bookkeeper,
) -> None:
    worker, now = issuing(), datetime(2027, 4, 20, tzinfo=UTC)
    for month, why in (
        ("2027-04", "not_over"),
        ("2026-09", "before_first"),
        ("2027-06", "not_over"),
    ):
        with pytest.raises(PaperMonthRefused, match=why):
            await worker.close_month(month, actor="acc_1", now=now)
    await coach.sale(1_000, now)
    at_once = datetime(2027, 5, 1, 2, tzinfo=UTC)
    with pytest.raises(PaperMonthRefused, match="books_not_sealed"):
        await worker.close_month("2027-04", actor="acc_1", now=at_once)
    await sealed(at_once)
    # Two days are left to mend what is wrong, unless an admin asks for papers now.
    assert await worker.run_once(at_once, 100) == 0
    asked = await worker.issue_of(coach.seller_id, "2027-04", actor="acc_1", now=at_once)
    assert len(asked) == 2
    assert asked == await worker.issue_of(coach.seller_id, "2027-04", actor="acc_1", now=at_once)
    with pytest.raises(PaperMonthRefused, match="earlier_month_open"):
        await worker.close_month("2027-05", actor="acc_1", now=datetime(2027, 6, 2, tzinfo=UTC))
    other = await Bookkeeper.new()
    with pytest.raises(PaperMonthRefused, match="no_movement"):
        await worker.issue_of(other.seller_id, "2027-04", actor="acc_1", now=at_once)
    await runs(at_once)
    assert len(await papers_of(coach, "2027-04")) == 2
    assert await broken(now, rules=PAPERS) == []


async def test_what_came_too_late_for_a_month_is_no_part_of_its_past(coach: Bookkeeper) -> None:
    """Sealed after June was closed, before its papers were issued: they say what they would have said."""
    sale = await coach.sale(3_333, datetime(2027, 5, 12, tzinfo=UTC))
    june = datetime(2027, 6, 12, tzinfo=UTC)
    await sale.refund(1_000, 100, june)
    await runs(june - timedelta(days=7))
    await sealed(june)
    july = datetime(2027, 7, 1, 2, tzinfo=UTC)
    for _ in range(2):
        await issuing().close_month("2027-06", actor="acc_1", now=july)
    own = ledger.seller_account(coach.seller_id)
    await sale.book("fee_refund", ledger.FEES, own, 12, june)
    await runs(july)
    await runs(july + timedelta(days=34))
    notes = [(await papers_of(coach, month))["credit_note"] for month in ("2027-06", "2027-07")]
    # 63 of tax in a fee of 463, 49 in the 363 left of it, 48 in the last 351.
    assert [(one.total, one.fee_tax) for one in notes] == [(100, 14), (12, 1)]
    closed = await rows(
        "SELECT actor FROM audit_log WHERE action = 'papers.month_closed' AND subject = '2027-06'"
    )
    assert [each["actor"] for each in closed] == ["acc_1"]
    assert await broken(july, rules=PAPERS) == []


async def test_a_seller_whose_papers_cannot_be_computed_keeps_nobody_else_waiting(
    coach: Bookkeeper,
) -> None:
    """They are issued when it is mended, in the order of months, with the numbers of that day."""
    odd = await Bookkeeper.new()
    first_day, now = datetime(2027, 9, 12, tzinfo=UTC), datetime(2027, 11, 5, tzinfo=UTC)
    await odd.sale(2_000, first_day)
    for at in (first_day, first_day + LATER):
        await coach.sale(1_000, at)
    await odd.sale(3_000, first_day + LATER)
    async with _impossible(odd.seller_id):
        # However many months the tests before have left open.
        while await months.find("2027-10") is None:
            await runs(now)
        assert [len(await papers_of(coach, month)) for month in MONTHS] == [2, 2]
        waits = await waiting.of_months(MONTHS)
        told = [(one.seller_id, one.failure) for each in waits.values() for one in each]
        assert told == [(odd.seller_id, "CheckViolationError"), (odd.seller_id, waiting.BEHIND)]
        for month, why in zip(MONTHS, ("cannot_be_computed", "earlier_month_open"), strict=True):
            with pytest.raises(PaperMonthRefused, match=why):
                await issuing().issue_of(odd.seller_id, month, actor="acc_1", now=now)
        assert await broken(now, rules=PAPERS) == []
    for hours in (48, 49):
        await runs(now + timedelta(hours=hours))
    first, second = [await papers_of(odd, month) for month in MONTHS]
    assert (len(first), len(second)) == (2, 2)
    assert first["statement"].closing == second["statement"].opening
    assert first["statement"].name < second["statement"].name
    assert await waiting.of_months(MONTHS) == {}
    assert await broken(now, rules=PAPERS) == []


@asynccontextmanager
async def _impossible(seller_id: str) -> AsyncIterator[None]:
    """No paper of this seller can be written, until somebody has mended it."""
    await execute(
        f"ALTER TABLE papers ADD CONSTRAINT impossible CHECK (seller_id <> '{seller_id}') NOT VALID"
    )
    try:
        yield
    finally:
        await execute("ALTER TABLE papers DROP CONSTRAINT impossible")


def test_a_part_of_a_fee_is_divided_one_way_whatever_led_there() -> None:
    working = (
        TaxPart(tax_basis_points=700, fee_net=333, fee_tax=23, service_fee=50),
        TaxPart(tax_basis_points=1900, fee_net=1001, fee_tax=190),
    )
    whole = sum(part.amount for part in working)
    assert divided(working, whole, "eur") == working
    chosen = random.Random(3)
    stops = [0, *(chosen.randrange(whole + 1) for _ in range(200)), whole]
    sums = {700: 0, 1900: 0}
    for before, after in pairwise(stops):
        parts = moved(working, before, after, "eur")
        assert sum(part.amount for part in parts) == after - before
        for part in parts:
            sums[part.tax_basis_points] += part.fee_tax
    assert sums == {700: 23, 1900: 190}
