"""The fee review over HTTP, as an admin uses it, and as nobody else does."""

import csv
import io

import pytest

from payments.ids import new_id
from tests.api.harness import client_of
from tests.orders.market import Deal, Market, paid, shown

FEES = "/v1/admin/fees"


async def test_an_admin_reviews_a_fee(market: Market) -> None:
    deal = await paid(market)
    listed = await shown(
        market.admin, FEES, seller_id=deal.seller_id, sort="margin", currency="eur"
    )
    (fee,) = listed["data"]
    assert (fee["fee_taken"], fee["fee_expected"], fee["anomalies"]) == (750, 750, [])
    assert fee["cursor"] == f"{fee['net']}:{fee['payment_id']}"
    after = await shown(
        market.admin,
        FEES,
        seller_id=deal.seller_id,
        sort="margin",
        currency="eur",
        starting_after=fee["cursor"],
    )
    assert after["data"] == []
    path = f"{FEES}/{fee['payment_id']}"
    noted = await market.admin.post(f"{path}/notes", {"text": "Looks right"})
    assert noted.status_code == 201, noted.text
    assert (await shown(market.admin, f"{path}/notes"))["data"] == [noted.json()]
    reviewed = await market.admin.post(f"{path}/review")
    assert reviewed.status_code == 200, reviewed.text
    assert reviewed.json()["reviewed_by"] is not None
    assert (await shown(market.admin, path)) == reviewed.json()
    stale = await market.admin.post(f"{path}/review", {"seen": "2026-01-01T00:00:00Z"})
    assert (stale.status_code, stale.json()["code"]) == (409, "fee_changed")
    assert stale.json()["updated_at"] == fee["updated_at"]
    audited = await shown(market.admin, "/v1/admin/audit", subject=fee["payment_id"])
    assert {one["action"] for one in audited["data"]} == {"fee.noted", "fee.reviewed"}
    assert (await shown(market.admin, FEES, seller_id=deal.seller_id, reviewed="false"))[
        "data"
    ] == []
    taken_back = await market.admin.http.delete(f"{path}/review", params={"reason": "Too early"})
    assert taken_back.status_code == 200, taken_back.text
    assert (taken_back.json()["reviewed_at"], taken_back.json()["reviewed_by"]) == (None, None)
    again = await market.admin.http.delete(f"{path}/review", params={"reason": "Too early"})
    assert again.status_code == 200
    (entry,) = (await shown(market.admin, "/v1/admin/audit", action="fee.review_taken_back"))[
        "data"
    ]
    assert (entry["subject"], entry["reason"]) == (fee["payment_id"], "Too early")


async def test_sums_over_http_are_of_one_currency_each(market: Market) -> None:
    deal = await paid(market)
    for group in ("day", "week", "month", "seller", "currency"):
        told = await shown(
            market.admin, f"{FEES}/summary", group_by=group, seller_id=deal.seller_id
        )
        ((_, currency, taken),) = [
            (one["key"], one["currency"], one["fee_taken"]) for one in told["data"]
        ]
        assert (currency, taken) == ("eur", 750)
    by_rule = await shown(market.admin, f"{FEES}/summary", group_by="rule", rule_id="sessions")
    assert [one["id"] for one in by_rule["data"]] == ["sessions:eur"]
    by_category = await shown(market.admin, f"{FEES}/summary", group_by="category")
    assert "yoga" in {one["key"] for one in by_category["data"]}


async def test_the_export_is_a_file_of_the_same_fees(market: Market) -> None:
    deal = await paid(market)
    answer = await market.admin.get(f"{FEES}/csv", seller_id=deal.seller_id)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="fees.csv"'
    _, line, end = list(csv.reader(io.StringIO(answer.text)))
    assert deal.order_id in line
    assert end == ["end", "1"]


async def test_odd_fees_are_listed(market: Market) -> None:
    deal = await paid(market)
    asked = await market.admin.post(
        f"/v1/orders/{deal.order_id}/refunds", {"amount": 5_000}, key=new_id("key")
    )
    assert asked.status_code in (201, 202), asked.text
    listed = await shown(market.admin, FEES, seller_id=deal.seller_id)
    payment_id = listed["data"][0]["payment_id"]
    found = await shown(market.admin, f"{FEES}/anomalies", payment_id=payment_id)
    assert [one["code"] for one in found["data"]] == ["negative_margin"]
    assert found["data"][0]["facts"]["net"] < 0


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("", {"colour": "red"}, 400, "unknown_parameter"),
        ("/csv", {"colour": "red"}, 400, "unknown_parameter"),
        ("/summary", {"group_by": "day", "colour": "red"}, 400, "unknown_parameter"),
        ("", {"sort": "colour"}, 400, "invalid_parameter"),
        ("", {"captured": "half"}, 400, "invalid_parameter"),
        ("/summary", {"group_by": "colour"}, 400, "invalid_parameter"),
        ("", {"sort": "fee"}, 422, "fee_filter_refused"),
        ("/csv", {"sort": "fee"}, 422, "fee_filter_refused"),
        ("", {"anomaly": "red"}, 422, "fee_filter_refused"),
        ("", {"currency": "EUR"}, 422, "fee_filter_refused"),
        ("/csv", {"currency": "xyz"}, 422, "fee_filter_refused"),
        ("/summary", {"group_by": "day", "currency": "xyz"}, 422, "fee_filter_refused"),
        ("", {"from": "2026-02-01", "to": "2026-01-01"}, 422, "fee_filter_refused"),
        ("/summary", {"group_by": "seller", "category": "x"}, 422, "fee_filter_refused"),
        ("/anomalies", {"code": "red"}, 400, "invalid_parameter"),
        ("/pay_x", {}, 404, "fee_not_found"),
        ("/pay_x/notes", {}, 404, "fee_not_found"),
    ],
)
async def test_what_cannot_be_asked_is_refused_with_where_and_why(
    market: Market, path: str, query: dict[str, str], status: int, code: str
) -> None:
    answer = await market.admin.get(FEES + path, **query)
    told = answer.json()
    assert (answer.status_code, told["code"]) == (status, code), answer.text
    if code == "fee_filter_refused":
        assert told["path"]
        assert told["why"]


@pytest.mark.parametrize("path", ["", "/summary", "/csv", "/anomalies", "/pay_x", "/pay_x/notes"])
async def test_the_review_is_for_admins(market: Market, standing: Deal, path: str) -> None:
    assert (await standing.buyer.get(FEES + path)).status_code == 403
    assert (await client_of(market.app).get(FEES + path)).status_code == 401


@pytest.mark.parametrize("action", ["notes", "review"])
async def test_only_admins_write(market: Market, standing: Deal, action: str) -> None:
    path = f"{FEES}/pay_x/{action}"
    body = {"text": "Mine"} if action == "notes" else None
    assert (await standing.buyer.post(path, body)).status_code == 403
    assert (await market.admin.post(path, body)).status_code == 404
