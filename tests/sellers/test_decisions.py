"""What the platform decides about a seller: the legal steps, who may, and the record of it."""

import json
from typing import Any

import pytest

from connect.capability import AccountState
from marketplace.paging import PageRequest
from marketplace.sellers.directory import SellerFilter, list_sellers
from marketplace.sellers.errors import (
    OwnSellerDecision,
    ReasonRequired,
    SellerNotFound,
    SellerStepRefused,
)
from marketplace.sellers.profile import Decision, SellerProfile
from payments.database import row, value
from tests.sellers.conftest import COACH, Shop, an_account


async def decide(shop: Shop, seller: SellerProfile, decision: Decision) -> SellerProfile:
    return await shop.sellers.decide(
        seller.id, decision, actor=shop.admin_id, reason="Looked at it", now=shop.clock()
    )


async def last_entry(seller_id: str) -> dict[str, Any]:
    found = await row(
        "SELECT * FROM audit_log WHERE subject = $1 ORDER BY occurred_at DESC, id DESC LIMIT 1",
        seller_id,
    )
    assert found is not None
    return dict(found)


@pytest.mark.parametrize(
    ("steps", "approval"),
    [
        (["approve"], "approved"),
        (["reject"], "rejected"),
        (["reject", "approve"], "approved"),
    ],
)
async def test_legal_decisions(shop: Shop, steps: list[Decision], approval: str) -> None:
    seller = await shop.a_seller()
    for step in steps:
        seller = await decide(shop, seller, step)
    assert seller.approval == approval
    assert seller.approval_reason == "Looked at it"
    assert (seller.approved_at is not None) == (approval == "approved")
    assert await shop.sellers.require(seller.id) == seller


@pytest.mark.parametrize(
    ("steps", "refused"),
    [
        (["approve"], "approve"),
        (["approve"], "reject"),
        (["reject"], "reject"),
    ],
)
async def test_illegal_decisions_are_refused_and_leave_no_trace(
    shop: Shop, steps: list[Decision], refused: Decision
) -> None:
    seller = await shop.a_seller()
    for step in steps:
        seller = await decide(shop, seller, step)
    entry = await last_entry(seller.id)
    with pytest.raises(SellerStepRefused) as error:
        await decide(shop, seller, refused)
    assert error.value.step == refused
    assert error.value.approval == seller.approval
    assert await last_entry(seller.id) == entry


async def test_suspension_and_reinstatement(shop: Shop) -> None:
    seller = await shop.approve(await shop.a_seller())
    suspended = await shop.suspend(seller)
    assert suspended.suspended_at == shop.clock()
    assert suspended.suspension_reason == "Not served"
    assert suspended.approval == "approved"
    with pytest.raises(SellerStepRefused):
        await shop.suspend(seller)
    back = await shop.sellers.reinstate(
        seller.id, actor=shop.admin_id, reason="Served again", now=shop.clock()
    )
    assert back == seller
    with pytest.raises(SellerStepRefused):
        await shop.sellers.reinstate(
            seller.id, actor=shop.admin_id, reason="Served again", now=shop.clock()
        )


async def test_every_decision_is_on_record_with_what_changed(shop: Shop) -> None:
    seller = await shop.suspend(await shop.approve(await shop.a_seller()))
    entry = await last_entry(seller.id)
    assert entry["action"] == "seller.suspended"
    assert entry["actor"] == shop.admin_id
    assert entry["reason"] == "Not served"
    assert json.loads(entry["before"]) == {"suspended_at": None, "suspension_reason": None}
    assert json.loads(entry["after"])["suspension_reason"] == "Not served"


async def test_nobody_decides_about_their_own_shop(shop: Shop) -> None:
    seller = await shop.sellers.open_profile(shop.admin_id, COACH, shop.clock())
    with pytest.raises(OwnSellerDecision):
        await shop.approve(seller)
    with pytest.raises(OwnSellerDecision):
        await shop.suspend(seller)
    assert (await shop.sellers.require(seller.id)).approval == "pending"


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501, "bell \x07"])
async def test_a_decision_says_why(shop: Shop, reason: str) -> None:
    seller = await shop.a_seller()
    with pytest.raises(ReasonRequired):
        await shop.sellers.decide(
            seller.id, "approve", actor=shop.admin_id, reason=reason, now=shop.clock()
        )
    with pytest.raises(ReasonRequired):
        await shop.sellers.suspend(seller.id, actor=shop.admin_id, reason=reason, now=shop.clock())


async def test_a_seller_nobody_knows_cannot_be_decided_about(shop: Shop) -> None:
    before = await value("SELECT count(*) FROM audit_log")
    with pytest.raises(SellerNotFound):
        await shop.sellers.suspend(
            "sel_nobody", actor=shop.admin_id, reason="Why not", now=shop.clock()
        )
    assert await value("SELECT count(*) FROM audit_log") == before


async def test_the_directory_filters_and_pages(shop: Shop) -> None:
    waiting = await shop.a_seller()
    ready = await shop.a_payable_seller()
    stopped = await shop.suspend(await shop.a_payable_seller())
    await shop.vouching.vouch(ready.id, shop.clock())
    await shop.vouching.vouch(stopped.id, shop.clock())

    async def listed(**wanted: Any) -> list[str]:
        page = await list_sellers(SellerFilter(**wanted), PageRequest(limit=100))
        return [each.profile.id for each in page.data]

    everybody = await listed()
    assert everybody == sorted(everybody, reverse=True)
    assert {waiting.id, ready.id, stopped.id} <= set(everybody)
    assert waiting.id in await listed(approval="pending", state=AccountState.NOT_STARTED)
    assert ready.id in await listed(state=AccountState.READY, suspended=False)
    assert ready.id not in await listed(suspended=True)
    assert await listed(suspended=True, approval="approved", state=AccountState.READY) == [
        stopped.id
    ]

    first = await list_sellers(SellerFilter(), PageRequest(limit=2))
    assert first.has_more
    rest = await list_sellers(
        SellerFilter(), PageRequest(limit=100, starting_after=first.data[-1].profile.id)
    )
    assert [each.profile.id for each in [*first.data, *rest.data]] == everybody
    assert not rest.has_more


async def test_listed_sellers_tell_their_connected_account(shop: Shop) -> None:
    seller = await shop.a_payable_seller()
    await an_account()
    page = await list_sellers(SellerFilter(), PageRequest(limit=1))
    assert page.data[0].profile == seller
    assert page.data[0].connected_account_id == shop.stripe.sellers[seller.id]
