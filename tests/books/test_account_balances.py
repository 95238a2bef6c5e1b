"""Balances of any moment are those of a full count, however much of the ledger is sealed."""

import random
from datetime import datetime, timedelta

import pytest

from marketplace.books import account_balances, ledger_review
from marketplace.books.account_balances import AccountBalance, BalanceFilter
from marketplace.books.ledger_review import AccountEntry, PostingFilter
from marketplace.paging import PageRequest
from payments import ledger
from payments.ledger_chain import POSTINGS, seal
from tests.books.ledgers import transfer, write
from tests.orders.shop import NOON, Shop, account, listing

ACCOUNTS = ("buyers", "platform:fees", "seller:sel_1", "seller:sel_1:debt", "seller:sel_2", "banks")


async def listed(wanted: BalanceFilter, limit: int = 2) -> list[AccountBalance]:
    """All pages."""
    seen: list[AccountBalance] = []
    page = PageRequest(limit=limit)
    while True:
        found = await account_balances.balances(page, wanted)
        seen += found.data
        if not found.has_more:
            return seen
        page = PageRequest(limit=limit, starting_after=seen[-1].id)


async def history(name: str, currency: str = "eur", limit: int = 3) -> list[AccountEntry]:
    """All pages of an account's postings."""
    seen: list[AccountEntry] = []
    page = PageRequest(limit=limit)
    while True:
        found = await account_balances.entries(name, currency, page)
        seen += found.data
        if not found.has_more:
            return seen
        page = PageRequest(limit=limit, starting_after=seen[-1].id)


async def counted(at: datetime | None) -> dict[tuple[str, str], int]:
    """By adding up everything."""
    return {(one.account, one.currency): one.amount for one in await ledger.balances(before=at)}


@pytest.fixture(scope="module")
async def moments(database: None) -> list[datetime]:
    """A ledger of many days in two currencies, the last third of which is not sealed; its moments."""
    chance = random.Random(11)
    moments = sorted(NOON + timedelta(minutes=chance.randrange(20 * 1440)) for _ in range(90))
    for place, moment in enumerate(moments):
        source, target = chance.sample(ACCOUNTS, 2)
        entries = [transfer(source, target, chance.randrange(1, 10_000))]
        entries.append(transfer(target, source, chance.randrange(1, 500)))
        await write(*entries, at=moment, currency=chance.choice(("eur", "usd")))
        if place < 60:
            await seal(POSTINGS, moment, 3)
    return moments


async def test_balances_of_any_moment_are_those_of_a_full_count(moments: list[datetime]) -> None:
    second = timedelta(seconds=1)
    midnights = [moment.replace(hour=0, minute=0) for moment in moments[::9]]
    asked = [
        None,
        NOON - second,
        *moments[::4],
        *(one + second for one in moments[::7]),
        *midnights,
    ]
    for at in asked:
        found = await listed(BalanceFilter(at=at), limit=5)
        assert {(one.account, one.currency): one.amount for one in found} == await counted(at)
        places = [(one.account, one.currency) for one in found]
        assert places == sorted(places)
        assert sum(one.amount for one in found) == 0


async def test_accounts_are_found_by_address_by_beginning_and_by_currency(
    moments: list[datetime],
) -> None:
    every = await listed(BalanceFilter())
    sellers = await listed(BalanceFilter(account="seller:"))
    assert sellers == [one for one in every if one.account.startswith("seller:")]
    assert {one.account for one in sellers} == {"seller:sel_1", "seller:sel_1:debt", "seller:sel_2"}
    assert await listed(BalanceFilter(account="seller:sel_1", currency="usd")) == [
        one for one in every if (one.account, one.currency) == ("seller:sel_1", "usd")
    ]
    assert await listed(BalanceFilter(account="seller")) == []
    assert await listed(BalanceFilter(account="%:")) == []


@pytest.mark.parametrize("name", ACCOUNTS)
async def test_an_account_is_read_backwards_with_what_it_held_after_each_posting(
    moments: list[datetime], name: str
) -> None:
    found = await history(name)
    places = [(one.recorded_at, one.id) for one in found]
    assert places == sorted(places, reverse=True)
    held = 0
    for entry in reversed(found):
        held += entry.moved
        assert entry.balance == held
        assert entry.moved == (entry.amount if entry.target == name else -entry.amount)
    assert held == (await counted(None))[name, "eur"]


async def test_nothing_is_an_empty_page(moments: list[datetime]) -> None:
    assert await history("nobody") == await history("banks", "jpy") == []
    nowhere = PageRequest(starting_after="pst_unknown")
    assert (await account_balances.entries("banks", "eur", nowhere)).data == []


async def test_the_ledger_is_read_by_order_and_by_account(shop: Shop) -> None:
    owner, seller_id = await shop.a_seller()
    thing = await listing(owner, kind="session", unit_amount=6_000)
    order_id = await shop.place(await account(), (thing.id, 1))
    await shop.pay(order_id)
    found = await ledger_review.postings(PostingFilter(order_id=order_id), PageRequest())
    assert {(p.kind, p.source, p.target, p.amount) for p in found.data} == {
        ("capture", "buyers", f"seller:{seller_id}", 6_000),
        ("application_fee", f"seller:{seller_id}", "platform:fees", 900),
        ("processing_cost", "platform:fees", "stripe:processing", 204),
    }
    of_seller = await history(f"seller:{seller_id}")
    assert {p.kind for p in of_seller} == {"capture", "application_fee"}
    assert of_seller[0].balance == 5_100
    assert {p.about["order"] for p in of_seller} == {order_id}
    assert all(p.about["payment"] == p.payment_id for p in of_seller)
