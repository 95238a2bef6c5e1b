"""Changing, confirming and paying in one go, over HTTP: what is answered, and every refusal as a problem."""

from typing import Any

import pytest

from payments.database import execute, value
from payments.ids import new_id
from tests.api.harness import Browser, everything_stored
from tests.orders.market import SESSION, Deal, Market, a_listing, created, shown, wanting
from tests.orders.shop import FakeCards

ADDRESS = {"name": "Ada", "address": {"line1": "Torstraße 1", "city": "Berlin", "country": "DE"}}


async def a_card(buyer: Browser, payment_method_id: str = "pm_card_visa") -> str:
    return await FakeCards().keep(buyer.account["id"], payment_method_id)


async def test_a_cart_changes_and_says_so(market: Market) -> None:
    deal = await market.deal()
    first = (await deal.buyer.post(deal.path("checkout"), {"save_card": True})).json()
    answer = await deal.buyer.patch(
        deal.path(), {**wanting((deal.listing_id, 3)), "shipping": ADDRESS}
    )
    assert answer.status_code == 200, answer.text
    order = answer.json()
    assert (order["total"], order["cart_version"], order["change"]) == (7_500, 2, None)
    assert order["shipping"]["address"]["city"] == "Berlin"
    again = (await deal.buyer.post(deal.path("checkout"))).json()
    assert (again["payment_intent"], again["amount"]) == (first["payment_intent"], 7_500)
    hidden = await shown(deal.seller, deal.path())
    assert hidden["shipping"] is None, "a buyer's address is nobody's before there is an order"
    market.shop.stripe.pay(first["payment_intent"])
    await deal.buyer.post(deal.path("refresh"))
    assert (await shown(deal.seller, deal.path()))["shipping"]["name"] == "Ada"


async def test_a_change_on_its_way_is_shown_and_stops_everything(market: Market) -> None:
    deal = await market.deal()
    await deal.buyer.post(deal.path("checkout"))
    market.shop.stripe.lose_answer_after()
    answer = await deal.buyer.patch(deal.path(), wanting((deal.listing_id, 3)))
    assert (answer.status_code, answer.json()["code"]) == (503, "payments_unavailable")
    order = await shown(deal.buyer, deal.path())
    assert (order["total"], order["change"]["version"], order["change"]["total"]) == (
        5_000,
        2,
        7_500,
    )
    for refused in (
        await deal.buyer.post(deal.path("checkout")),
        await deal.buyer.post(deal.path("confirmation"), {"amount": 5_000}),
        await deal.buyer.patch(deal.path(), wanting((deal.listing_id, 1))),
    ):
        assert (refused.status_code, refused.json()["code"]) == (409, "change_under_way")
        assert refused.headers["retry-after"] == "2"


async def test_confirming_freezes_and_going_back_thaws(market: Market) -> None:
    deal = await market.deal()
    wrong = await deal.buyer.post(deal.path("confirmation"), {"amount": 4_900})
    assert (wrong.status_code, wrong.json()["code"]) == (409, "total_changed")
    assert (wrong.json()["total"], wrong.json()["currency"]) == (5_000, "eur")
    foreign = await deal.buyer.post(deal.path("confirmation"), {"amount": 5_000, "currency": "usd"})
    told = [
        foreign.json()[name] for name in ("code", "shown", "shown_currency", "total", "currency")
    ]
    assert told == ["total_changed", 5_000, "usd", 5_000, "eur"]
    spelt = await deal.buyer.post(deal.path("confirmation"), {"amount": 5_000, "currency": "EUR"})
    assert (spelt.status_code, spelt.json()["code"]) == (400, "invalid_body")
    confirmed = await deal.buyer.post(
        deal.path("confirmation"), {"amount": 5_000, "currency": "eur"}
    )
    assert confirmed.status_code == 200, confirmed.text
    assert confirmed.json()["client_secret"]
    assert (await shown(deal.buyer, deal.path()))["confirming"] is True
    frozen = await deal.buyer.patch(deal.path(), wanting((deal.listing_id, 1)))
    assert (frozen.status_code, frozen.json()["code"]) == (409, "cart_frozen")
    back = await deal.buyer.delete(deal.path("confirmation"))
    assert (back.status_code, back.json()["confirming"]) == (200, False)
    assert (await deal.buyer.patch(deal.path(), wanting((deal.listing_id, 1)))).status_code == 200


async def test_a_saved_card_declined_is_a_problem_with_advice(market: Market) -> None:
    deal = await market.deal(**SESSION)
    poor = await a_card(deal.buyer, "pm_card_visa_chargeDeclinedInsufficientFunds")
    answer = await deal.buyer.post(deal.path("confirmation"), {"amount": 5_000, "card_id": poor})
    assert (answer.status_code, answer.json()["code"]) == (402, "insufficient_funds")
    assert "another card" in answer.json()["detail"]
    good = await a_card(deal.buyer)
    paid = await deal.buyer.post(deal.path("confirmation"), {"amount": 5_000, "card_id": good})
    assert (paid.status_code, paid.json()["status"]) == (200, "succeeded")
    unknown = await deal.buyer.post(
        deal.path("confirmation"), {"amount": 5_000, "card_id": "crd_unknown"}
    )
    assert (unknown.status_code, unknown.json()["code"]) == (409, "order_step_refused")


async def test_the_same_again_asks_first(market: Market) -> None:
    deal = await market.deal(**SESSION)
    card = await a_card(deal.buyer)
    await deal.buyer.post(deal.path("confirmation"), {"amount": 5_000, "card_id": card})
    other = await created(
        deal.buyer, "/v1/orders", wanting((deal.listing_id, 2)), key=new_id("key")
    )
    asked = await deal.buyer.post(f"/v1/orders/{other['id']}/checkout")
    assert (asked.status_code, asked.json()["code"]) == (409, "bought_already")
    assert asked.json()["bought_order_id"] == deal.order_id
    again = await deal.buyer.post(f"/v1/orders/{other['id']}/checkout", {"again": True})
    assert again.status_code == 200


async def test_too_many_confirmations_say_when_to_come_back(market: Market) -> None:
    deal = await market.deal()
    await execute(
        "INSERT INTO limits (bucket, window_started_at, used) VALUES ($1, $2, 40)",
        f"confirmation:{deal.buyer.account['id']}",
        market.shop.clock(),
    )
    answer = await deal.buyer.post(deal.path("confirmation"), {"amount": 5_000})
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_tries")
    assert answer.headers["retry-after"] == str(answer.json()["retry_after_seconds"]) == "3600"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"lines": []}, 422, "no_lines"),
        ({"lines": None}, 400, "invalid_body"),
        ({"lines": [{"listing_id": "LISTING", "quantity": 0}]}, 422, "quantity_refused"),
        ({"lines": [{"listing_id": "lst_x", "quantity": 1}]}, 422, "listing_not_offered"),
        ({"shipping": {"name": "Ada"}}, 400, "invalid_body"),
        ({"shipping": {**ADDRESS, "name": " "}}, 422, "shipping_refused"),
        ({"total": 1}, 400, "invalid_body"),
    ],
)
async def test_a_bad_change_changes_nothing(
    standing: Deal, body: dict[str, Any], status: int, code: str
) -> None:
    before = await everything_stored()
    answer = await standing.buyer.patch(standing.path(), body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await everything_stored() == before
    assert (await shown(standing.buyer, standing.path()))["cart_version"] == 1


async def test_an_admin_releases_what_was_held(market: Market) -> None:
    deal = await market.deal(**SESSION)
    card = await a_card(deal.buyer)
    await deal.buyer.post(deal.path("confirmation"), {"amount": 5_000, "card_id": card})
    path = f"/v1/admin/orders/{deal.order_id}/fulfilment-release"
    free = await market.admin.post(path, {"reason": "nothing wrong"})
    assert (free.status_code, free.json()["code"]) == (409, "fulfilment_not_held")
    await execute("UPDATE orders SET held_reason = 'look' WHERE id = $1", deal.order_id)
    assert (await market.admin.post(path, {"reason": ""})).status_code == 400
    released = await market.admin.post(path, {"reason": "looked at"})
    assert (released.status_code, released.json()["held_reason"]) == (200, None)
    assert (await deal.seller.post(path, {"reason": "mine"})).status_code == 403


async def test_the_address_may_come_with_the_order(market: Market) -> None:
    deal = await market.deal()
    body = {**wanting((deal.listing_id, 1)), "shipping": ADDRESS}
    key = new_id("key")
    order = await created(deal.buyer, "/v1/orders", body, key)
    assert order["shipping"]["address"]["line1"] == "Torstraße 1"
    assert (await shown(deal.buyer, f"/v1/orders/{order['id']}"))["shipping"] == order["shipping"]
    checkout = (await deal.buyer.post(f"/v1/orders/{order['id']}/checkout", {"again": True})).json()
    draft = market.shop.stripe.asked[-1].draft
    assert (checkout["status"], draft.shipping.name) == ("requires_payment_method", "Ada")  # type: ignore[attr-defined]
    # The order itself knows its key, and what was asked for under it.
    await execute("DELETE FROM idempotent_requests")
    assert (await created(deal.buyer, "/v1/orders", body, key))["id"] == order["id"]
    await execute("DELETE FROM idempotent_requests")
    other = await deal.buyer.post("/v1/orders", wanting((deal.listing_id, 1)), key=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_an_address_nothing_can_be_sent_to_places_nothing(market: Market) -> None:
    product, session = await market.deal(), await market.deal(**SESSION)
    placed = await value("SELECT count(*) FROM orders")
    for path in ("/v1/orders", "/v1/checkout-groups"):
        for deal, address, code in (
            (product, {**ADDRESS, "name": " "}, "shipping_refused"),
            (session, ADDRESS, "shipping_not_needed"),
        ):
            body = {**wanting((deal.listing_id, 1)), "shipping": address}
            answer = await deal.buyer.post(path, body, key=new_id("key"))
            assert (answer.status_code, answer.json()["code"]) == (422, code), path
    assert await value("SELECT count(*) FROM orders") == placed


async def test_the_address_of_a_group_is_that_of_its_products(market: Market) -> None:
    product, session = await market.deal(), await market.deal(**SESSION)
    lines = wanting((product.listing_id, 1), (session.listing_id, 1))
    body, key = {**lines, "shipping": ADDRESS}, new_id("key")
    group = await created(product.buyer, "/v1/checkout-groups", body, key)
    sent = [each["order"]["shipping"] for each in group["orders"]]
    assert (sent[0]["name"], sent[1]) == ("Ada", None)
    await execute("DELETE FROM idempotent_requests")
    assert await created(product.buyer, "/v1/checkout-groups", body, key) == group
    await execute("DELETE FROM idempotent_requests")
    other = await product.buyer.post("/v1/checkout-groups", lines, key=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


class Group:
    """A buyer with a cart of two sellers."""

    def __init__(self, buyer: Browser, told: dict[str, Any]) -> None:
        self.buyer, self.told = buyer, told
        self.path = f"/v1/checkout-groups/{told['id']}"

    async def act(self, action: str, **body: Any) -> dict[str, Any]:
        answer = await self.buyer.post(f"{self.path}/{action}", body)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told


async def a_group(market: Market) -> Group:
    lines = []
    for changes in ({}, SESSION):
        seller, _ = await market.seller()
        lines.append(((await created(seller, "/v1/listings", a_listing(**changes)))["id"], 1))
    buyer = await market.person()
    return Group(
        buyer, await created(buyer, "/v1/checkout-groups", wanting(*lines), key=new_id("key"))
    )


async def test_a_group_is_paid_with_the_card_given_once(market: Market) -> None:
    group = await a_group(market)
    assert (group.told["state"], group.told["totals"]) == (
        "open",
        [{"currency": "eur", "amount": 5_000}],
    )
    begun = await group.act("checkout")
    assert begun["keeps_card"] is True
    assert begun["confirm_next"]["order_id"] == group.told["orders"][0]["order"]["id"]
    await group.act("confirmation", totals=begun["totals"])
    market.shop.stripe.pay(begun["confirm_next"]["payment_intent"])
    paid = await group.act("confirmation", totals=begun["totals"])
    assert (paid["state"], paid["confirm_next"], paid["keeps_card"]) == ("paid", None, False)
    listed = await shown(group.buyer, "/v1/checkout-groups")
    assert [each["id"] for each in listed["data"]] == [group.told["id"]]


async def test_a_group_tells_why_an_order_was_not_paid(market: Market) -> None:
    group = await a_group(market)
    poor = await a_card(group.buyer, "pm_card_visa_chargeDeclinedInsufficientFunds")
    told = await group.act("confirmation", totals=group.told["totals"], card_id=poor)
    first, second = told["orders"]
    assert (first["refusal"]["status"], first["refusal"]["code"]) == (402, "insufficient_funds")
    assert (second["refusal"], second["next"]) == (None, "pay")
    given_up = await group.act("abandonment", paid="give_back")
    assert (given_up["state"], given_up["totals"]) == ("abandoned", [])
    again = await group.buyer.post(f"{group.path}/checkout")
    assert (again.status_code, again.json()["code"]) == (409, "checkout_group_abandoned")


async def test_a_group_shown_with_other_totals_is_not_paid(market: Market) -> None:
    group = await a_group(market)
    answer = await group.buyer.post(
        f"{group.path}/confirmation", {"totals": [{"currency": "eur", "amount": 4_999}]}
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "checkout_group_totals_changed")
    assert answer.json()["totals"] == [{"currency": "eur", "amount": 5_000}]
    spelt = await group.buyer.post(
        f"{group.path}/confirmation", {"totals": [{"currency": "EUR", "amount": 5_000}]}
    )
    assert (spelt.status_code, spelt.json()["code"]) == (400, "invalid_body")


async def test_a_group_is_nobody_elses_business(market: Market) -> None:
    group, stranger = await a_group(market), await market.person()
    totals = {"totals": group.told["totals"]}
    for answer in (
        await stranger.get(group.path),
        await stranger.post(f"{group.path}/checkout"),
        await stranger.post(f"{group.path}/confirmation", totals),
        await stranger.post(f"{group.path}/abandonment"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "checkout_group_not_found")
    seen = await shown(market.admin, group.path)
    assert [each["order"]["id"] for each in seen["orders"]] == [
        each["order"]["id"] for each in group.told["orders"]
    ]
    unkeyed = await stranger.post("/v1/checkout-groups", {"lines": []})
    assert unkeyed.json()["code"] == "idempotency_key_required"
