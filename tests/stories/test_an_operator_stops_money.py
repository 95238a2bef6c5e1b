"""The operator stops money: for everybody or a part, for a seller, and lets it go again, all on record."""

from datetime import timedelta
from typing import Any

import pytest_asyncio

from payments.ids import new_id
from tests.stories.town import SECRET_KEY, Person, Town, a_client


@pytest_asyncio.fixture(loop_scope="session")
async def admin(town: Town) -> Person:
    """Fresh for each story: their session is not older than the story."""
    return await town.admin()


@pytest_asyncio.fixture(loop_scope="session")
async def coach(town: Town, admin: Person) -> Person:
    return await town.seller("coach", admin=admin)


_SHOWN = {"confirmation": {"amount": 6000}}


async def _off(admin: Person, operation: str, **facts: Any) -> str:
    body = {"operation": operation, "scope": "all", "reason": "We look into it"} | facts
    return str((await admin.post("/v1/admin/switches", body))["id"])


async def _on(admin: Person, switch_id: str) -> None:
    answer = await admin.http.delete(
        f"/v1/admin/switches/{switch_id}",
        params={"reason": "It was nothing"},
        headers={"X-CSRF-Token": admin.csrf, "Origin": admin.town.base_url},
    )
    assert answer.status_code == 200, answer.text


async def test_checkouts_are_switched_off_for_one_seller_and_the_buyer_is_told_why(
    town: Town, admin: Person, coach: Person, buyer: Person
) -> None:
    """One seller's sales are stopped for an hour: others sell on, and after the hour so do they."""
    other = await town.seller("other", admin=admin)
    order = await buyer.order((await town.lists(coach), 1))
    ends = town.clock() + timedelta(hours=1)
    await _off(
        admin,
        "checkout",
        scope="seller",
        target=coach.seller_id,
        expires_at=ends.isoformat(),
        reason="We check their identity",
    )
    asked = len(await town.asked("POST", "/"))
    # As often as they like: it is not their doing, and counts as no try of theirs.
    for path in ["checkout", *["confirmation"] * 25]:
        answer = await buyer.call(
            "POST", f"/v1/orders/{order['id']}/{path}", _SHOWN.get(path), key=new_id("key")
        )
        assert (answer.status_code, answer.json()["code"]) == (503, "switched_off")
    assert answer.headers["Retry-After"] == "3600"
    problem = answer.json()
    assert (problem["operation"], problem["scope"]) == ("checkout", "seller")
    assert problem["reason"] == "We check their identity"
    assert problem["until"] is not None
    assert len(await town.asked("POST", "/")) == asked, "not even a Customer is made"
    await buyer.pays(await town.lists(other))
    await town.passes(minutes=61)
    await town.signs_in(buyer)
    await town.confirm(await buyer.checkout(order["id"]))
    await town.settle()
    assert (await buyer.get(f"/v1/orders/{order['id']}"))["status"] == "paid"


async def test_captures_and_refunds_are_switched_off_and_on_again(
    town: Town, admin: Person, coach: Person, buyer: Person
) -> None:
    """Nothing is captured, nothing refunded, nothing of either is asked of Stripe; then all of it is."""
    order_id = await buyer.pays(await town.product(coach))
    capture = await _off(admin, "capture", scope="country", target="DE")
    path = f"/v1/orders/{order_id}/preparation"
    assert await coach.refused("POST", path) == (503, "switched_off")
    assert (await coach.get(f"/v1/orders/{order_id}"))["status"] == "authorized"
    await _on(admin, capture)
    await coach.post(path)
    await town.settle()
    refund = await _off(admin, "refund", scope="currency", target="eur")
    asked = len(await town.asked("POST", "/v1/refunds"))
    for person in (coach, admin):
        assert await person.refused("POST", f"/v1/orders/{order_id}/refunds", {}) == (
            503,
            "switched_off",
        )
    assert await buyer.refused("POST", f"/v1/orders/{order_id}/cancellation") == (
        503,
        "switched_off",
    )
    assert len(await town.asked("POST", "/v1/refunds")) == asked
    assert (await buyer.get(f"/v1/orders/{order_id}"))["status"] == "paid"
    await _on(admin, refund)
    await coach.post(f"/v1/orders/{order_id}/refunds", {})


async def test_onboarding_is_switched_off(town: Town, admin: Person) -> None:
    """No new account is opened while it is."""
    person = await town.arrives("newcomer")
    await town.opens_shop(person)
    switch = await _off(admin, "onboarding")
    asked = len(await town.asked("POST", "/v2/core/accounts"))
    path = f"/v1/sellers/{person.seller_id}/onboarding-link"
    assert await person.refused("POST", path) == (503, "switched_off")
    assert len(await town.asked("POST", "/v2/core/accounts")) == asked
    await _on(admin, switch)
    await town.onboards(person)


async def test_a_sellers_money_is_frozen_by_one_admin_and_moves_again_by_two(
    town: Town, admin: Person, coach: Person, buyer: Person
) -> None:
    """No checkout, no capture, no payout for weeks; one admin alone cannot end it, two can."""
    await buyer.pays(await town.lists(coach), card="pm_card_bypassPending")
    held = await buyer.pays(await town.product(coach))
    order = await buyer.order((await town.lists(coach), 1))
    path = f"/v1/admin/sellers/{coach.seller_id}"
    assert await buyer.refused("POST", f"{path}/freeze", {"reason": "mine"}) == (403, "admins_only")
    frozen = await admin.post(f"{path}/freeze", {"reason": "A court has asked for it"})
    assert frozen["freeze_reason"] == "A court has asked for it"
    assert await admin.refused("POST", f"{path}/freeze", {"reason": "twice"}) == (
        409,
        "seller_frozen_already",
    )
    answer = await buyer.call("POST", f"/v1/orders/{order['id']}/checkout", key="k2")
    assert (answer.status_code, answer.json()["code"]) == (409, "seller_not_payable")
    assert "frozen" not in answer.text, "why is not the buyer's to know"
    assert await coach.refused("POST", f"/v1/orders/{held}/preparation") == (
        409,
        "seller_not_payable",
    )
    account = await town.account_of(coach)
    assert await _interval(town, account) == "manual"
    await town.passes(days=4)
    assert await _payouts(town, account) == 0

    for person in (admin, coach, buyer):
        await town.signs_in(person)
    asked = await admin.post(f"{path}/unfreezing", {"reason": "The court has withdrawn it"})
    assert asked["state"] == "asked"
    approval = f"/v1/admin/approvals/{asked['id']}/approval"
    assert await admin.refused("POST", approval, {"reason": "me too"}) == (403, "own_approval")
    second = await town.admin()
    await second.post(approval, {"reason": "I have read the letter"})
    await town.settle()
    assert await _interval(town, account) == "daily"
    assert await admin.refused("POST", f"{path}/unfreezing", {"reason": "again"}) == (
        409,
        "seller_not_frozen",
    )
    await town.passes(days=2)
    assert await _payouts(town, account) == 1
    await town.signs_in(second)
    log = await second.get("/v1/admin/audit", subject=coach.seller_id)
    actions = {(one["action"], one["actor"]) for one in log["data"]}
    assert ("seller.frozen", admin.account_id) in actions
    assert ("seller.unfrozen", second.account_id) in actions
    await town.signs_in(coach)
    told = {one["kind"] for one in (await coach.get("/v1/me/messages", limit=100))["data"]}
    assert {"seller_frozen", "seller_unfrozen"} <= told


async def test_a_freeze_stands_although_stripe_did_not_answer(
    town: Town, admin: Person, coach: Person, buyer: Person
) -> None:
    """Stripe was away: nothing is sold from that moment on, and payouts are held as soon as it is back."""
    account = await town.account_of(coach)
    await town.fault(fault="lost_before", method="POST", path="/v1/balance_settings", times=2)
    frozen = await admin.post(
        f"/v1/admin/sellers/{coach.seller_id}/freeze", {"reason": "Goods were never sent"}
    )
    assert frozen["frozen_at"] is not None
    assert await _interval(town, account) == "daily"
    order = await buyer.order((await town.lists(coach), 1))
    assert (await buyer.refused("POST", f"/v1/orders/{order['id']}/checkout"))[1] == (
        "seller_not_payable"
    )
    await town.passes(minutes=5)
    assert await _interval(town, account) == "manual"


async def test_a_large_refund_needs_two_admins(
    town: Town, admin: Person, coach: Person, buyer: Person
) -> None:
    """The coach is gone with 1,500 euros to give back: one admin asks, another approves, Stripe pays."""
    order_id = await buyer.pays(await town.lists(coach, unit_amount=150_000))
    path = f"/v1/orders/{order_id}"
    assert await admin.refused("POST", f"{path}/refunds", {}) == (409, "refund_needs_approval")
    assert await admin.refused("POST", f"{path}/cancellation") == (409, "refund_needs_approval")
    asked = await admin.post(
        f"/v1/admin{path.removeprefix('/v1')}/refund-approvals",
        {"refund": {"bearer": "platform"}, "reason": "The coach does not answer any more"},
    )
    assert (await buyer.get(f"{path}/refunds"))["data"] == []
    second = await town.admin()
    await second.post(f"/v1/admin/approvals/{asked['id']}/approval", {"reason": "I called, too"})
    await town.passes(minutes=1)
    (refund,) = (await buyer.get(f"{path}/refunds"))["data"]
    assert (refund["amount"], refund["status"]) == (150_000, "succeeded")
    assert await admin.refused("POST", f"{path}/refunds", {}) == (422, "refund_exceeds_captured")


async def _interval(town: Town, account: str) -> str:
    found = await _as(town, account, "/v1/balance_settings")
    return str(found["payments"]["payouts"]["schedule"]["interval"])


async def _payouts(town: Town, account: str) -> int:
    return len((await _as(town, account, "/v1/payouts"))["data"])


async def _as(town: Town, account: str, path: str) -> Any:
    async with a_client(base_url=town.sandbox.base_url) as client:
        answer = await client.get(
            path,
            headers={
                "Authorization": f"Bearer {SECRET_KEY}",
                "Stripe-Version": "2026-10-28.endive",
                "Stripe-Account": account,
            },
        )
    assert answer.status_code == 200, answer.text
    return answer.json()
