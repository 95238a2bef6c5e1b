"""A year's figures: by the quarter of the sale, net of fees, as they were known at any moment."""

from datetime import UTC, datetime, timedelta

import pytest

from marketplace.fees.schedule import FeeRule
from marketplace.tax import keeping, reports
from marketplace.tax.details import TaxDetails, Tin
from marketplace.tax.figures import QuarterFigures, Year
from marketplace.tax.figures import figures as figures_of
from marketplace.tax.reports import SellerReport
from payments import ledger
from payments.database import execute
from payments.ids import new_id
from tests.orders.shop import database
from tests.papers.bookkeeping import Bookkeeper, schedule

__all__ = ["database"]
pytestmark = pytest.mark.usefixtures("database")
NOW = datetime(2027, 6, 1, tzinfo=UTC)
FILED = datetime(2027, 1, 31, tzinfo=UTC)


async def report(
    seller: Bookkeeper, year: str = "2026", as_of: datetime | None = None
) -> SellerReport:
    return await reports.of_seller(seller.seller_id, reports.asked(year, NOW, as_of=as_of))


def figures(found: SellerReport) -> dict[tuple[str, int], tuple[int, int, int, int]]:
    return {
        (one.activity, each.quarter): (
            *(each.activities, each.consideration),
            *(each.fees, each.service_fees),
        )
        for one in found.activities
        for each in one.quarters
        if each
        != QuarterFigures(
            quarter=each.quarter, activities=0, consideration=0, fees=0, service_fees=0
        )
    }


async def test_a_sale_and_all_that_becomes_of_it_is_of_its_own_quarter() -> None:
    seller = await Bookkeeper.new()
    spring = datetime(2026, 3, 31, 23, 59, tzinfo=UTC)
    first = await seller.sale(10_000, spring)
    await seller.sale(20_000, spring + timedelta(minutes=1), kind="session")
    second = await seller.sale(5_000, datetime(2026, 12, 31, 23, tzinfo=UTC), kind="session")
    await seller.sale(1_000, datetime(2027, 1, 1, tzinfo=UTC))
    await first.refund(5_100, 695, datetime(2026, 9, 9, tzinfo=UTC))
    before = figures(await report(seller))
    assert before == {
        ("sale_of_goods", 1): (1, 4_405, 595, 100),
        ("personal_services", 2): (1, 17_620, 2_380, 400),
        ("personal_services", 4): (1, 4_405, 595, 100),
    }
    # Refunded after the year was reported: the year it corrects changes, the next one does not.
    await second.refund(5_100, 695, datetime(2027, 3, 3, tzinfo=UTC))
    after = figures(await report(seller))
    assert after == {key: told for key, told in before.items() if key[1] != 4}
    assert figures(await report(seller, as_of=FILED)) == before
    assert list(figures(await report(seller, "2027"))) == [("sale_of_goods", 1)]
    corrected = reports.asked("2026", NOW, changed_since=FILED)
    assert seller.seller_id in [one.seller_id async for one in reports.every(corrected)]
    later = reports.asked("2026", NOW, changed_since=datetime(2027, 4, 1, tzinfo=UTC))
    assert [one.seller_id async for one in reports.every(later)] == []


async def test_what_pays_an_older_debt_is_no_refund_and_a_debt_is() -> None:
    seller = await Bookkeeper.new()
    at = datetime(2026, 5, 5, tzinfo=UTC)
    bad, good = await seller.sale(10_000, at), await seller.sale(10_000, at + timedelta(days=90))
    own, owed = ledger.seller_account(seller.seller_id), ledger.debt_account(seller.seller_id)
    await bad.book("debt", owed, ledger.RECOVERED, 4_000, at + timedelta(days=9))
    movement_id = new_id("mvt")
    await execute(
        "INSERT INTO transfer_movements (id, payment_id, order_id, seller_id, currency, kind, "
        "amount, cause, status, created_at, updated_at) VALUES ($1, $2, $3, $4, 'eur', 'reversal', "
        "4000, 'debt:dbt_x', 'succeeded', $5, $5)",
        movement_id,
        good.payment_id,
        good.order_id,
        seller.seller_id,
        at,
    )
    later = at + timedelta(days=91)
    await seller.post(
        movement_id, "transfer_reversal", own, ledger.RECOVERED, 4_000, later, later, good
    )
    await bad.book("debt_settled", ledger.RECOVERED, owed, 4_000, later)
    assert figures(await report(seller)) == {
        ("sale_of_goods", 2): (1, 8_810 - 4_000, 1_190, 200),
        ("sale_of_goods", 3): (1, 8_810, 1_190, 200),
    }


async def test_what_was_not_known_when_it_was_filed_is_a_correction() -> None:
    """Heard of late; written down while the report was filed; another tax number: all to be filed again."""
    sold, own = datetime(2026, 11, 11, tzinfo=UTC), ledger.seller_account
    heard, racing, renamed, same = [await Bookkeeper.new() for _ in range(4)]
    late = await heard.placed(1_000, sold)
    learned = datetime(2027, 3, 1, tzinfo=UTC)
    await late.book("capture", ledger.BUYERS, own(heard.seller_id), 1_020, sold, learned)
    await racing.sale(1_000, sold)
    await racing.sales[0].book(
        "refund", own(racing.seller_id), ledger.BUYERS, 500, sold, FILED - timedelta(minutes=2)
    )
    await renamed.sale(1_000, sold)
    await same.sale(1_000, sold)
    abroad = TaxDetails(
        seller_kind="individual",
        country="US",
        first_name="Ada",
        last_name="Example",
        tins=(Tin(number="12345678901", issued_by="DE"),),
    )
    await keeping.keep(renamed.seller_id, abroad, actor="acc_1", now=learned)
    ours = {one.seller_id for one in (heard, racing, renamed, same)}
    filed = reports.asked("2026", NOW, as_of=FILED)
    assert {one.seller_id async for one in reports.every(filed)} & ours == ours - {heard.seller_id}
    corrected = reports.asked("2026", NOW, changed_since=FILED)
    found = {one.seller_id: one async for one in reports.every(corrected)}
    assert found.keys() & ours == ours - {same.seller_id}
    # Who lives abroad is a member state's too by the tax number it gave them.
    assert (found[renamed.seller_id].country, found[renamed.seller_id].reportable) == ("US", True)


async def test_fees_are_divided_as_on_papers_and_added_up_in_any_pieces() -> None:
    rule = FeeRule(id="all", basis_points=1000, fixed={"eur": 300}, service_basis_points=200)
    one = await Bookkeeper.new()
    seller = Bookkeeper(one.seller_id, one.account_id, await schedule((rule,)))
    own, at = ledger.seller_account(seller.seller_id), datetime(2026, 1, 31, tzinfo=UTC)
    half = await seller.placed(10_000, at)
    await half.book("capture", ledger.BUYERS, own, 5_100, at)
    await half.book("application_fee", own, ledger.FEES, 900, at)
    for month in range(2, 13):
        await seller.sale(1_000, at.replace(day=28, month=month))
    found = figures(await report(seller))
    # Of half an order half the service fee; the fixed part of the fee is there once.
    assert found["sale_of_goods", 1] == (3, 4_200 + 2 * 600, 800 + 2 * 400, 100 + 2 * 20)
    whole = await figures_of([seller.seller_id, one.seller_id], Year(2026), NOW)
    for at_once in (1, 5, 11):
        assert await figures_of([seller.seller_id], Year(2026), NOW, at_once=at_once) == whole


async def test_currencies_are_never_added() -> None:
    seller = await Bookkeeper.new("jpy")
    await seller.sale(1_000, datetime(2026, 5, 5, tzinfo=UTC))
    found = await report(seller)
    assert [(one.currency, one.consideration) for one in found.activities] == [("jpy", 881)]
    assert (found.excluded, found.reportable, found.missing) == (None, True, ("tax_details",))
