"""Links into Stripe's pages: minted per click, refused where they could not work."""

import pytest

from connect.errors import AccountIsClosed, AccountNotFound, LinkRefused, OnboardingIncomplete
from payments.errors import OutcomeUnknown, StripeRejected
from payments.ids import SellerId, new_id
from tests.connect.conftest import Connect, a_seller

URLS = {"return_url": "https://shop.example/return", "refresh_url": "https://shop.example/refresh"}


async def test_each_click_gets_a_link_and_a_key_of_its_own(connect: Connect) -> None:
    seller_id = await a_seller()
    await connect.open(seller_id)
    first = await connect.accounts.onboarding_link(seller_id, **URLS)
    second = await connect.accounts.onboarding_link(seller_id, **URLS)
    assert first.url != second.url
    keys = [asked[2] for asked in connect.gateway.asked if asked[0] == "create_onboarding_link"]
    assert len(set(keys)) == 2
    assert all(key and key.startswith(f"seller:{seller_id}:onboarding") for key in keys)


async def test_without_an_account_there_is_no_link(connect: Connect) -> None:
    seller_id = SellerId(new_id("sel"))
    with pytest.raises(AccountNotFound):
        await connect.accounts.onboarding_link(seller_id, **URLS)
    with pytest.raises(AccountNotFound):
        await connect.accounts.dashboard_link(seller_id)
    assert connect.gateway.asked == []


async def test_a_closed_account_is_not_onboarded_again(connect: Connect) -> None:
    seller_id, account_id = await connect.a_ready_seller()
    connect.gateway.change(account_id, closed=True)
    await connect.accounts.refresh(account_id)
    with pytest.raises(AccountIsClosed):
        await connect.accounts.onboarding_link(seller_id, **URLS)
    with pytest.raises(AccountIsClosed):
        await connect.accounts.dashboard_link(seller_id)
    assert connect.gateway.count("create_onboarding_link") == 0


async def test_stripes_no_to_a_link_is_told_as_one(connect: Connect) -> None:
    """Closed since we last read: we learn it from Stripe."""
    seller_id, account_id = await connect.a_ready_seller()
    connect.gateway.change(account_id, closed=True)
    with pytest.raises(LinkRefused) as refused:
        await connect.accounts.onboarding_link(seller_id, **URLS)
    assert refused.value.code == "account_closed"


async def test_the_dashboard_opens_once_onboarding_is_done(connect: Connect) -> None:
    seller_id = await a_seller()
    account_id = await connect.open(seller_id)
    with pytest.raises(OnboardingIncomplete) as refused:
        await connect.accounts.dashboard_link(seller_id)
    assert refused.value.state == "incomplete"
    assert connect.gateway.count("create_dashboard_link") == 0

    connect.gateway.onboard(account_id)
    connect.clock.advance(seconds=61)
    link = await connect.accounts.dashboard_link(seller_id)
    assert link.url.startswith("https://")
    assert link.url not in repr(link)


async def test_silence_of_stripe_stays_silence(connect: Connect) -> None:
    seller_id, _ = await connect.a_ready_seller()
    connect.gateway.silence = OutcomeUnknown("timeout")
    with pytest.raises(OutcomeUnknown):
        await connect.accounts.onboarding_link(seller_id, **URLS)


async def test_a_rejected_dashboard_link_is_told_as_one(connect: Connect) -> None:
    seller_id, account_id = await connect.a_ready_seller()
    connect.gateway.forget(account_id)
    with pytest.raises(LinkRefused) as refused:
        await connect.accounts.dashboard_link(seller_id)
    assert refused.value.code == "not_found"
    assert isinstance(refused.value.__cause__, StripeRejected)
