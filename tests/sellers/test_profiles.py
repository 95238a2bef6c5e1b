"""Becoming a seller, changing the profile, and what can no longer change."""

import asyncio
from typing import Any

import pytest

from marketplace.catalog.catalog import Catalog
from marketplace.catalog.listings import NewListing
from marketplace.people.errors import NameRefused
from marketplace.sellers.errors import (
    CountryUnknown,
    SellerFactFixed,
    SellerNotFound,
    SellerProfileExists,
)
from marketplace.sellers.profile import NewSeller, SellerChanges, SellerProfile
from payments.database import rows
from payments.errors import CurrencyUnknown, OutcomeUnknown, StripeRejected
from tests.sellers.conftest import COACH, URLS, Shop, an_account


async def trail(seller_id: str) -> list[str]:
    found = await rows(
        "SELECT action FROM audit_log WHERE subject = $1 ORDER BY occurred_at, id", seller_id
    )
    return [each["action"] for each in found]


async def change(shop: Shop, seller: SellerProfile, **facts: Any) -> SellerProfile:
    return await shop.sellers.update(
        seller.id, seller.account_id, SellerChanges(**facts), shop.clock()
    )


async def test_a_new_seller_waits_for_approval(shop: Shop) -> None:
    seller = await shop.a_seller()
    assert seller.id.startswith("sel_")
    assert seller.approval == "pending"
    assert seller.suspended_at is None
    assert await shop.sellers.require(seller.id) == seller
    assert await shop.sellers.require_of_account(seller.account_id) == seller
    assert await trail(seller.id) == ["seller.opened"]


async def test_an_account_has_one_profile_however_often_it_asks(shop: Shop) -> None:
    account_id = await an_account()
    answers = await asyncio.gather(
        *(shop.sellers.open_profile(account_id, COACH, shop.clock()) for _ in range(10)),
        return_exceptions=True,
    )
    made = [each for each in answers if isinstance(each, SellerProfile)]
    refused = [each for each in answers if isinstance(each, SellerProfileExists)]
    assert (len(made), len(refused)) == (1, 9)
    assert {each.seller_id for each in refused} == {made[0].id}


@pytest.mark.parametrize(
    ("facts", "error"),
    [
        ({"country": "ZZ"}, CountryUnknown),
        ({"country": "de"}, CountryUnknown),
        ({"country": ""}, CountryUnknown),
        ({"currency": "xxx"}, CurrencyUnknown),
        ({"currency": "EUR"}, CurrencyUnknown),
        ({"display_name": "  "}, NameRefused),
        ({"display_name": "a\u202eb"}, NameRefused),
        ({"display_name": "x" * 121}, NameRefused),
    ],
)
async def test_what_is_no_seller_is_refused_and_nothing_is_kept(
    shop: Shop, facts: dict[str, str], error: type[Exception]
) -> None:
    account_id = await an_account()
    wanted = NewSeller(**{"display_name": "Coach", "country": "DE", "currency": "eur"} | facts)
    with pytest.raises(error):
        await shop.sellers.open_profile(account_id, wanted, shop.clock())
    with pytest.raises(SellerNotFound):
        await shop.sellers.require_of_account(account_id)


async def test_a_profile_changes_by_its_owner_alone(shop: Shop) -> None:
    seller = await shop.a_seller()
    changed = await change(shop, seller, display_name="  Coach   Grace ", country="FR")
    assert (changed.display_name, changed.country) == ("Coach Grace", "FR")
    assert await shop.sellers.require(seller.id) == changed
    with pytest.raises(SellerNotFound):
        await shop.sellers.update(
            seller.id, await an_account(), SellerChanges(display_name="Mine"), shop.clock()
        )
    with pytest.raises(SellerNotFound):
        await shop.sellers.require_own(seller.id, await an_account())
    assert await trail(seller.id) == ["seller.opened", "seller.changed"]


async def test_a_change_to_the_same_is_no_change(shop: Shop) -> None:
    seller = await shop.a_seller()
    assert await change(shop, seller, country="DE") == seller
    assert await trail(seller.id) == ["seller.opened"]


async def test_country_and_currency_are_fixed_once_stripe_was_asked(shop: Shop) -> None:
    """Even while the answer is still out: the account may exist with what was asked for."""
    seller = await shop.a_seller()
    shop.stripe.lost_answer = OutcomeUnknown("timeout")
    with pytest.raises(OutcomeUnknown):
        await shop.onboard(seller)
    for facts in ({"country": "FR"}, {"currency": "usd"}):
        with pytest.raises(SellerFactFixed) as refused:
            await change(shop, seller, **facts)
        assert refused.value.field in facts
    assert (await change(shop, seller, display_name="New name")).display_name == "New name"


async def test_after_stripes_no_the_country_can_be_corrected(shop: Shop) -> None:
    seller = await shop.a_seller()
    shop.stripe.refusal = StripeRejected("country_unsupported")
    with pytest.raises(Exception, match="country_unsupported"):
        await shop.onboard(seller)
    shop.stripe.refusal = None
    seller = await change(shop, seller, country="FR")
    await shop.onboard(seller)
    assert shop.stripe.accounts[shop.stripe.sellers[seller.id]].country == "FR"


async def test_the_currency_is_fixed_by_listings_priced_in_it(shop: Shop) -> None:
    seller = await shop.a_seller()
    await Catalog().create(
        seller.account_id,
        NewListing(
            kind="session",
            title="An hour",
            description="",
            category="coaching",
            unit_amount=5000,
            currency="eur",
            stock_on_hand=None,
        ),
        shop.clock(),
    )
    with pytest.raises(SellerFactFixed) as refused:
        await change(shop, seller, currency="usd")
    assert refused.value.field == "currency"
    assert (await change(shop, seller, country="FR")).country == "FR"


async def test_links_are_for_the_owner_alone(shop: Shop) -> None:
    seller = await shop.a_seller()
    with pytest.raises(SellerNotFound):
        await shop.sellers.onboarding_link(
            seller.id,
            account_id=await an_account(),
            email="x@example.com",
            now=shop.clock(),
            **URLS,
        )
    with pytest.raises(SellerNotFound):
        await shop.sellers.dashboard_link(seller.id, account_id=await an_account())
    assert shop.stripe.asked == []
