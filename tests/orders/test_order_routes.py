"""Orders, listings and fees over HTTP: what people send, what they are answered, and what is refused."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from litestar import Litestar

from marketplace.app import app_of
from marketplace.composition import compose
from payments.database import execute, value
from payments.ids import SellerId, new_id
from tests.api.harness import (
    Browser,
    client_of,
    everything_stored,
    new_admin,
    serving,
    settings_for,
)
from tests.clocks import MovedClock
from tests.orders.shop import Shop, assembled


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def market(database_url: str) -> AsyncIterator["Market"]:
    """The application with Stripe in memory behind it."""
    clock = MovedClock()
    shop = assembled(clock)
    composition = compose(settings_for(database_url), clock)
    services = replace(
        composition.services,
        accounts=shop.accounts,
        payments=shop.payments,
        refunds=shop.refunds,
        checkout=shop.checkout,
        cancellation=shop.cancellation,
        preparation=shop.preparation,
    )
    async with serving(app_of(replace(composition, services=services))) as app:
        await shop.schedules.ensure_first(clock())
        admin = await new_admin(app, clock)
        yield Market(app, shop, admin)


class Market:
    """The served application, the shop behind it, and its admin."""

    def __init__(self, app: Litestar, shop: Shop, admin: Browser) -> None:
        self.app, self.shop, self.admin = app, shop, admin
        self.people = 0

    async def person(self) -> Browser:
        self.people += 1
        address = f"198.51.100.{self.people}"  # sign-ups are limited by address
        return await Browser(self.app, ip=address).sign_up(f"{new_id('x')}@example.com")

    async def seller(self) -> tuple[Browser, str]:
        """A seller who can be paid."""
        person = await self.person()
        opened = await person.post(
            "/v1/sellers", {"display_name": "A shop", "country": "DE", "currency": "eur"}
        )
        seller_id = SellerId(opened.json()["id"])
        destination = await self.shop.accounts.open_account(
            seller_id, country="DE", currency="eur", email="s@example.com", display_name="A shop"
        )
        self.shop.stripe_accounts.onboard(destination)
        await self.shop.accounts.refresh(destination)
        await execute("UPDATE sellers SET approval = 'approved' WHERE id = $1", seller_id)
        return person, seller_id

    async def deal(self, **changes: Any) -> "Deal":
        """A seller, a buyer, and an order of two."""
        seller, seller_id = await self.seller()
        listing = await created(seller, "/v1/listings", a_listing(**changes))
        buyer = await self.person()
        order = await created(buyer, "/v1/orders", wanting((listing["id"], 2)), key=new_id("key"))
        return Deal(seller, seller_id, buyer, listing["id"], order["id"])


class Deal:
    """Two people, a listing and an order."""

    def __init__(
        self, seller: Browser, seller_id: str, buyer: Browser, listing_id: str, order_id: str
    ) -> None:
        self.seller, self.seller_id, self.buyer = seller, seller_id, buyer
        self.listing_id, self.order_id = listing_id, order_id

    def path(self, action: str = "") -> str:
        return f"/v1/orders/{self.order_id}" + (f"/{action}" if action else "")


async def paid(market: Market) -> Deal:
    deal = await market.deal(**SESSION)
    intent = (await deal.buyer.post(deal.path("checkout"))).json()["payment_intent"]
    market.shop.stripe.pay(intent)
    await deal.buyer.post(deal.path("refresh"))
    return deal


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def standing(market: Market) -> Deal:
    """One deal for all the requests that must change nothing."""
    return await market.deal()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def standing_paid(market: Market) -> Deal:
    """The same, paid."""
    return await paid(market)


def a_listing(**changes: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "kind": "product",
        "title": "A yoga mat",
        "category": "yoga",
        "unit_amount": 2_500,
        "currency": "eur",
        "stock_on_hand": 10,
    }
    facts.update(changes)
    return {name: fact for name, fact in facts.items() if fact is not None}


SESSION = {"kind": "session", "stock_on_hand": None}


def wanting(*lines: tuple[str, int]) -> dict[str, Any]:
    return {"lines": [{"listing_id": id, "quantity": quantity} for id, quantity in lines]}


async def created(
    person: Browser, path: str, body: dict[str, Any], key: str | None = None
) -> dict[str, Any]:
    answer = await person.post(path, body, key=key)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def shown(person: Browser, path: str, **query: Any) -> dict[str, Any]:
    answer = await person.get(path, **query)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


# Listings


async def test_a_seller_publishes_changes_and_ends_a_listing(market: Market) -> None:
    seller, seller_id = await market.seller()
    made = await created(seller, "/v1/listings", a_listing())
    assert (made["stock_on_hand"], made["stock_reserved"], made["available"]) == (10, 0, 10)
    path = f"/v1/listings/{made['id']}"
    changed = await seller.patch(path, {"unit_amount": 3_000})
    assert (changed.status_code, changed.json()["unit_amount"]) == (200, 3_000)
    public = await client_of(market.app).get(path)
    assert public.status_code == 200
    assert "stock_on_hand" not in public.json()
    assert (await seller.delete(path)).status_code == 204
    assert (await seller.get(path)).status_code == 404
    own = await shown(seller, f"/v1/sellers/{seller_id}/listings")
    assert [(each["id"], each["status"]) for each in own["data"]] == [(made["id"], "archived")]


async def test_another_sellers_listing_cannot_be_touched(market: Market) -> None:
    seller, seller_id = await market.seller()
    stranger, _ = await market.seller()
    made = await created(seller, "/v1/listings", a_listing())
    path = f"/v1/listings/{made['id']}"
    assert (await stranger.patch(path, {"title": "Mine"})).status_code == 404
    assert (await stranger.delete(path)).status_code == 404
    assert (await stranger.get(f"/v1/sellers/{seller_id}/listings")).status_code == 404
    assert (await stranger.get(f"/v1/sellers/{seller_id}/orders")).status_code == 404


async def test_the_public_list_is_filtered_and_paged(market: Market) -> None:
    seller, seller_id = await market.seller()
    for n in range(3):
        await created(seller, "/v1/listings", a_listing(title=f"Mat number {n}"))
    anyone = client_of(market.app)
    first = (await anyone.get("/v1/listings", params={"seller_id": seller_id, "limit": 2})).json()
    assert ([each["title"] for each in first["data"]], first["has_more"]) == (
        ["Mat number 2", "Mat number 1"],
        True,
    )
    rest = await anyone.get(
        "/v1/listings",
        params={"seller_id": seller_id, "limit": 2, "starting_after": first["data"][-1]["id"]},
    )
    assert [each["title"] for each in rest.json()["data"]] == ["Mat number 0"]
    found = await anyone.get("/v1/listings", params={"seller_id": seller_id, "q": "NUMBER 1"})
    assert [each["title"] for each in found.json()["data"]] == ["Mat number 1"]


BAD_LISTINGS = [
    ({"unit_amount": 0}, 400, "invalid_body"),
    ({"unit_amount": -5}, 400, "invalid_body"),
    ({"unit_amount": 25.5}, 400, "invalid_body"),
    ({"unit_amount": "2500"}, 400, "invalid_body"),
    ({"unit_amount": True}, 400, "invalid_body"),
    ({"unit_amount": 49}, 422, "amount_invalid"),
    ({"unit_amount": 10**9}, 422, "amount_invalid"),
    ({"unit_amount": 10**30}, 400, "body_number_refused"),
    ({"currency": "usd"}, 422, "seller_currency_differs"),
    ({"currency": "EUR"}, 422, "seller_currency_differs"),
    ({"kind": "gift"}, 400, "invalid_body"),
    ({"title": ""}, 400, "invalid_body"),
    ({"title": "   "}, 400, "invalid_body"),
    ({"title": "x" * 161}, 400, "invalid_body"),
    ({"title": "a\x00b"}, 400, "body_text_refused"),
    ({"category": "Yoga"}, 400, "invalid_body"),
    ({"category": "yoga\n"}, 400, "invalid_body"),
    ({"stock_on_hand": -1}, 400, "invalid_body"),
    ({"stock_on_hand": 10**12}, 400, "invalid_body"),
    ({"stock_on_hand": None}, 422, "stock_refused"),
    ({"kind": "session"}, 422, "stock_refused"),
    ({"seller_id": "sel_other"}, 400, "invalid_body"),
]


@pytest.mark.parametrize(("changes", "status", "code"), BAD_LISTINGS)
async def test_a_bad_listing_is_refused_and_nothing_is_stored(
    standing: Deal, changes: dict[str, Any], status: int, code: str
) -> None:
    before = await everything_stored()
    answer = await standing.seller.post("/v1/listings", a_listing(**changes))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await everything_stored() == before


# Orders


async def test_an_order_says_what_it_costs_and_hides_the_fee_from_its_buyer(
    market: Market,
) -> None:
    deal = await market.deal()
    bought = await shown(deal.buyer, deal.path())
    assert (bought["total"], bought["status"], bought["payment"]) == (5_000, "checkout", None)
    assert "application_fee" not in bought
    sold = await shown(deal.seller, deal.path())
    assert sold["application_fee"] == 530
    listed = await shown(deal.seller, f"/v1/sellers/{deal.seller_id}/orders")
    assert [each["id"] for each in listed["data"]] == [deal.order_id]
    own = await shown(deal.buyer, "/v1/orders")
    assert [each["id"] for each in own["data"]] == [deal.order_id]
    assert (await shown(deal.seller, "/v1/orders"))["data"] == []


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


# Paying, over HTTP


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
        "preparation_asked",
        "prepared",
        "refund_asked",
        "refunded",
    ]


async def test_a_seller_who_cannot_be_paid_is_refused_with_reasons(market: Market) -> None:
    deal = await market.deal()
    await execute("UPDATE sellers SET approval = 'pending' WHERE id = $1", deal.seller_id)
    asked = len(market.shop.stripe.asked)
    answer = await deal.buyer.post(deal.path("checkout"))
    assert answer.status_code == 409
    assert answer.json()["code"] == "seller_not_payable"
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


# Admins


async def test_an_admin_reviews_fees_orders_and_the_ledger(market: Market) -> None:
    deal = await paid(market)
    fees = await shown(market.admin, "/v1/admin/fees", seller_id=deal.seller_id)
    (fee,) = fees["data"]
    assert (fee["order_id"], fee["gross"], fee["fee_taken"], fee["rule_ids"]) == (
        deal.order_id,
        5_000,
        750,
        ["sessions"],
    )
    assert fee["net"] == 750 - fee["processing_cost"]
    by_seller = await shown(
        market.admin, "/v1/admin/fees/summary", group_by="seller", seller_id=deal.seller_id
    )
    assert [(each["key"], each["fee_taken"]) for each in by_seller["data"]] == [
        (deal.seller_id, 750)
    ]
    today = market.shop.clock().date().isoformat()
    by_day = await shown(
        market.admin, "/v1/admin/fees/summary", group_by="day", seller_id=deal.seller_id
    )
    assert [each["id"] for each in by_day["data"]] == [f"{today}:eur"]
    until_today = await shown(market.admin, "/v1/admin/fees", to=today, seller_id=deal.seller_id)
    assert until_today["data"] == []
    since_today = await shown(
        market.admin, "/v1/admin/fees", **{"from": today, "seller_id": deal.seller_id}
    )
    assert len(since_today["data"]) == 1
    about = await shown(market.admin, f"/v1/admin/orders/{deal.order_id}")
    assert about["order"]["application_fee"] == 750
    assert about["fee"]["parts"][0]["rate_amount"] == 750
    assert [each["step"] for each in about["steps"]] == ["placed", "checkout_begun", "captured"]
    listed = await shown(market.admin, "/v1/admin/orders", seller_id=deal.seller_id, status="paid")
    assert [each["id"] for each in listed["data"]] == [deal.order_id]
    postings = await shown(market.admin, "/v1/admin/ledger", order_id=deal.order_id)
    assert {each["kind"] for each in postings["data"]} == {
        "capture",
        "application_fee",
        "processing_cost",
    }
    balances = await shown(market.admin, "/v1/admin/ledger/balances", limit=100)
    assert sum(each["amount"] for each in balances["data"]) == 0


async def test_an_admin_publishes_rules_for_new_orders(market: Market) -> None:
    deal = await market.deal()
    rules = [{"id": "flat", "basis_points": 0, "fixed": {"eur": 99}}]
    made = await created(
        market.admin, "/v1/admin/fee-schedules", {"rules": rules, "reason": "A flat price"}
    )
    listed = await shown(market.admin, "/v1/admin/fee-schedules", limit=1)
    assert (listed["data"][0]["id"], listed["has_more"]) == (made["id"], True)
    order = await created(
        deal.buyer, "/v1/orders", wanting((deal.listing_id, 1)), key=new_id("key")
    )
    sold = await shown(deal.seller, f"/v1/orders/{order['id']}")
    assert sold["application_fee"] == 99
    back = [{"id": "sessions", "basis_points": 1_500}]
    await created(market.admin, "/v1/admin/fee-schedules", {"rules": back, "reason": "Back again"})


@pytest.mark.parametrize(
    ("rules", "status", "code"),
    [
        ([], 400, "invalid_body"),
        ([{"id": "a", "basis_points": 10_001}], 422, "fee_schedule_malformed"),
        ([{"id": "a", "basis_points": 12.5}], 400, "invalid_body"),
        ([{"id": "a", "basis_points": 1, "when": {"moon": "full"}}], 400, "invalid_body"),
        (
            [{"id": "a", "basis_points": 1, "when": {"kinds": ["product"]}}],
            422,
            "fee_schedule_malformed",
        ),
    ],
)
async def test_rules_that_cannot_price_every_order_are_refused(
    market: Market, rules: list[dict[str, Any]], status: int, code: str
) -> None:
    before = await everything_stored()
    answer = await market.admin.post(
        "/v1/admin/fee-schedules", {"rules": rules, "reason": "A mistake"}
    )
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await everything_stored() == before


@pytest.mark.parametrize(
    "path",
    [
        "/v1/admin/fees",
        "/v1/admin/fees/summary",
        "/v1/admin/fee-schedules",
        "/v1/admin/orders",
        "/v1/admin/orders/ord_1",
        "/v1/admin/ledger",
        "/v1/admin/ledger/balances",
    ],
)
async def test_admin_pages_are_for_admins(market: Market, standing: Deal, path: str) -> None:
    assert (await standing.buyer.get(path)).status_code == 403
    assert (await client_of(market.app).get(path)).status_code == 401
    answer = await market.admin.get(path, surprise="1")
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown_parameter")


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=x",
        "from=yesterday",
        "to=2026-13-01",
        "group_by=moon",
        "currency=euro",
    ],
)
async def test_bad_questions_are_refused(market: Market, query: str) -> None:
    name, _, given = query.partition("=")
    answer = await market.admin.get("/v1/admin/fees/summary", **{"group_by": "day", name: given})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")
