"""A shop's days: what is ready is captured, parcels travel, holds end before the bank ends them."""

from datetime import datetime, timedelta
from typing import Any

from tests.stories.town import Person, Town

ADDRESS = {
    "name": "Grace Hopper",
    "address": {"line1": "Hafen 1", "postal_code": "10115", "city": "Berlin", "country": "DE"},
}
DHL = {"carrier": "DHL", "tracking_number": "00340434161094042557"}
UPS = {"carrier": "UPS", "tracking_number": "1Z999AA10123456784"}


async def _passes(town: Town, *people: Person, **time: float) -> None:
    """Time passes, and people sign in again the day after."""
    await town.passes(**time)
    for person in people:
        await town.signs_in(person)


async def _buys(town: Town, buyer: Person, *lines: tuple[str, int]) -> str:
    """An order with an address, held by the buyer's bank."""
    order_id = str((await buyer.order(*lines))["id"])
    answer = await buyer.call("PATCH", f"/v1/orders/{order_id}", {"shipping": ADDRESS})
    assert answer.status_code == 200, answer.text
    await town.confirm(await buyer.checkout(order_id))
    await town.settle()
    return order_id


async def _intent(town: Town, order_id: str) -> Any:
    intents = await town.stripe(
        "GET", "/v1/payment_intents", params={"expand[]": "data.latest_charge"}
    )
    [intent] = [one for one in intents["data"] if one["metadata"].get("order_id") == order_id]
    return intent


async def _sells(town: Town, admin: Person) -> Person:
    """A shop, approved by an admin who may have been signed out by the time that passed."""
    await town.signs_in(admin)
    return await town.seller("shop", admin=admin)


async def _steps(person: Person, order_id: str) -> list[str]:
    history = (await person.get(f"/v1/orders/{order_id}/history"))["data"]
    return [step["step"] for step in history]


async def _told(person: Person, order_id: str) -> list[str]:
    """The kinds of messages this person was written about the order, the first one first."""
    found = (await person.get("/v1/me/messages", limit=100))["data"]
    return [one["kind"] for one in found if one["subject_id"] == order_id][::-1]


async def _stock(person: Person, listing: str) -> int:
    return int((await person.get(f"/v1/listings/{listing}"))["available"])


async def test_a_part_is_prepared_shipped_corrected_and_complete_by_time(
    town: Town, admin: Person
) -> None:
    shop, buyer = await _sells(town, admin), await town.arrives("buyer")
    mat = await town.product(shop, stock=5, unit_amount=2_500)
    strap = await town.product(shop, stock=5, unit_amount=1_000)
    order_id = await _buys(town, buyer, (mat, 2), (strap, 3))
    path = f"/v1/orders/{order_id}"

    ready = {"lines": [{"listing_id": mat, "quantity": 2}, {"listing_id": strap, "quantity": 1}]}
    prepared = await shop.post(f"{path}/preparation", ready)
    assert prepared["status"] == "paid"
    assert prepared["payment"]["amount_captured"] == 6_000
    assert prepared["payment"]["fee_captured"] == 6_000 // 10 + 30, "computed anew and sent"
    assert [line["quantity_prepared"] for line in prepared["lines"]] == [2, 1]
    intent = await _intent(town, order_id)
    assert (intent["amount_received"], intent["application_fee_amount"]) == (6_000, 630)
    assert await _stock(shop, mat) == 3
    assert await _stock(shop, strap) == 4, "two straps are the shop's again"
    again = await shop.refused("POST", f"{path}/preparation", ready)
    assert again == (409, "order_step_refused"), "captured once"
    await town.settle()
    assert (await buyer.get(path))["status"] == "paid"

    shipped = await shop.post(f"{path}/shipment", DHL)
    assert shipped["status"] == "shipped"
    assert (shipped["shipment"]["carrier"], shipped["payment"]["amount_captured"]) == ("DHL", 6_000)
    parcel = (await _intent(town, order_id))["latest_charge"]["shipping"]
    assert (parcel["carrier"], parcel["tracking_number"]) == tuple(DHL.values())
    assert (parcel["name"], parcel["address"]["city"]) == ("Grace Hopper", "Berlin")
    assert (await buyer.get(path))["shipment"]["tracking_number"] == DHL["tracking_number"]

    corrected = await shop.call("PATCH", f"{path}/shipment", UPS)
    assert corrected.json()["shipment"]["carrier"] == "UPS"
    parcel = (await _intent(town, order_id))["latest_charge"]["shipping"]
    assert (parcel["carrier"], parcel["tracking_number"]) == tuple(UPS.values())
    assert (await buyer.refused("POST", f"{path}/cancellation")) == (409, "order_shipped")

    await _passes(town, shop, buyer, days=13)
    assert (await buyer.get(path))["status"] == "shipped"
    await _passes(town, shop, buyer, days=1)
    assert (await buyer.get(path))["status"] == "completed"
    assert (await _steps(shop, order_id))[-5:] == [
        "preparation_asked",
        "prepared",
        "shipped",
        "tracking_corrected",
        "completed",
    ]
    assert {"order_prepared", "order_shipped", "tracking_corrected"} <= set(
        await _told(buyer, order_id)
    )


async def test_a_seller_who_sleeps_is_reminded_and_the_hold_is_released_in_time(
    town: Town, admin: Person
) -> None:
    shop, buyer = await _sells(town, admin), await town.arrives("buyer")
    mat = await town.product(shop, stock=2)
    order_id = await _buys(town, buyer, (mat, 2))
    order = await shop.get(f"/v1/orders/{order_id}")
    ends = datetime.fromisoformat(order["payment"]["capture_before"])
    assert datetime.fromisoformat(order["prepare_by"]) == ends - timedelta(hours=2)
    assert "prepare_by" not in await buyer.get(f"/v1/orders/{order_id}")

    for hours, latest in (
        (48, "deadline_reminded"),
        (24, "deadline_reminded"),
        (12, "deadline_escalated"),
    ):
        left = ends - timedelta(hours=hours) - town.clock()
        await _passes(town, shop, seconds=left.total_seconds() + 1)
        assert (await _steps(shop, order_id))[-1] == latest
    await town.signs_in(admin)
    assert (await _told(shop, order_id)).count("deadline_reminded") == 2
    assert "deadline_escalated" in await _told(admin, order_id)

    await _passes(town, shop, buyer, hours=10)
    assert (await buyer.get(f"/v1/orders/{order_id}"))["status"] == "canceled"
    assert (await _intent(town, order_id))["cancellation_reason"] == "abandoned"
    assert await _stock(shop, mat) == 2
    assert (await shop.refused("POST", f"/v1/orders/{order_id}/preparation"))[0] == 409


async def test_a_shop_that_says_so_has_late_holds_captured(town: Town, admin: Person) -> None:
    shop, buyer = await _sells(town, admin), await town.arrives("buyer")
    path = f"/v1/sellers/{shop.seller_id}"
    changed = await shop.call("PATCH", path, {"at_deadline": "capture"})
    assert changed.json()["at_deadline"] == "capture"
    order_id = await _buys(town, buyer, (await town.product(shop), 1))
    await _passes(town, buyer, days=6, hours=23)
    order = await buyer.get(f"/v1/orders/{order_id}")
    assert (order["status"], order["payment"]["amount_captured"]) == ("paid", 2_500)
    assert (await _intent(town, order_id))["status"] == "succeeded"


async def test_the_hold_lapsed_and_goods_were_shipped_unpaid(town: Town, admin: Person) -> None:
    """With no worker for a week the hold lapses at the bank: nothing is shipped, nobody is charged."""
    shop, buyer = await _sells(town, admin), await town.arrives("buyer")
    mat = await town.product(shop, stock=1)
    order_id = await _buys(town, buyer, (mat, 1))
    assert await shop.refused("POST", f"/v1/orders/{order_id}/shipment", DHL) == (
        409,
        "order_step_refused",
    ), "a hold is no money"
    # Nothing of ours runs while the clock moves past the hold.
    before = town.clock()
    after = town.clock.move(days=7, minutes=1)
    town.sandbox.sandbox.advance(int((after - before).total_seconds()))
    await town.signs_in(shop)
    assert await shop.refused("POST", f"/v1/orders/{order_id}/shipment", DHL) == (
        409,
        "order_step_refused",
    )
    await town.settle()
    await town.signs_in(buyer)
    order = await buyer.get(f"/v1/orders/{order_id}")
    assert (order["status"], order["shipment"]) == ("expired", None)
    assert order["payment"]["amount_captured"] == 0
    assert "hold_lapsed" in await _steps(shop, order_id)
    assert await _stock(shop, mat) == 1
    for person in (shop, buyer):
        assert any(kind.endswith("lapsed") for kind in await _told(person, order_id))


async def test_a_canceled_order_stayed_capturable(town: Town, admin: Person) -> None:
    """Canceling is the release at Stripe: neither here nor there is anything left to capture."""
    shop, buyer = await _sells(town, admin), await town.arrives("buyer")
    order_id = await _buys(town, buyer, (await town.product(shop), 1))
    reason = {"reason": "Ordered the wrong size"}
    canceled = await buyer.post(f"/v1/orders/{order_id}/cancellation", reason)
    assert canceled["status"] == "canceled"
    intent = await _intent(town, order_id)
    assert (intent["status"], intent["amount_capturable"]) == ("canceled", 0)
    assert await shop.refused("POST", f"/v1/orders/{order_id}/preparation") == (
        409,
        "order_step_refused",
    )
    captures = [
        one
        for one in await town.asked("POST", f"/v1/payment_intents/{intent['id']}")
        if one["path"].endswith("/capture")
    ]
    assert captures == []


async def test_the_screen_showed_a_new_amount_and_stripe_captured_the_old(
    town: Town, admin: Person
) -> None:
    """After the authorization a cart only shrinks, by what is prepared; every figure is Stripe's."""
    shop, buyer = await _sells(town, admin), await town.arrives("buyer")
    mat = await town.product(shop, unit_amount=2_500)
    order_id = await _buys(town, buyer, (mat, 2))
    more = {"lines": [{"listing_id": mat, "quantity": 3}]}
    answer = await buyer.call("PATCH", f"/v1/orders/{order_id}", more)
    assert answer.status_code == 409, "authorized: the cart stands"
    too_many = await shop.refused("POST", f"/v1/orders/{order_id}/preparation", more)
    assert too_many == (422, "prepared_too_many")
    fewer = {"lines": [{"listing_id": mat, "quantity": 1}]}
    prepared = await shop.post(f"/v1/orders/{order_id}/preparation", fewer)
    intent = await _intent(town, order_id)
    shown = prepared["payment"]["amount_captured"]
    assert shown == intent["amount_received"] == intent["latest_charge"]["amount_captured"] == 2_500
    await town.settle()
    assert (await shop.get(f"/v1/orders/{order_id}"))["held_reason"] is None, (
        "a part is no mismatch"
    )


async def test_the_seller_could_not_be_paid_and_the_raw_error_reached_people(
    town: Town, admin: Person
) -> None:
    """Restricted since the order: nothing is captured, and everybody is told in our words."""
    shop, buyer = await _sells(town, admin), await town.arrives("buyer")
    order_id = await _buys(town, buyer, (await town.product(shop), 1))
    await town.restricts(shop)
    answer = await shop.call("POST", f"/v1/orders/{order_id}/preparation", key="one")
    assert (answer.status_code, answer.json()["code"]) == (409, "seller_not_payable")
    assert answer.json()["reasons"]
    assert "acct_" not in answer.text
    assert (await shop.refused("POST", f"/v1/orders/{order_id}/preparation"))[0] == 409
    await town.settle()
    assert (await _steps(buyer, order_id)).count("preparation_refused") == 1
    intent = await _intent(town, order_id)
    assert (intent["status"], intent["amount_received"]) == ("requires_capture", 0)
    assert "order_not_prepared" in await _told(buyer, order_id)
    assert "sale_not_prepared" in await _told(shop, order_id)
    await town.signs_in(admin)
    assert await _told(admin, order_id), "the admin knows"
    await town.restricts(shop, "active")
    assert (await shop.post(f"/v1/orders/{order_id}/preparation"))["status"] == "paid"


async def test_stripe_refuses_the_capture_before_we_heard_of_the_restriction(
    town: Town, admin: Person
) -> None:
    shop, buyer = await _sells(town, admin), await town.arrives("buyer")
    order_id = await _buys(town, buyer, (await town.product(shop), 1))
    account = await town.account_of(shop)
    await town.fault(fault="drop", times=20)
    await town.stripe(
        "POST", f"/_sandbox/accounts/{account}", json={"stripe_transfers": "restricted"}
    )
    status, code = await shop.refused("POST", f"/v1/orders/{order_id}/preparation")
    assert (status, code) == (409, "seller_unavailable")
    assert (await _steps(shop, order_id))[-1] == "preparation_refused"
    # The snapshot is doubted: the next try asks Stripe about the account first, and not for money.
    asked = len(await town.asked("POST", "/v1/payment_intents"))
    assert await shop.refused("POST", f"/v1/orders/{order_id}/preparation") == (
        409,
        "seller_not_payable",
    )
    assert len(await town.asked("POST", "/v1/payment_intents")) == asked
    await town.stripe("DELETE", "/_sandbox/faults")


async def test_what_was_captured_goes_back_when_it_cannot_be_sent(
    town: Town, admin: Person
) -> None:
    shop, buyer = await _sells(town, admin), await town.arrives("buyer")
    mat = await town.product(shop, stock=1)
    order_id = await _buys(town, buyer, (mat, 1))
    await shop.post(f"/v1/orders/{order_id}/preparation")
    terms = await buyer.get(f"/v1/orders/{order_id}/cancellation")
    assert (terms["effect"], terms["refund"], terms["amount_captured"]) == ("refund", 2_500, 2_500)
    canceled = await shop.post(f"/v1/orders/{order_id}/cancellation")
    assert (canceled["status"], canceled["canceling"]) == ("canceled", False)
    assert canceled["payment"]["amount_refunded"] == 2_500
    await town.settle()
    assert await _stock(shop, mat) == 1
    charge = (await _intent(town, order_id))["latest_charge"]
    assert charge["amount_refunded"] == 2_500
