"""The fee review and the ledger, as admins read them: to the cent, and from the postings alone."""

from datetime import UTC, datetime, timedelta

import pytest

from marketplace.books.fee_review import FeeReview
from marketplace.books.fees.listing import FeeFilter, FeeSort
from marketplace.books.fees.totals import FeeSummary, SummaryFilter
from marketplace.fees.schedules import Schedules
from marketplace.orders.records import Actor
from marketplace.orders.refunds import RefundWish
from marketplace.paging import PageRequest
from payments.database import value
from tests.orders.shop import NOON, Shop, account, listing

review = FeeReview(Schedules(), lambda: NOON)
ADMIN = Actor("acc_admin", is_admin=True)


async def sold(shop: Shop, owner: str, unit_amount: int = 6_000) -> str:
    """A session that was paid; answers the order's id."""
    thing = await listing(owner, kind="session", unit_amount=unit_amount)
    order_id = await shop.place(await account(), (thing.id, 1))
    await shop.pay(order_id)
    return order_id


async def refund(shop: Shop, order_id: str, amount: int) -> None:
    await shop.refunds.ask(
        order_id,
        ADMIN,
        RefundWish(amount=amount),
        idempotency_key=order_id,
        now=shop.clock(),
    )


async def test_a_fee_is_shown_with_its_rule_and_what_is_left_of_it(shop: Shop) -> None:
    owner, seller_id = await shop.a_seller()
    order_id = await sold(shop, owner)
    await refund(shop, order_id, 2_000)
    (fee,) = (await review.list(FeeFilter(seller_id=seller_id), PageRequest())).data
    assert (fee.order_id, fee.gross, fee.captured, fee.refunded) == (order_id, 6_000, 6_000, 2_000)
    assert (fee.rule_ids, fee.schedule_version) == (["sessions"], 1)
    # 15 % of 60.00, a third of it returned; Stripe's cost is 2.9 % and 0.30.
    assert (fee.fee_taken, fee.fee_returned, fee.processing_cost, fee.net) == (900, 300, 204, 396)
    assert fee.effective_rate_basis_points == 1_500
    assert fee.captured_at == shop.clock()


async def test_money_that_is_only_held_is_not_reviewed(shop: Shop) -> None:
    owner, seller_id = await shop.a_seller()
    order_id = await shop.place(await account(), ((await listing(owner)).id, 1))
    await shop.pay(order_id)
    assert (await review.list(FeeFilter(seller_id=seller_id), PageRequest())).data == []
    await shop.preparation.prepare(order_id, Actor(owner), shop.clock())
    (fee,) = (await review.list(FeeFilter(seller_id=seller_id), PageRequest())).data
    assert (fee.captured, fee.fee_taken) == (2_500, 280)


async def test_fees_are_filtered_and_paged(shop: Shop) -> None:
    owner, seller_id = await shop.a_seller()
    start = shop.clock()
    made = []
    for _ in range(3):
        made.append(await sold(shop, owner))
        shop.clock.move(days=1)
    made.reverse()

    async def orders(page: PageRequest, **wanted: object) -> list[str]:
        found = await review.list(FeeFilter(seller_id=seller_id, **wanted), page)  # type: ignore[arg-type]
        return [fee.order_id for fee in found.data]

    assert await orders(PageRequest()) == made
    assert await orders(PageRequest(), currency="usd") == []
    assert await orders(PageRequest(), since=start.date() + timedelta(days=1)) == made[:2]
    assert await orders(PageRequest(), until=start.date() + timedelta(days=1)) == made[2:]
    first = await review.list(FeeFilter(seller_id=seller_id), PageRequest(limit=2))
    assert first.has_more
    last = FeeSort().cursor(first.data[-1])
    assert await orders(PageRequest(limit=2, starting_after=last)) == made[2:]


async def summary(
    group: str, page: PageRequest | None = None, **wanted: object
) -> list[FeeSummary]:
    found = await review.summary(
        group,  # type: ignore[arg-type]
        SummaryFilter(**wanted),  # type: ignore[arg-type]
        page or PageRequest(limit=100),
    )
    return found.data


async def test_a_day_counts_what_happened_on_it(shop: Shop) -> None:
    shop.clock.moment = datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC)
    owner, seller_id = await shop.a_seller()
    order_id = await sold(shop, owner)
    shop.clock.move(seconds=1)
    await refund(shop, order_id, 6_000)
    april, march = await summary("day", seller_id=seller_id)
    assert (march.key, march.payments, march.captured, march.fee_taken) == (
        "2026-03-31",
        1,
        6_000,
        900,
    )
    assert (april.key, april.payments, april.refunded, april.fee_returned, april.net) == (
        "2026-04-01",
        0,
        6_000,
        900,
        -900,
    )
    assert april.effective_rate_basis_points is None


async def test_sellers_are_summed_apart_and_paged(shop: Shop) -> None:
    sellers = [await shop.a_seller() for _ in range(2)]
    for owner, _ in sellers:
        await sold(shop, owner)
        await sold(shop, owner, 1_000)
    wanted = {seller_id for _, seller_id in sellers}
    rows = [row for row in await summary("seller") if row.key in wanted]
    assert {row.key for row in rows} == wanted
    assert all((row.payments, row.captured, row.fee_taken) == (2, 7_000, 1_050) for row in rows)
    paged: list[FeeSummary] = []
    page = PageRequest(limit=1)
    while found := await summary("seller", page):
        paged += found
        page = PageRequest(limit=1, starting_after=found[-1].id)
    assert paged == await summary("seller")


async def test_summaries_equal_the_list_and_the_ledger(shop: Shop) -> None:
    owner, _ = await shop.a_seller()
    await refund(shop, await sold(shop, owner), 1_999)
    fees = (await review.list(FeeFilter(), PageRequest(limit=100))).data
    for rows in (await summary("day"), await summary("seller")):
        for figure in ("captured", "refunded", "fee_taken", "fee_returned", "net"):
            assert sum(getattr(row, figure) for row in rows) == sum(
                getattr(fee, figure) for fee in fees
            )
    kept = await value(
        "SELECT sum(CASE WHEN target = 'platform:fees' THEN amount ELSE -amount END)::bigint "
        "FROM postings WHERE 'platform:fees' IN (source, target)"
    )
    assert sum(fee.net for fee in fees) == kept


@pytest.mark.usefixtures("database")
async def test_an_unknown_cursor_is_an_empty_page_not_an_error() -> None:
    nothing = PageRequest(starting_after="!")
    assert (await review.list(FeeFilter(), nothing)).data == []
    assert await summary("day", nothing) == []
