"""Fees, orders and the ledger over HTTP, as admins read them, and as nobody else does."""

import pytest

from tests.api.harness import client_of
from tests.orders.market import Deal, Market, created, paid, shown


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


async def test_refunds_of_all_orders_are_found(market: Market) -> None:
    deals, path = [await paid(market), await paid(market)], "/v1/admin/refunds"
    begins = market.shop.clock.move(seconds=1).isoformat()
    made = []
    for deal in (*deals, deals[0]):
        market.shop.clock.move(seconds=1)
        refund = await created(deal.seller, deal.path("refunds"), {"amount": 100}, f"r{len(made)}")
        made.append(refund["id"])
    since = {"from": begins}
    found = await shown(market.admin, path, **since)
    assert [each["id"] for each in found["data"]] == made[::-1]
    assert {each["seller_id"] for each in found["data"]} == {deal.seller_id for deal in deals}
    first = await shown(market.admin, path, **since, limit=2)
    rest = await shown(market.admin, path, **since, starting_after=first["data"][-1]["id"])
    assert (first["has_more"], first["data"] + rest["data"]) == (True, found["data"])
    for query, expected in (
        ({"seller_id": deals[1].seller_id}, [made[1]]),
        ({"order_id": deals[0].order_id}, [made[2], made[0]]),
        ({"status": "succeeded"}, made[::-1]),
        ({"status": "failed"}, []),
    ):
        fitting = await shown(market.admin, path, **since, **query)
        assert [each["id"] for each in fitting["data"]] == expected, query
    assert (await shown(market.admin, path, to=begins, seller_id=deals[1].seller_id))["data"] == []
    assert (await market.admin.get(path, status="gone")).status_code == 400


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
