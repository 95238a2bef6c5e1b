"""The gate: asked before money moves, again under the lock, and closed in doubt."""

import pytest

from connect.capability import Reason
from connect.snapshot import CapabilitySeen
from marketplace.sellers.errors import SellerNotFound, SellerNotPayable
from payments.database import transaction
from payments.errors import OutcomeUnknown
from tests.sellers.conftest import Shop


async def test_an_onboarded_and_approved_seller_is_payable(shop: Shop) -> None:
    seller = await shop.a_payable_seller()
    vouched = await shop.vouching.vouch(seller.id, shop.clock())
    assert vouched.verdict.payable
    assert vouched.account_id == shop.stripe.sellers[seller.id]
    assert vouched.require_payable() == vouched.account_id
    assert await shop.vouching.require_payable(seller.id, shop.clock()) == vouched.account_id


async def test_each_fact_alone_closes_the_gate(shop: Shop) -> None:
    nobody = await shop.a_seller()
    with pytest.raises(SellerNotPayable) as refused:
        await shop.vouching.require_payable(nobody.id, shop.clock())
    assert refused.value.reasons == (Reason.NO_ACCOUNT, Reason.NOT_APPROVED)

    onboarded = await shop.a_seller()
    await shop.onboard(onboarded)
    with pytest.raises(SellerNotPayable) as refused:
        await shop.vouching.require_payable(onboarded.id, shop.clock())
    assert refused.value.reasons == (Reason.NOT_APPROVED,)

    approved = await shop.approve(await shop.a_seller())
    with pytest.raises(SellerNotPayable) as refused:
        await shop.vouching.require_payable(approved.id, shop.clock())
    assert refused.value.reasons == (Reason.NO_ACCOUNT,)

    suspended = await shop.suspend(await shop.a_payable_seller())
    with pytest.raises(SellerNotPayable) as refused:
        await shop.vouching.require_payable(suspended.id, shop.clock())
    assert refused.value.reasons == (Reason.SUSPENDED,)


async def test_what_is_missing_goes_with_the_refusal(shop: Shop) -> None:
    seller = await shop.approve(await shop.a_seller())
    await shop.onboard(seller)
    account_id = shop.stripe.sellers[seller.id]
    shop.stripe.change(account_id, transfers=CapabilitySeen("restricted"))
    with pytest.raises(SellerNotPayable) as refused:
        await shop.vouching.require_payable(seller.id, shop.clock())
    assert refused.value.seller_id == seller.id
    assert refused.value.reasons == (Reason.TRANSFERS_INACTIVE,)
    assert refused.value.missing == ()


async def test_a_suspension_between_the_two_looks_stops_the_payment(shop: Shop) -> None:
    seller = await shop.a_payable_seller()
    await shop.vouching.require_payable(seller.id, shop.clock())
    await shop.suspend(seller)
    async with transaction():
        with pytest.raises(SellerNotPayable) as refused:
            await shop.vouching.require_payable_now(seller.id, shop.clock())
    assert refused.value.reasons == (Reason.SUSPENDED,)


async def test_the_second_look_asks_stripe_nothing(shop: Shop) -> None:
    seller = await shop.a_payable_seller()
    account_id = await shop.vouching.require_payable(seller.id, shop.clock())
    asked = len(shop.stripe.asked)
    async with transaction():
        assert await shop.vouching.require_payable_now(seller.id, shop.clock()) == account_id
    assert len(shop.stripe.asked) == asked


async def test_the_gate_closes_when_stripe_is_silent_for_long(shop: Shop) -> None:
    seller = await shop.a_payable_seller()
    await shop.vouching.require_payable(seller.id, shop.clock())
    shop.stripe.silence = OutcomeUnknown("timeout")
    shop.clock.move(minutes=15)
    await shop.vouching.require_payable(seller.id, shop.clock())
    shop.clock.move(seconds=1)
    with pytest.raises(SellerNotPayable) as refused:
        await shop.vouching.require_payable(seller.id, shop.clock())
    assert refused.value.reasons == (Reason.SNAPSHOT_TOO_OLD,)
    async with transaction():
        with pytest.raises(SellerNotPayable):
            await shop.vouching.require_payable_now(seller.id, shop.clock())


async def test_nobody_vouches_for_a_seller_who_does_not_exist(shop: Shop) -> None:
    with pytest.raises(SellerNotFound):
        await shop.vouching.vouch("sel_nobody", shop.clock())
    with pytest.raises(SellerNotFound):
        await shop.vouching.verdict_now("sel_nobody", shop.clock())
