"""Orders over HTTP: what people send, what they are answered, and what is refused."""

import json
from typing import Any

import pytest

from payments.database import execute, value
from payments.ids import new_id
from tests.api.harness import everything_stored
from tests.orders.market import Deal, Market, created, shown, wanting


async def test_an_order_says_what_it_costs_and_hides_the_fee_from_its_buyer(
    market: Market,
) -> None:
    deal = await market.deal()
    bought = await shown(deal.buyer, deal.path())
    assert (bought["total"], bought["status"], bought["payment"]) == (5_000, "checkout", None)
    assert "application_fee" not in bought
    sold = await shown(deal.seller, deal.path())
    assert sold["application_fee"] == 530
    own = await shown(deal.buyer, "/v1/orders")
    assert [each["id"] for each in own["data"]] == [deal.order_id]
    assert (await shown(deal.seller, "/v1/orders"))["data"] == []


async def test_orders_are_listed_by_status_and_a_seller_is_not_shown_carts(market: Market) -> None:
    deal = await market.deal()
    lists = (deal.seller, f"/v1/sellers/{deal.seller_id}/orders"), (deal.buyer, "/v1/orders")

    async def found(**query: str) -> list[list[str]]:
        pages = [await shown(person, path, **query) for person, path in lists]
        return [[each["id"] for each in page["data"]] for page in pages]

    assert await found() == [[], [deal.order_id]]
    assert await found(status="checkout") == [[deal.order_id], [deal.order_id]]
    market.shop.stripe.pay((await deal.buyer.post(deal.path("checkout"))).json()["payment_intent"])
    await deal.buyer.post(deal.path("refresh"))
    assert await found() == [[deal.order_id], [deal.order_id]]
    assert await found(status="checkout") == [[], []]
    assert await found(status="authorized") == [[deal.order_id], [deal.order_id]]
    wrong = await deal.buyer.get("/v1/orders", status="lost")
    assert (wrong.status_code, wrong.json()["code"]) == (400, "invalid_parameter")


async def test_an_order_needs_a_key_and_the_same_key_is_the_same_order(market: Market) -> None:
    deal = await market.deal()
    body, key = wanting((deal.listing_id, 1)), new_id("key")
    without = await deal.buyer.post("/v1/orders", body)
    assert (without.status_code, without.json()["code"]) == (400, "idempotency_key_required")
    first = await created(deal.buyer, "/v1/orders", body, key)
    assert await created(deal.buyer, "/v1/orders", body, key) == first
    # Even when the stored answer is gone, the order itself knows its key.
    await execute("DELETE FROM idempotent_requests")
    assert await created(deal.buyer, "/v1/orders", body, key) == first
    await execute("DELETE FROM idempotent_requests")
    other = await deal.buyer.post("/v1/orders", wanting((deal.listing_id, 2)), key=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


BAD_ORDERS = [
    ({"lines": []}, 422, "no_lines"),
    ({}, 400, "invalid_body"),
    ({"lines": "all"}, 400, "invalid_body"),
    (wanting(("LISTING", 0)), 422, "quantity_refused"),
    (wanting(("LISTING", -1)), 422, "quantity_refused"),
    (wanting(("LISTING", 1_000)), 422, "quantity_refused"),
    (wanting(("LISTING", 10**30)), 400, "body_number_refused"),
    ({"lines": [{"listing_id": "LISTING", "quantity": 1.5}]}, 400, "invalid_body"),
    ({"lines": [{"listing_id": "LISTING", "quantity": 1, "unit_amount": 1}]}, 400, "invalid_body"),
    ({**wanting(("LISTING", 1)), "total": 1}, 400, "invalid_body"),
    (wanting(("LISTING", 1), ("LISTING", 1)), 422, "listing_repeated"),
    (wanting(*[(f"lst_{n}", 1) for n in range(51)]), 422, "too_many_lines"),
    (wanting(("lst_nothing", 1)), 422, "listing_not_offered"),
]


@pytest.mark.parametrize(("body", "status", "code"), BAD_ORDERS)
async def test_a_bad_order_is_refused_and_nothing_is_stored(
    standing: Deal, body: dict[str, Any], status: int, code: str
) -> None:
    named = json.loads(json.dumps(body).replace("LISTING", standing.listing_id))
    before = await everything_stored()
    answer = await standing.buyer.post("/v1/orders", named, key=new_id("key"))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    after = await everything_stored()
    # A refusal for good is remembered under its key, and nothing else.
    assert after | {"idempotent_requests": 0} == before | {"idempotent_requests": 0}


async def test_strangers_learn_nothing_of_an_order(market: Market) -> None:
    deal, stranger = await market.deal(), await market.person()
    for action in ("", "attempts", "history", "refunds"):
        assert (await stranger.get(deal.path(action))).status_code == 404
    for action in ("checkout", "refresh", "cancellation", "preparation"):
        assert (await stranger.post(deal.path(action))).status_code == 404
    refund = await stranger.post(deal.path("refunds"), {}, key="k")
    assert refund.status_code == 404
    assert (await shown(deal.buyer, deal.path()))["status"] == "checkout"


async def test_a_product_from_checkout_to_refund(market: Market) -> None:
    deal = await market.deal()
    first = (await deal.buyer.post(deal.path("checkout"))).json()
    again = (await deal.buyer.post(deal.path("checkout"))).json()
    assert again == first
    assert (first["amount"], first["currency"], first["status"]) == (
        5_000,
        "eur",
        "requires_payment_method",
    )
    assert first["publishable_key"] == "pk_test_harness"
    assert first["client_secret"].startswith(first["payment_intent"])
    market.shop.stripe.pay(first["payment_intent"], "pm_card_visa_chargeDeclinedLostCard")
    await deal.buyer.post(deal.path("refresh"))
    market.shop.stripe.pay(first["payment_intent"])
    refreshed = (await deal.buyer.post(deal.path("refresh"))).json()
    assert (refreshed["status"], refreshed["payment"]["status"]) == (
        "authorized",
        "requires_capture",
    )
    attempts = (await shown(deal.buyer, deal.path("attempts")))["data"]
    # Nobody is told that a card was reported lost.
    assert [(each["outcome"], each["reason"]) for each in attempts] == [
        ("declined", "card_declined"),
        ("authorized", None),
    ]
    forbidden = await deal.buyer.post(deal.path("preparation"))
    assert (forbidden.status_code, forbidden.json()["code"]) == (403, "seller_only")
    prepared = await deal.seller.post(deal.path("preparation"))
    assert (prepared.status_code, prepared.json()["status"]) == (200, "paid")
    refund = await created(deal.seller, deal.path("refunds"), {"amount": 2_000}, "r1")
    assert (refund["amount"], refund["status"]) == (2_000, "succeeded")
    seen = (await shown(deal.buyer, deal.path("refunds")))["data"]
    assert [each["id"] for each in seen] == [refund["id"]]
    steps = [each["step"] for each in (await shown(deal.buyer, deal.path("history")))["data"]]
    assert steps == [
        "placed",
        "checkout_begun",
        "authorized",
        "prepared",
        "refund_asked",
        "refunded",
    ]
    await created(deal.seller, deal.path("refunds"), {"amount": 500}, "r2")
    for what in ("attempts", "refunds", "history"):
        whole = (await shown(deal.buyer, deal.path(what)))["data"]
        first_page = await shown(deal.buyer, deal.path(what), limit=1)
        after = first_page["data"][0]["id"]
        rest = await shown(deal.buyer, deal.path(what), starting_after=after)
        assert (first_page["data"] + rest["data"], rest["has_more"]) == (whole, False)
        assert first_page["has_more"]


async def test_what_banks_say_of_a_buyer_is_not_the_sellers_to_read(market: Market) -> None:
    deal = await market.deal()
    market.shop.stripe.pay((await deal.buyer.post(deal.path("checkout"))).json()["payment_intent"])
    await deal.buyer.post(deal.path("refresh"))
    for browser in (deal.buyer, market.admin):
        [attempt] = (await shown(browser, deal.path("attempts")))["data"]
        assert attempt["outcome"] == "authorized"
    answer = await deal.seller.get(deal.path("attempts"))
    assert (answer.status_code, answer.json()["code"]) == (404, "order_not_found")


async def test_why_a_seller_cannot_be_paid_is_theirs_and_the_admins_to_know(
    market: Market,
) -> None:
    deal, held = await market.deal(), await market.deal()
    market.shop.stripe.pay((await held.buyer.post(held.path("checkout"))).json()["payment_intent"])
    await held.buyer.post(held.path("refresh"))
    for each in (deal, held):
        await execute("UPDATE sellers SET approval = 'pending' WHERE id = $1", each.seller_id)
    asked = len(market.shop.stripe.asked)
    answer = await deal.buyer.post(deal.path("checkout"))
    assert (answer.status_code, answer.json()["code"]) == (409, "seller_not_payable")
    assert "reasons" not in answer.json()
    for browser in (held.seller, market.admin):
        answer = await browser.post(held.path("preparation"))
        assert (answer.status_code, answer.json()["code"]) == (409, "seller_not_payable")
        assert answer.json()["reasons"] == ["not_approved"]
    assert len(market.shop.stripe.asked) == asked


async def test_a_hold_is_released_by_a_cancellation(market: Market) -> None:
    deal = await market.deal()
    intent = (await deal.buyer.post(deal.path("checkout"))).json()["payment_intent"]
    market.shop.stripe.pay(intent)
    await deal.buyer.post(deal.path("refresh"))
    answer = await deal.buyer.post(deal.path("cancellation"))
    assert (answer.status_code, answer.json()["status"]) == (200, "canceled")
    again = await deal.buyer.post(deal.path("checkout"))
    assert (again.status_code, again.json()["code"]) == (409, "order_step_refused")


async def test_what_is_sold_out_says_how_many_are_left(market: Market) -> None:
    deal = await market.deal(stock_on_hand=3)
    other = await created(
        deal.buyer, "/v1/orders", wanting((deal.listing_id, 2)), key=new_id("key")
    )
    assert (await deal.buyer.post(deal.path("checkout"))).status_code == 200
    answer = await deal.buyer.post(f"/v1/orders/{other['id']}/checkout")
    assert (answer.status_code, answer.json()["code"]) == (409, "out_of_stock")
    assert (answer.json()["listing_id"], answer.json()["available"]) == (deal.listing_id, 1)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"amount": 0}, 400, "invalid_body"),
        ({"amount": -1}, 400, "invalid_body"),
        ({"amount": 1.5}, 400, "invalid_body"),
        ({"amount": 5_001}, 422, "refund_exceeds_captured"),
        ({"amount": 1, "reason": "because"}, 400, "invalid_body"),
        ({"everything": True}, 400, "invalid_body"),
    ],
)
async def test_a_bad_refund_is_refused(
    standing_paid: Deal, body: dict[str, Any], status: int, code: str
) -> None:
    answer = await standing_paid.seller.post(standing_paid.path("refunds"), body, key=new_id("key"))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (
        await value("SELECT count(*) FROM refunds WHERE order_id = $1", standing_paid.order_id) == 0
    )
