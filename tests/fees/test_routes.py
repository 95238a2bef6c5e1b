"""Fee schedules over HTTP: two admins, what they ask, and what they are refused."""

from typing import Any

import pytest
import pytest_asyncio

from marketplace.fees.replays import Replays
from payments.ids import new_id
from tests.api.harness import Browser, everything_stored, new_admin
from tests.orders.market import Market, created, paid, shown, wanting

SCHEDULES = "/v1/admin/fee-schedules"
DRAFTS = f"{SCHEDULES}/drafts"
FLAT = [{"id": "flat", "basis_points": 0, "fixed": {"eur": 99}}]
USUAL = [{"id": "sessions", "basis_points": 1_500}]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def second(market: Market) -> Browser:
    """Another admin."""
    return await new_admin(market.app, market.shop.clock, "second@example.com")


async def submitted(market: Market, rules: list[dict[str, Any]], **facts: Any) -> dict[str, Any]:
    draft = await created(market.admin, DRAFTS, {"title": "Prices", "rules": rules, **facts})
    step = {"revision": draft["revision"], "reason": "Costs rose"}
    return await stepped(market.admin, f"{DRAFTS}/{draft['id']}/submission", step)


async def stepped(person: Browser, path: str, body: dict[str, Any]) -> Any:
    """What there was, one step on."""
    answer = await person.post(path, body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def put_in_force(
    market: Market, second: Browser, rules: list[dict[str, Any]]
) -> dict[str, Any]:
    draft = await submitted(market, rules)
    return await created(
        second, f"{DRAFTS}/{draft['id']}/approval", {"revision": 1, "reason": "Agreed"}
    )


async def test_what_one_admin_writes_another_puts_in_force(market: Market, second: Browser) -> None:
    deal = await market.deal()
    draft = await submitted(market, FLAT)
    assert (draft["state"], draft["submitted_by"]) == ("submitted", market.admin.account["id"])
    waiting = await shown(second, DRAFTS, state="submitted")
    assert [each["id"] for each in waiting["data"]] == [draft["id"]]
    approval = f"{DRAFTS}/{draft['id']}/approval"
    own = await market.admin.post(approval, {"revision": 1, "reason": "Fine with me"})
    assert (own.status_code, own.json()["code"]) == (403, "own_fee_schedule_decision")
    version = await created(second, approval, {"revision": 1, "reason": "Agreed"})
    assert (version["standing"], version["approved_by"]) == ("in_force", second.account["id"])
    listed = await shown(market.admin, SCHEDULES)
    assert [each["standing"] for each in listed["data"]] == ["in_force", "superseded"]
    order = await created(
        deal.buyer, "/v1/orders", wanting((deal.listing_id, 1)), key=new_id("key")
    )
    sold = await shown(deal.seller, f"/v1/orders/{order['id']}")
    assert sold["application_fee"] == 99
    asked = await second.post(
        f"{SCHEDULES}/{version['id']}/retirement", {"reason": "Back to what it was"}
    )
    assert (asked.status_code, asked.json()["facts"]["version"]) == (202, version["version"])
    assert (await shown(second, f"{SCHEDULES}/{version['id']}"))["standing"] == "in_force"
    await market.admin.post(f"/v1/admin/approvals/{asked.json()['id']}/approval", {"reason": "Yes"})
    retired = await shown(second, f"{SCHEDULES}/{version['id']}")
    assert (retired["standing"], retired["retired_because"]) == ("retired", "Back to what it was")
    again = await second.post(f"{SCHEDULES}/{version['id']}/retirement", {"reason": "Again"})
    assert (again.status_code, again.json()["why"]) == (409, "retired")


async def test_a_draft_is_edited_refused_withdrawn_and_discarded(
    market: Market, second: Browser
) -> None:
    draft = await submitted(market, FLAT)
    path = f"{DRAFTS}/{draft['id']}"
    refused = await stepped(second, f"{path}/refusal", {"revision": 1, "reason": "Too cheap"})
    assert (refused["state"], refused["decision_reason"]) == ("refused", "Too cheap")
    edited = await market.admin.patch(path, {"revision": 1, "rules": USUAL})
    assert (edited.json()["revision"], edited.json()["state"]) == (2, "draft")
    assert edited.json()["title"] == "Prices"
    stale = await market.admin.patch(path, {"revision": 1, "title": "Other"})
    assert (stale.status_code, stale.json()["revision"]) == (409, 2)
    step = {"revision": 2, "reason": "Once more"}
    await stepped(market.admin, f"{path}/submission", step)
    await stepped(market.admin, f"{path}/withdrawal", step)
    gone = await market.admin.http.delete(path, params={"revision": 2})
    assert (gone.status_code, gone.json()["state"]) == (200, "discarded")
    late = await market.admin.post(f"{path}/submission", step)
    assert (late.status_code, late.json()["code"]) == (409, "fee_draft_step_refused")
    assert (await shown(market.admin, path))["state"] == "discarded"


@pytest.mark.parametrize(
    ("facts", "status", "where"),
    [
        ({"rules": []}, 400, None),
        ({"rules": [{"id": "a", "basis_points": 12.5}]}, 400, None),
        ({"rules": [{"id": "a", "basis_points": 1, "when": {"moon": "full"}}]}, 400, None),
        ({"rules": [{"id": "a", "basis_points": 1, "moon": 1}]}, 400, None),
        ({"effective_from": "2027-01-01T00:00:00"}, 400, None),
        (
            {"rules": [{"id": "a", "basis_points": 10_001}]},
            422,
            ("rules[0].basis_points", "basis_points_outside"),
        ),
        (
            {"rules": [{"id": "a", "basis_points": 1, "when": {"kinds": ["product"]}}]},
            422,
            ("rules[0].when", "no_catch_all"),
        ),
        (
            {"rules": [{"id": "a", "basis_points": 1, "cap": {"xxx": 5}}]},
            422,
            ("rules[0].cap.xxx", "currency_unknown"),
        ),
        ({"effective_from": "2020-01-01T00:00:00Z"}, 422, ("effective_from", "in_the_past")),
    ],
)
async def test_a_draft_that_cannot_be_is_told_where_and_why(
    market: Market, facts: dict[str, Any], status: int, where: tuple[str, str] | None
) -> None:
    before = await everything_stored()
    answer = await market.admin.post(DRAFTS, {"title": "Prices", "rules": USUAL, **facts})
    assert answer.status_code == status, answer.text
    if where is None:
        assert answer.json()["code"] == "invalid_body"
    else:
        assert answer.json()["code"] == "fee_schedule_malformed"
        assert (answer.json()["path"], answer.json()["why"]) == where
        assert answer.json()["problems"][0]["path"] == where[0]
    assert await everything_stored() == before


async def test_a_draft_is_linted(market: Market) -> None:
    rules = [{"id": "yoga", "basis_points": 0, "when": {"categories": ["yoga"]}}, *USUAL]
    draft = await created(
        market.admin, DRAFTS, {"title": "Free yoga", "rules": rules, "fee_on_refund": "keep"}
    )
    answer = await shown(market.admin, f"{DRAFTS}/{draft['id']}/findings")
    findings = answer["data"]
    assert (answer["fee_on_refund_before"], answer["fee_on_refund"]) == ("return", "keep")
    assert [(each["version"], each["until"]) for each in answer["in_force"]] == [(0, None)]
    # Everything else's orders fall to `sessions` now, which has no conditions any more.
    assert {(each["what"], each["rule_id"], each["silent"]) for each in findings} >= {
        ("narrowed", "sessions", False),
        ("widened", "sessions", False),
    }
    assert all(each["example"]["currency"] for each in findings)
    current = (await shown(market.admin, SCHEDULES))["data"][-1]
    assert (await shown(market.admin, f"{SCHEDULES}/{current['id']}/findings"))["data"] == []


async def test_the_fee_of_any_cart_is_explained(market: Market) -> None:
    cart = {
        "seller_id": "sel_any",
        "currency": "eur",
        "lines": [
            {"category": "yoga", "kind": "product", "unit_amount": 3_000, "quantity": 2},
            {"category": "coaching", "kind": "session", "unit_amount": 6_000},
        ],
    }
    answer = await market.admin.post(f"{SCHEDULES}/explanation", cart)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert [line["rule_id"] for line in told["lines"]] == ["everything-else", "sessions"]
    assert told["lines"][0]["tried"][0]["misses"] == [
        {"condition": "kind", "wanted": "session", "found": "product"}
    ]
    assert (told["fee"]["fee"], told["fee"]["seller_amount"]) == (630 + 900, 12_000 - 1_530)
    draft = await created(market.admin, DRAFTS, {"title": "Flat", "rules": FLAT})
    under_draft = await market.admin.post(
        f"{SCHEDULES}/explanation", {**cart, "draft_id": draft["id"], "credit": 50}
    )
    priced = under_draft.json()["fee"]
    assert priced["fee"] == 49
    # No version priced it.
    assert (priced["draft_id"], priced["schedule_id"], priced["schedule_version"]) == (
        draft["id"],
        None,
        None,
    )
    version = (await shown(market.admin, SCHEDULES))["data"][-1]
    under_version = await market.admin.post(
        f"{SCHEDULES}/explanation", {**cart, "schedule_id": version["id"]}
    )
    assert under_version.json()["fee"]["schedule_version"] == 1


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"currency": "xxx"}, 422, "currency_unknown"),
        ({"currency": "isk"}, 422, "amount_invalid"),
        ({"lines": []}, 400, "invalid_body"),
        ({"schedule_id": "fsc_unknown"}, 404, "fee_schedule_not_found"),
        ({"draft_id": "fsd_unknown"}, 404, "fee_draft_not_found"),
        ({"at": "1999-01-01T00:00:00Z"}, 404, "fee_schedule_not_found"),
        ({"coupon": "x"}, 400, "invalid_body"),
    ],
)
async def test_a_cart_that_cannot_be_is_refused(
    market: Market, changes: dict[str, Any], status: int, code: str
) -> None:
    line = {"category": "yoga", "kind": "product", "unit_amount": 3_050}
    cart = {"seller_id": "sel_any", "currency": "eur", "lines": [line], **changes}
    answer = await market.admin.post(f"{SCHEDULES}/explanation", cart)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


async def test_the_fee_of_any_order_is_explained(market: Market) -> None:
    deal = await market.deal()
    told = await shown(market.admin, f"/v1/admin/orders/{deal.order_id}/fee")
    assert (told["agrees"], told["fee"]["fee"]) == (True, 530)
    (line,) = told["lines"]
    assert [(tried["rule_id"], tried["matched"]) for tried in line["tried"]] == [
        ("sessions", False),
        ("everything-else", True),
    ]


async def test_a_key_for_fees_alone_explains_any_orders_fee(market: Market) -> None:
    deal = await market.deal()
    key = await market.admin.api_key("fees:read")
    program = Browser(market.app)
    program.http.headers["Authorization"] = f"Bearer {key}"
    told = await shown(program, f"/v1/admin/orders/{deal.order_id}/fee")
    assert told["agrees"] is True
    nothing = await program.http.get("/v1/admin/orders/ord_unknown/fee")
    assert (nothing.status_code, nothing.json()["code"]) == (404, "order_not_found")


async def test_a_replay_is_asked_for_shown_and_stopped(market: Market) -> None:
    deal = await paid(market)
    draft = await created(market.admin, DRAFTS, {"title": "Flat", "rules": FLAT})
    asked = await market.admin.post(f"{SCHEDULES}/replays", {"draft_id": draft["id"]})
    assert (asked.status_code, asked.json()["state"]) == (202, "waiting")
    path = f"{SCHEDULES}/replays/{asked.json()['id']}"
    replays = Replays(market.shop.schedules)
    while await replays.run_once(market.shop.clock(), 1):
        pass
    done = await shown(market.admin, path)
    assert done["state"] == "done"
    assert done["orders_done"] == done["orders_total"] >= 1
    sellers = await shown(market.admin, f"{path}/figures", by="seller")
    (mine,) = [each for each in sellers["data"] if each["key"] == deal.seller_id]
    assert (mine["orders"], mine["amount"]) == (1, 5_000)
    assert (mine["fee_before"], mine["fee_after"], mine["difference"]) == (750, 99, 99 - 750)
    over = await market.admin.post(f"{path}/cancellation")
    assert (over.status_code, over.json()["state"]) == (409, "done")
    other = await market.admin.post(f"{SCHEDULES}/replays", {"draft_id": draft["id"]})
    stopped = await market.admin.post(f"{SCHEDULES}/replays/{other.json()['id']}/cancellation")
    assert stopped.json()["state"] == "canceled"
    listed = await shown(market.admin, f"{SCHEDULES}/replays")
    assert [each["state"] for each in listed["data"]] == ["canceled", "done"]


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, "draft_id"),
        ({"draft_id": "fsd_1", "schedule_id": "fsc_1"}, "draft_id"),
        (
            {
                "draft_id": "fsd_1",
                "since": "2026-02-01T00:00:00Z",
                "until": "2026-01-01T00:00:00Z",
            },
            "until",
        ),
    ],
)
async def test_what_cannot_be_replayed_is_refused(
    market: Market, body: dict[str, Any], where: str
) -> None:
    answer = await market.admin.post(f"{SCHEDULES}/replays", body)
    assert (answer.status_code, answer.json()["path"]) == (422, where)


async def test_a_credit_is_granted_shown_and_ended(market: Market) -> None:
    _, seller_id = await market.seller()
    body = {"seller_id": seller_id, "currency": "eur", "amount": 5_000, "reason": "Welcome"}
    credit = await created(market.admin, "/v1/admin/fee-credits", body, key=new_id("key"))
    assert (credit["amount"], credit["left"]) == (5_000, 5_000)
    listed = await shown(market.admin, "/v1/admin/fee-credits", seller_id=seller_id)
    assert [each["id"] for each in listed["data"]] == [credit["id"]]
    path = f"/v1/admin/fee-credits/{credit['id']}"
    assert (await shown(market.admin, f"{path}/movements"))["data"] == []
    await stepped(market.admin, f"{path}/revocation", {"reason": "They left"})
    again = await market.admin.post(f"{path}/revocation", {"reason": "They left"})
    assert (again.status_code, again.json()["code"]) == (409, "fee_credit_revoked")
    blank = await market.admin.post(f"{path}/revocation", {"reason": " "})
    assert (blank.status_code, blank.json()["code"]) == (422, "reason_required")
    assert (await shown(market.admin, path))["left"] == 0
    refused = await market.admin.post(
        "/v1/admin/fee-credits", {**body, "currency": "usd"}, key=new_id("key")
    )
    assert (refused.status_code, refused.json()["path"]) == (422, "currency")


async def test_a_large_credit_needs_two_admins(market: Market, second: Browser) -> None:
    owner, seller_id = await market.seller()
    body = {"seller_id": seller_id, "currency": "eur", "amount": 60_000, "reason": "A bad month"}
    path, asking = "/v1/admin/fee-credits", "/v1/admin/fee-credit-approvals"
    await created(market.admin, path, body, key=new_id("key"))
    # Small parts count together; another admin's do not, and what was ended unused neither.
    refused = await market.admin.post(path, body, key=new_id("key"))
    assert (refused.status_code, refused.json()["code"]) == (409, "fee_credit_needs_approval")
    assert (refused.json()["amount"], refused.json()["limit"]) == (120_000, 100_000)
    others = await created(second, path, body, key=new_id("key"))
    await stepped(second, f"{path}/{others['id']}/revocation", {"reason": "A mistake"})
    await created(second, path, body, key=new_id("key"))
    asked = await market.admin.post(asking, {**body, "amount": 500_000})
    assert (asked.status_code, asked.json()["facts"]["amount"]) == (202, 500_000)
    decision = f"/v1/admin/approvals/{asked.json()['id']}/approval"
    own = await market.admin.post(decision, {"reason": "Mine"})
    assert (own.status_code, own.json()["code"]) == (403, "own_approval")
    assert (await second.post(decision, {"reason": "Agreed"})).status_code == 200
    largest = max(
        (await shown(second, path, seller_id=seller_id))["data"], key=lambda each: each["amount"]
    )
    assert (largest["amount"], largest["granted_by"], largest["approved_by"]) == (
        500_000,
        market.admin.account["id"],
        second.account["id"],
    )
    assert owner.account["id"] not in (largest["granted_by"], largest["approved_by"])


async def test_nobody_gives_their_own_shop_a_credit(market: Market, second: Browser) -> None:
    opened = await created(
        second, "/v1/sellers", {"display_name": "Mine", "country": "DE", "currency": "eur"}
    )
    body = {"seller_id": opened["id"], "currency": "eur", "amount": 100, "reason": "For me"}
    for path in ("/v1/admin/fee-credits", "/v1/admin/fee-credit-approvals"):
        own = await second.post(path, body, key=new_id("key"))
        assert (own.status_code, own.json()["code"]) == (403, "own_seller_decision")
    asked = await market.admin.post("/v1/admin/fee-credit-approvals", body)
    decision = f"/v1/admin/approvals/{asked.json()['id']}/approval"
    own = await second.post(decision, {"reason": "Thanks"})
    assert (own.status_code, own.json()["code"]) == (403, "own_seller_decision")
    assert (await shown(market.admin, "/v1/admin/fee-credits", seller_id=opened["id"]))[
        "data"
    ] == []
