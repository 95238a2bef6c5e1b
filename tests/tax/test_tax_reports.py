"""A year's figures: by the quarter of the sale, net of fees, as they were known at any moment."""

from datetime import UTC, datetime, timedelta

import pytest

from marketplace.tax import reports
from marketplace.tax.figures import QuarterFigures
from marketplace.tax.reports import SellerReport
from payments import ledger
from payments.database import execute
from payments.ids import new_id
from tests.orders.shop import database
from tests.papers.bookkeeping import Bookkeeper

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


async def test_currencies_are_never_added() -> None:
    seller = await Bookkeeper.new("jpy")
    await seller.sale(1_000, datetime(2026, 5, 5, tzinfo=UTC))
    found = await report(seller)
    assert [(one.currency, one.consideration) for one in found.activities] == [("jpy", 881)]
    assert (found.excluded, found.reportable, found.missing) == (None, True, ("tax_details",))
