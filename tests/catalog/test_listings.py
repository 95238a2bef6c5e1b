"""Sellers list, change and archive their own; everybody reads what is for sale."""

import pytest

from marketplace.catalog.catalog import Catalog
from marketplace.catalog.errors import (
    ListingNotFound,
    SellerCurrencyDiffers,
    SellerProfileMissing,
    StockRefused,
)
from marketplace.catalog.listings import ListingChanges, ListingFilter
from marketplace.paging import PageRequest
from payments.database import execute
from payments.errors import AmountNotChargeable
from tests.orders.shop import NOON, account, listing, new_listing, seller

pytestmark = pytest.mark.usefixtures("database")
catalog = Catalog()


async def a_seller(currency: str = "eur") -> tuple[str, str]:
    owner = await account()
    return owner, await seller(owner, currency)


async def test_a_listing_belongs_to_the_seller_its_account_is() -> None:
    owner, seller_id = await a_seller()
    made = await catalog.create(owner, new_listing(title="A block"), NOON)
    assert (made.seller_id, made.title, made.available) == (seller_id, "A block", 10)
    assert await catalog.find(made.id) == made


async def test_without_a_seller_profile_nothing_is_listed() -> None:
    with pytest.raises(SellerProfileMissing):
        await catalog.create(await account(), new_listing(), NOON)


async def test_a_listing_is_priced_in_its_sellers_currency() -> None:
    owner, _ = await a_seller("usd")
    with pytest.raises(SellerCurrencyDiffers):
        await catalog.create(owner, new_listing(currency="eur"), NOON)


@pytest.mark.parametrize("unit_amount", [0, 49, 100_000_000])
async def test_a_price_that_cannot_be_charged_is_refused(unit_amount: int) -> None:
    owner, _ = await a_seller()
    with pytest.raises(AmountNotChargeable):
        await catalog.create(owner, new_listing(unit_amount=unit_amount), NOON)
    made = await listing(owner)
    with pytest.raises(AmountNotChargeable):
        await catalog.update(owner, made.id, ListingChanges(unit_amount=unit_amount), NOON)
    assert await catalog.find(made.id) == made


@pytest.mark.parametrize(
    ("kind", "stock", "why"),
    [("session", 3, "session_has_no_stock"), ("product", None, "product_needs_stock")],
)
async def test_products_have_stock_and_sessions_none(
    kind: str, stock: int | None, why: str
) -> None:
    owner, _ = await a_seller()
    with pytest.raises(StockRefused) as refusal:
        await catalog.create(owner, new_listing(kind=kind, stock_on_hand=stock), NOON)
    assert refusal.value.why == why


async def test_only_what_is_named_changes() -> None:
    owner, _ = await a_seller()
    made = await listing(owner)
    after = await catalog.update(
        owner, made.id, ListingChanges(unit_amount=900, stock_on_hand=0), NOON
    )
    assert (after.unit_amount, after.stock_on_hand, after.title) == (900, 0, made.title)
    assert await catalog.find(made.id) == after


async def test_stock_never_falls_below_what_is_reserved() -> None:
    owner, _ = await a_seller()
    made = await listing(owner)
    await execute("UPDATE listings SET stock_reserved = 4 WHERE id = $1", made.id)
    with pytest.raises(StockRefused) as refusal:
        await catalog.update(owner, made.id, ListingChanges(stock_on_hand=3), NOON)
    assert refusal.value.why == "below_reserved"
    after = await catalog.update(owner, made.id, ListingChanges(stock_on_hand=4), NOON)
    assert after.available == 0


async def test_a_session_cannot_be_given_stock() -> None:
    owner, _ = await a_seller()
    made = await listing(owner, kind="session")
    with pytest.raises(StockRefused):
        await catalog.update(owner, made.id, ListingChanges(stock_on_hand=3), NOON)


async def test_another_sellers_listing_is_one_that_does_not_exist() -> None:
    owner, _ = await a_seller()
    stranger, _ = await a_seller()
    made = await listing(owner)
    with pytest.raises(ListingNotFound):
        await catalog.update(stranger, made.id, ListingChanges(title="Mine"), NOON)
    with pytest.raises(ListingNotFound):
        await catalog.archive(stranger, made.id, NOON)
    assert await catalog.find(made.id) == made


async def test_an_archived_listing_is_seen_by_its_seller_only() -> None:
    owner, _ = await a_seller()
    made = await listing(owner)
    await catalog.archive(owner, made.id, NOON)
    with pytest.raises(ListingNotFound):
        await catalog.find(made.id)
    with pytest.raises(ListingNotFound):
        await catalog.archive(owner, made.id, NOON)
    assert await catalog.offers([made.id]) == {}
    (seen,) = (await catalog.list_own(owner, PageRequest())).data
    assert (seen.id, seen.status) == (made.id, "archived")


async def test_pages_follow_each_other_without_gap_or_repeat() -> None:
    owner, seller_id = await a_seller()
    made = [(await listing(owner)).id for _ in range(5)]
    seen: list[str] = []
    page = PageRequest(limit=2)
    while True:
        found = await catalog.list_public(ListingFilter(seller_id=seller_id), page)
        seen += [each.id for each in found.data]
        if not found.has_more:
            break
        page = PageRequest(limit=2, starting_after=seen[-1])
    assert seen == sorted(made, reverse=True)


async def test_the_public_list_is_filtered() -> None:
    owner, seller_id = await a_seller()
    session = await listing(owner, kind="session", title="100% calm_breath", category="breath")
    product = await listing(owner, title="1000 calm breaths")

    async def ids(**wanted: str) -> set[str]:
        found = await catalog.list_public(
            ListingFilter(seller_id=seller_id, **wanted),  # type: ignore[arg-type]
            PageRequest(),
        )
        return {each.id for each in found.data}

    assert await ids() == {session.id, product.id}
    assert await ids(kind="session") == {session.id}
    assert await ids(category="yoga") == {product.id}
    assert await ids(text="CALM") == {session.id, product.id}
    assert await ids(text="100%") == {session.id}
    assert await ids(text="m_b") == {session.id}
    assert await ids(text="nothing of the kind") == set()


async def test_a_suspended_sellers_listings_are_not_shown() -> None:
    owner, seller_id = await a_seller()
    await listing(owner)
    await execute("UPDATE sellers SET suspended_at = $2 WHERE id = $1", seller_id, NOON)
    found = await catalog.list_public(ListingFilter(seller_id=seller_id), PageRequest())
    assert found.data == []
