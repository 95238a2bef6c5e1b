"""Debts and approvals over HTTP: whose they are, and that two admins are two people."""

from typing import Any

import pytest

from payments.database import execute, value
from payments.ids import new_id
from tests.api.harness import Browser, new_admin
from tests.orders.market import Deal, Market, created, market, paid, shown

__all__ = ["market"]
CONSENT = "/v1/sellers/{}/debt-consent"


async def a_debt(deal: Deal, amount: int = 4_000) -> str:
    """What a seller owes for an order of theirs, as the books have it; answers the debt's id."""
    debt_id = new_id("dbt")
    await execute(
        "INSERT INTO debts (id, seller_id, order_id, payment_id, currency, amount, amount_settled, "
        "amount_written_off, cause, created_at, updated_at) "
        "SELECT $1::text, seller_id, order_id, id, currency, $3, 0, 0, $1::text, "
        "now() - interval '40 days', now() "
        "FROM payments WHERE order_id = $2",
        debt_id,
        deal.order_id,
        amount,
    )
    await execute(
        "INSERT INTO postings SELECT id, id, 'debt', 'seller:' || seller_id || ':debt', "
        "'platform:recovered', amount, currency, order_id, payment_id, seller_id, created_at, created_at "
        "FROM debts WHERE id = $1",
        debt_id,
    )
    return debt_id


async def put(person: Browser, path: str, body: Any) -> tuple[int, Any]:
    answer = await person.http.put(path, json=body)
    return answer.status_code, answer.json()


async def test_a_seller_sees_what_they_owe_and_nobody_else_does(market: Market) -> None:
    deal = await paid(market)
    debt_id = await a_debt(deal)
    path = f"/v1/sellers/{deal.seller_id}/debts"
    seen = await shown(deal.seller, path)
    [debt] = seen["data"]
    assert (debt["id"], debt["left"], debt["age"], debt["closed_at"]) == (
        debt_id,
        4_000,
        "up_to_60_days",
        None,
    )
    [total] = seen["totals"]
    assert (total["currency"], total["left"], total["by_age"]["up_to_60_days"]) == (
        "eur",
        4_000,
        4_000,
    )
    assert (await shown(deal.seller, path, open="false"))["data"] == []
    assert (await deal.buyer.get(path)).status_code == 404
    assert [one["id"] for one in (await shown(market.admin, path))["data"]] == [debt_id]


async def test_a_seller_agrees_and_changes_their_mind(market: Market) -> None:
    seller, seller_id = await market.seller()
    path = CONSENT.format(seller_id)
    assert await shown(seller, path) == {"basis_points": None, "given_at": None}
    status, agreed = await put(seller, path, {"basis_points": 2_500})
    assert (status, agreed["basis_points"]) == (200, 2_500)
    assert (await shown(seller, path))["given_at"] is not None
    withdrawn = await seller.delete(path)
    assert (withdrawn.status_code, withdrawn.json()["basis_points"]) == (200, None)
    stranger = await market.person()
    assert (await put(stranger, path, {"basis_points": 1}))[0] == 404
    assert (await put(market.admin, path, {"basis_points": 1}))[0] == 404, "the seller's own to say"


@pytest.mark.parametrize("basis_points", [0, -1, 10_001, None, "all"])
async def test_a_consent_that_means_nothing_is_refused(
    market: Market, basis_points: object
) -> None:
    seller, seller_id = await market.seller()
    status, _ = await put(seller, CONSENT.format(seller_id), {"basis_points": basis_points})
    assert status == 400
    assert (await shown(seller, CONSENT.format(seller_id)))["basis_points"] is None


async def test_admins_see_all_debts_by_age(market: Market) -> None:
    deal = await paid(market)
    debt_id = await a_debt(deal)
    path = "/v1/admin/debts"
    wanted = {"seller_id": deal.seller_id, "open": "true"}
    assert [d["id"] for d in (await shown(market.admin, path, **wanted))["data"]] == [debt_id]
    older = await shown(market.admin, path, **wanted, older_than_days=39)
    assert [d["id"] for d in older["data"]] == [debt_id]
    assert (await shown(market.admin, path, **wanted, older_than_days=41))["data"] == []
    assert (await shown(market.admin, path, **wanted, currency="usd"))["data"] == []
    assert (await deal.seller.get(path)).status_code == 403


async def test_a_debt_is_written_off_by_two_people(market: Market) -> None:
    deal = await paid(market)
    debt_id = await a_debt(deal)
    second = await new_admin(market.app, market.shop.clock, f"{new_id('x')}@example.com")
    ask = f"/v1/admin/debts/{debt_id}/write-off"
    assert (await deal.seller.post(ask, {"reason": "please"})).status_code == 403
    assert (await market.admin.post(ask, {"reason": "  "})).status_code == 422
    asked = await created(market.admin, ask, {"reason": "bankrupt"})
    assert (asked["state"], asked["facts"]["amount"]) == ("asked", 4_000)
    again = await market.admin.post(ask, {"reason": "again"})
    assert (again.status_code, again.json()["code"]) == (409, "approval_asked")
    approval = f"/v1/admin/approvals/{asked['id']}"
    own = await market.admin.post(f"{approval}/approval", {"reason": "sure"})
    assert (own.status_code, own.json()["code"]) == (403, "own_approval")
    waiting = await shown(second, "/v1/admin/approvals", state="asked")
    assert asked["id"] in [one["id"] for one in waiting["data"]]
    done = await second.post(f"{approval}/approval", {"reason": "agreed"})
    assert (done.status_code, done.json()["state"]) == (200, "approved")
    late = await second.post(f"{approval}/refusal", {"reason": "late"})
    assert (late.status_code, late.json()["code"]) == (409, "approval_decided")
    [debt] = (await shown(deal.seller, f"/v1/sellers/{deal.seller_id}/debts"))["data"]
    assert (debt["left"], debt["amount_written_off"]) == (0, 4_000)
    closed = await market.admin.post(ask, {"reason": "more"})
    assert (closed.status_code, closed.json()["code"]) == (409, "debt_closed")
    assert (await shown(market.admin, approval))["decided_by"] is not None


async def test_an_approval_may_be_refused(market: Market) -> None:
    deal = await paid(market)
    debt_id = await a_debt(deal)
    asked = await created(
        market.admin, f"/v1/admin/debts/{debt_id}/write-off", {"reason": "a friend"}
    )
    refused = await market.admin.post(
        f"/v1/admin/approvals/{asked['id']}/refusal", {"reason": "a mistake"}
    )
    assert (refused.status_code, refused.json()["state"]) == (200, "refused")
    assert await value("SELECT closed_at FROM debts WHERE id = $1", debt_id) is None


async def test_what_does_not_exist_is_not_found(market: Market) -> None:
    for path in ("/v1/admin/debts/dbt_no/write-off", "/v1/admin/approvals/apv_no/approval"):
        assert (await market.admin.post(path, {"reason": "why"})).status_code == 404
    assert (await market.admin.get("/v1/admin/approvals/apv_no")).status_code == 404


async def test_a_refund_by_lines_over_http(market: Market) -> None:
    deal = await paid(market)
    one = {"lines": [{"listing_id": deal.listing_id, "quantity": 1}]}
    refund = await created(deal.seller, deal.path("refunds"), one, "r1")
    assert (refund["amount"], refund["lines"], refund["bearer"], refund["fee_returned"]) == (
        2_500,
        [{"listing_id": deal.listing_id, "quantity": 1}],
        "seller",
        375,
    )
    [seen] = (await shown(deal.buyer, deal.path("refunds")))["data"]
    assert "bearer" not in seen
    assert "fee_returned" not in seen
    [seen] = (await shown(deal.seller, deal.path("refunds")))["data"]
    assert seen["bearer"] == "seller"
    two = {"lines": [{"listing_id": deal.listing_id, "quantity": 2}]}
    gone = await deal.seller.post(deal.path("refunds"), two, key="r2")
    assert (gone.status_code, gone.json()["code"]) == (422, "refund_lines_refused")
    assert gone.json()["refundable"] == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"lines": []}, 400, None),
        ({"lines": None}, 400, None),
        ({"lines": [{"listing_id": "lst_other", "quantity": 1}]}, 422, "refund_lines_refused"),
        ({"bearer": "platform"}, 403, "refund_policy_for_admins"),
        ({"fee": "keep"}, 403, "refund_policy_for_admins"),
        ({"bearer": "nobody"}, 400, None),
    ],
)
async def test_a_refund_that_is_not_the_sellers_to_ask_is_refused(
    market: Market, body: dict[str, Any], status: int, code: str | None
) -> None:
    deal = await paid(market)
    answer = await deal.seller.post(deal.path("refunds"), body, key=new_id("key"))
    assert answer.status_code == status, answer.text
    assert code is None or answer.json()["code"] == code
    assert (await shown(deal.buyer, deal.path("refunds")))["data"] == []


async def test_an_admin_says_who_bears_a_refund(market: Market) -> None:
    deal = await paid(market)
    wish = {"amount": 1_000, "bearer": "platform"}
    refund = await created(market.admin, deal.path("refunds"), wish, new_id("key"))
    assert (refund["bearer"], refund["fee_returned"]) == ("platform", 0)
    kept = await created(
        market.admin, deal.path("refunds"), {"amount": 1_000, "fee": "keep"}, new_id("key")
    )
    assert (kept["bearer"], kept["fee_returned"]) == ("seller", 0)
    both = {"amount": 1_000, "bearer": "platform", "fee": "return"}
    refused = await market.admin.post(deal.path("refunds"), both, key=new_id("key"))
    assert (refused.status_code, refused.json()["code"]) == (422, "refund_policy_refused")
