"""Refunds through HTTP: transfer reversed, fee returned, the ledger exact, zero difference with Stripe."""

import asyncio
from datetime import timedelta

from payments.ids import new_id
from payments.reconciliation import reconcile
from tests.stories.town import Person, Town


async def test_a_full_refund_reaches_everybody(
    town: Town, admin: Person, coach: Person, buyer: Person
) -> None:
    order_id = await buyer.pays(await town.lists(coach, unit_amount=6000))
    refund = await coach.post(f"/v1/orders/{order_id}/refunds", {"reason": "requested_by_customer"})
    assert (refund["status"], refund["amount"]) == ("succeeded", 6000)
    await town.settle()

    order = await buyer.get(f"/v1/orders/{order_id}")
    assert (order["status"], order["payment"]["amount_refunded"]) == ("paid", 6000)
    [fee] = [
        one
        for one in (await admin.get("/v1/admin/fees", limit=100))["data"]
        if one["order_id"] == order_id
    ]
    assert (fee["fee_taken"], fee["fee_returned"]) == (900, 900)
    assert await _differences(town) == []


async def test_partial_refunds_stop_at_what_was_paid(
    town: Town, coach: Person, buyer: Person
) -> None:
    order_id = await buyer.pays(await town.lists(coach, unit_amount=6000))
    path = f"/v1/orders/{order_id}/refunds"
    for amount in (1999, 1, 3000):
        await coach.post(path, {"amount": amount})
    assert (await coach.refused("POST", path, {"amount": 1001}))[0] == 422
    await coach.post(path, {})
    refunds = (await buyer.get(path))["data"]
    assert sum(one["amount"] for one in refunds) == 6000
    assert await _differences(town) == []


async def test_two_people_refunding_at_once_never_exceed_it(
    town: Town, admin: Person, coach: Person, buyer: Person
) -> None:
    order_id = await buyer.pays(await town.lists(coach, unit_amount=6000))
    path = f"/v1/orders/{order_id}/refunds"
    answers = await asyncio.gather(
        *[p.call("POST", path, {"amount": 3600}, key=new_id("k")) for p in (coach, admin) * 3]
    )
    assert sorted(a.status_code for a in answers) == [201] + [422] * 5
    assert await _differences(town) == []


async def test_a_click_repeated_is_one_refund(town: Town, coach: Person, buyer: Person) -> None:
    order_id = await buyer.pays(await town.lists(coach))
    path = f"/v1/orders/{order_id}/refunds"
    first = await coach.call("POST", path, {"amount": 500}, key="one-click")
    again = await coach.call("POST", path, {"amount": 500}, key="one-click")
    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
    other = await coach.call("POST", path, {"amount": 600}, key="one-click")
    assert other.status_code == 422
    assert len((await buyer.get(path))["data"]) == 1


async def test_a_refund_needs_a_key(town: Town, coach: Person, buyer: Person) -> None:
    order_id = await buyer.pays(await town.lists(coach))
    answer = await coach.call("POST", f"/v1/orders/{order_id}/refunds", {"amount": 500})
    assert answer.status_code == 400


async def test_a_refund_made_at_stripe_is_imported(
    town: Town, coach: Person, buyer: Person
) -> None:
    """Sylius StripePlugin 101: dashboard refunds were never imported."""
    order_id = await buyer.pays(await town.lists(coach, unit_amount=6000))
    intent = (await town.composition.services.payments.find(order_id)).intent_id  # type: ignore[union-attr]
    await town.stripe(
        "POST",
        "/v1/refunds",
        data={"payment_intent": intent, "amount": "1000", "reverse_transfer": "true"},
    )
    await town.settle()
    [refund] = (await buyer.get(f"/v1/orders/{order_id}/refunds"))["data"]
    assert (refund["amount"], refund["status"]) == (1000, "succeeded")
    assert await _differences(town) == []


async def test_a_buyer_cannot_refund_themself(town: Town, coach: Person, buyer: Person) -> None:
    order_id = await buyer.pays(await town.lists(coach))
    status, _ = await buyer.refused("POST", f"/v1/orders/{order_id}/refunds", {"amount": 500})
    assert status == 403


async def _differences(town: Town) -> list[object]:
    found = await reconcile(
        town.composition.services.gateway,
        since=town.clock() - timedelta(days=2),
        until=town.clock() + timedelta(days=1),
    )
    return list(found.differences)
