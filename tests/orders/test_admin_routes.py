"""Fees, orders and the ledger over HTTP, as admins read them, and as nobody else does."""

from typing import Any

import pytest

from payments.ids import new_id
from tests.api.harness import client_of, everything_stored
from tests.orders.market import Deal, Market, created, paid, shown, wanting


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
    assert [each["field"] for each in answer.json()["errors"]] == [name]


async def test_a_question_without_what_it_needs_is_told_what(market: Market) -> None:
    answer = await market.admin.get("/v1/admin/fees/summary")
    assert answer.status_code == 400
    assert answer.json()["errors"] == [{"field": "group_by", "message": "Required"}]
