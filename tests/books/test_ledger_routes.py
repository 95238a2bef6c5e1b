"""The ledger over HTTP: balances of the past, an account's postings, the chains' heads, adjustments."""

from datetime import timedelta
from typing import Any

import pytest

from marketplace.books import ledger_review
from marketplace.books.chains import seal_due
from marketplace.books.ledger_review import PostingFilter
from marketplace.paging import PageRequest
from tests.api.harness import Browser, client_of, new_admin
from tests.orders.market import Deal, Market, paid, shown


@pytest.fixture(scope="module")
async def second(market: Market) -> Browser:
    return await new_admin(market.app, market.shop.clock, "second@example.com")


@pytest.fixture(scope="module")
async def deal(market: Market) -> Deal:
    return await paid(market)


async def test_balances_are_shown_of_now_and_of_any_moment(market: Market, deal: Deal) -> None:
    before = market.shop.clock()
    now = market.shop.clock.move(seconds=5).isoformat()
    path, mine = "/v1/admin/ledger/balances", f"seller:{deal.seller_id}"
    (balance,) = (await shown(market.admin, path, account=mine, at=now))["data"]
    assert (balance["account"], balance["currency"], balance["amount"]) == (mine, "eur", 4_250)
    assert (await shown(market.admin, path, account=mine))["data"] == [balance]
    at_first = await shown(market.admin, path, account=mine, at=before.isoformat())
    assert at_first["data"] == []
    sellers = (await shown(market.admin, path, account="seller:"))["data"]
    assert mine in {each["account"] for each in sellers}
    assert all(each["account"].startswith("seller:") for each in sellers)


async def test_an_account_is_read_with_what_it_held_after_each_posting(
    market: Market, deal: Deal
) -> None:
    path = f"/v1/admin/ledger/accounts/seller:{deal.seller_id}/postings"
    whole = await shown(market.admin, path, currency="eur")
    assert sorted(each["moved"] for each in whole["data"]) == [-750, 5_000]
    assert whole["data"][0]["balance"] == 4_250
    assert {each["about"]["order"] for each in whole["data"]} == {deal.order_id}
    first = await shown(market.admin, path, currency="eur", limit=1)
    rest = await shown(market.admin, path, currency="eur", starting_after=first["data"][0]["id"])
    assert (first["has_more"], first["data"] + rest["data"]) == (True, whole["data"])
    assert (await market.admin.get(path)).status_code == 400
    assert (await market.admin.get(path, currency="euros")).status_code == 400


async def test_postings_are_found_by_what_they_are_of_and_when(market: Market, deal: Deal) -> None:
    path = "/v1/admin/ledger"
    every = (await shown(market.admin, path, order_id=deal.order_id))["data"]
    assert (await shown(market.admin, path, currency="xxx"))["data"] == []
    assert (await market.admin.get(path, currency="'--")).status_code == 400
    injected = await ledger_review.postings(PostingFilter(currency="' OR '"), PageRequest(limit=1))
    assert injected.data == []
    whose = {"seller_id": deal.seller_id, "payment_id": every[0]["payment_id"], "currency": "eur"}
    assert (await shown(market.admin, path, **whose))["data"] == every
    assert (await shown(market.admin, path, **whose, account="buyers"))["data"] == [
        each for each in every if each["source"] == "buyers"
    ]
    (captured,) = (await shown(market.admin, path, **whose, kind="capture"))["data"]
    assert (await shown(market.admin, path, **whose, kind="adjustment"))["data"] == []
    assert (await shown(market.admin, path, **(whose | {"currency": "jpy"})))["data"] == []
    begins = min(each["recorded_at"] for each in every)
    ends = (market.shop.clock() + timedelta(seconds=1)).isoformat()
    within = {"from": begins, "to": ends, "seller_id": deal.seller_id}
    ranged = (await shown(market.admin, path, **within))["data"]
    assert ranged == sorted(every, key=lambda one: (one["recorded_at"], one["id"]), reverse=True)
    pages: list[Any] = []
    while len(pages) < len(ranged):
        after = {"starting_after": pages[-1]["id"]} if pages else {}
        pages += (await shown(market.admin, path, **within, **after, limit=1))["data"]
    assert pages == ranged
    assert (await shown(market.admin, path, to=begins, kind="capture"))["data"] == [
        each for each in [captured] if each["recorded_at"] < begins
    ]
    refused = await market.admin.get(path, **{"from": ends, "to": begins})
    assert (refused.status_code, refused.json()["code"]) == (422, "range_refused")
    assert (await market.admin.get(path, kind="gift")).status_code == 400


async def test_the_heads_of_the_chains_are_shown(market: Market, deal: Deal) -> None:
    now = market.shop.clock()
    while await seal_due(now, 100):
        pass
    postings, audit = (await shown(market.admin, "/v1/admin/ledger/chain"))["data"]
    assert (postings["book"], audit["book"]) == ("postings", "audit_log")
    assert postings["waiting"] == audit["waiting"] == 0
    assert postings["sealed"] >= 3
    assert postings["anchor"] == f"postings:{postings['sealed']}:{postings['head']}"
    assert len(bytes.fromhex(postings["head"])) == 32


def an_adjustment(deal: Deal, **changes: Any) -> dict[str, Any]:
    facts = {
        "source_account": "platform:fees",
        "target_account": f"seller:{deal.seller_id}",
        "amount": 500,
        "currency": "eur",
        "order_id": deal.order_id,
        "reason": "Promised on the telephone",
    }
    return facts | changes


async def test_an_adjustment_is_asked_for_and_approved(
    market: Market, deal: Deal, second: Browser
) -> None:
    asked = await market.admin.post("/v1/admin/adjustments", an_adjustment(deal))
    assert asked.status_code == 202, asked.text
    approval = asked.json()
    assert (approval["action"], approval["facts"]["amount"]) == ("ledger.adjustment", 500)
    again = await market.admin.post("/v1/admin/adjustments", an_adjustment(deal))
    assert again.status_code == 409
    path = f"/v1/admin/approvals/{approval['id']}/approval"
    assert (await market.admin.post(path, {"reason": "Yes"})).status_code == 403
    assert (await second.post(path, {"reason": "Yes"})).status_code == 200
    listed = await shown(market.admin, "/v1/admin/ledger", order_id=deal.order_id)
    (posting,) = (each for each in listed["data"] if each["kind"] == "adjustment")
    assert posting["about"]["approval"] == approval["id"]


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"source_account": "buyers"}, 422, "adjustment_refused"),
        ({"order_id": "ord_unknown"}, 404, "order_not_found"),
        ({"amount": 0}, 400, None),
        ({"reason": ""}, 422, "reason_required"),
        ({"surprise": 1}, 400, None),
    ],
)
async def test_what_makes_no_sense_is_refused(
    market: Market, deal: Deal, changes: dict[str, Any], status: int, code: str | None
) -> None:
    answer = await market.admin.post("/v1/admin/adjustments", an_adjustment(deal, **changes))
    assert answer.status_code == status, answer.text
    if code is not None:
        assert answer.json()["code"] == code
    if code == "adjustment_refused":
        assert answer.json()["why"] == "account_not_adjustable"
        assert "platform:fees" in answer.json()["accounts"]


async def test_only_admins_see_or_ask(market: Market, deal: Deal) -> None:
    moment = (market.shop.clock() - timedelta(days=1)).isoformat()
    for path, query in (
        ("/v1/admin/ledger/balances", {"at": moment}),
        ("/v1/admin/ledger/chain", {}),
        ("/v1/admin/ledger/accounts/banks/postings", {"currency": "eur"}),
    ):
        assert (await deal.seller.get(path, **query)).status_code == 403
        assert (await client_of(market.app).get(path, params=query)).status_code == 401
    answer = await deal.seller.post("/v1/admin/adjustments", an_adjustment(deal))
    assert answer.status_code == 403
