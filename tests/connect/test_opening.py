"""Opening a seller's connected account: one account, whatever gets lost on the way."""

import asyncio

import pytest
import pytest_asyncio

from connect import records
from connect.errors import AccountNotOpened
from payments.database import rows, transaction, value
from payments.errors import NotSent, OutcomeUnknown, StripeRejected, TransactionOpen
from payments.ids import SellerId
from tests.connect.conftest import Connect, a_seller


@pytest_asyncio.fixture(loop_scope="session")
async def seller_id(database: None) -> SellerId:
    return await a_seller()


async def keys_of(seller_id: str) -> list[tuple[str, str]]:
    found = await rows(
        "SELECT idempotency_key, state FROM operations WHERE subject = $1 ORDER BY created_at, id",
        seller_id,
    )
    return [(each["idempotency_key"], each["state"]) for each in found]


async def test_an_account_is_opened_once_through_the_journal(
    connect: Connect, seller_id: SellerId
) -> None:
    account_id = await connect.open(seller_id)
    assert await connect.open(seller_id) == account_id
    assert connect.gateway.asked == [
        ("create_account", seller_id, f"seller:{seller_id}:account:1"),
    ]
    assert await keys_of(seller_id) == [(f"seller:{seller_id}:account:1", "succeeded")]
    stored = await records.require(account_id)
    assert stored.known.snapshot == connect.gateway.accounts[account_id]
    assert stored.known.seller_id == seller_id
    assert stored.known.checked_at == connect.clock()
    assert not stored.known.stale


async def test_twenty_clicks_at_once_open_one_account(
    connect: Connect, seller_id: SellerId
) -> None:
    opened = await asyncio.gather(*(connect.open(seller_id) for _ in range(20)))
    assert len(set(opened)) == 1
    assert len(connect.gateway.accounts) == 1
    assert connect.gateway.count("create_account") == 1


async def test_a_lost_answer_is_asked_for_again_under_the_same_key(
    connect: Connect, seller_id: SellerId
) -> None:
    connect.gateway.lost_answer = OutcomeUnknown("timeout")
    with pytest.raises(OutcomeUnknown):
        await connect.open(seller_id)
    assert await connect.open(seller_id) == connect.gateway.sellers[seller_id]
    assert {asked[2] for asked in connect.gateway.asked} == {f"seller:{seller_id}:account:1"}
    assert len(connect.gateway.accounts) == 1


async def test_the_sweep_finishes_an_opening_nobody_came_back_for(
    connect: Connect, seller_id: SellerId
) -> None:
    connect.gateway.lost_answer = OutcomeUnknown("timeout")
    with pytest.raises(OutcomeUnknown):
        await connect.open(seller_id)
    await connect.operations.resume_due(connect.clock.advance(minutes=1))
    stored = await records.find_of_seller(seller_id)
    assert stored is not None
    assert stored.known.snapshot.id == connect.gateway.sellers[seller_id]


async def test_an_opening_under_way_keeps_what_it_was_asked_with(
    connect: Connect, seller_id: SellerId
) -> None:
    """The profile changed between two clicks: the frozen request still goes, nothing is refused."""
    connect.gateway.silence = NotSent("rate_limit")
    with pytest.raises(NotSent):
        await connect.open(seller_id)
    connect.gateway.silence = None
    account_id = await connect.accounts.open_account(
        seller_id, country="FR", currency="eur", email="new@example.com", display_name="New"
    )
    assert connect.gateway.accounts[account_id].country == "DE"


async def test_after_a_definite_no_the_next_try_has_a_new_key(
    connect: Connect, seller_id: SellerId
) -> None:
    connect.gateway.refusal = StripeRejected("country_unsupported", message="Not there.")
    with pytest.raises(AccountNotOpened) as refused:
        await connect.open(seller_id)
    assert refused.value.code == "country_unsupported"
    connect.gateway.refusal = None
    await connect.open(seller_id)
    assert await keys_of(seller_id) == [
        (f"seller:{seller_id}:account:1", "rejected"),
        (f"seller:{seller_id}:account:2", "succeeded"),
    ]


async def test_a_stored_failure_at_stripe_is_read_back_and_adopted(
    connect: Connect, seller_id: SellerId
) -> None:
    """Stripe opened the account but repeats a 5xx under our key: only reading tells."""
    connect.gateway.lost_answer = OutcomeUnknown("http_500", replayed=True)
    account_id = await connect.open(seller_id)
    assert account_id == connect.gateway.sellers[seller_id]
    assert connect.gateway.count("find_account") == 1
    assert len(connect.gateway.accounts) == 1


async def test_opening_is_refused_inside_a_transaction(
    connect: Connect, seller_id: SellerId
) -> None:
    account_id = await connect.open(seller_id)
    async with transaction():
        with pytest.raises(TransactionOpen):
            await connect.accounts.refresh(account_id)
    assert connect.gateway.count("retrieve_account") == 0


async def test_nothing_of_a_link_is_stored(connect: Connect, seller_id: SellerId) -> None:
    await connect.open(seller_id)
    link = await connect.accounts.onboarding_link(
        seller_id, return_url="https://shop.example/r", refresh_url="https://shop.example/f"
    )
    assert link.url not in repr(link)
    assert not await value(
        "SELECT count(*) FROM operations WHERE parameters LIKE '%' || $1 || '%'", link.url
    )
