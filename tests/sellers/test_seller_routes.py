"""Sellers over HTTP, with the sandbox as Stripe: the routes, who may use them, what they refuse."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio

from marketplace.api import admin_sellers, application, sellers
from marketplace.composition import compose
from marketplace.services import Services
from marketplace.settings import Settings
from payments.database import rows, value
from stripe_sandbox.config import SandboxConfig
from stripe_sandbox.server import RunningSandbox, running_sandbox
from tests.clocks import MovedClock
from tests.sellers.conftest import an_account

PUBLIC_URL = "https://shop.example"
OPENING = {"display_name": "Coach Ada", "country": "DE", "currency": "eur"}
WHY = {"reason": "Looked at it"}


@dataclass
class Program:
    """The HTTP application with one kind of caller in front of it."""

    http: httpx.AsyncClient
    services: Services
    clock: MovedClock
    stripe: RunningSandbox

    async def caller(self, *, is_admin: bool = False, scopes: list[str] | None = None) -> "Caller":
        """Somebody with an API key for all they may do with sellers, or for `scopes`."""
        account_id = await an_account(is_admin=is_admin)
        wanted = scopes or ["sellers:read", "sellers:write"]
        if is_admin and scopes is None:
            wanted += ["admin:read", "admin:write"]
        issued = await self.services.people.api_keys.issue(
            account_id,
            is_admin=is_admin,
            name="Tests",
            scopes=wanted,
            expires_at=None,
            now=self.clock(),
        )
        return Caller(self.http, issued.token, account_id)

    async def a_seller(self) -> tuple["Caller", str]:
        """Somebody who opened a profile, and its id."""
        caller = await self.caller()
        opened = await caller.post("/v1/sellers", OPENING)
        assert opened.status_code == 201, opened.text
        return caller, opened.json()["id"]

    async def onboard(self, caller: "Caller", seller_id: str) -> httpx.Response:
        """Follow the link through Stripe's hosted page; answers the redirect at its end."""
        link = await caller.post(f"/v1/sellers/{seller_id}/onboarding-link")
        assert link.status_code == 201, link.text
        async with httpx.AsyncClient(trust_env=False) as browser:
            assert (await browser.get(link.json()["url"])).status_code == 200
            done = await browser.post(link.json()["url"], data={"outcome": "complete"})
        self.clock.move(seconds=61)
        return done


@dataclass
class Caller:
    """Somebody with an API key."""

    http: httpx.AsyncClient
    token: str
    account_id: str

    async def get(self, path: str) -> httpx.Response:
        return await self._ask("GET", path, None)

    async def post(self, path: str, body: Any = None) -> httpx.Response:
        return await self._ask("POST", path, body)

    async def patch(self, path: str, body: Any) -> httpx.Response:
        return await self._ask("PATCH", path, body)

    async def delete(self, path: str) -> httpx.Response:
        return await self._ask("DELETE", path, None)

    async def _ask(self, method: str, path: str, body: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return await self.http.request(method, path, json=body, headers=headers)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stripe() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox(SandboxConfig(port=0)) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def program(database: None, stripe: RunningSandbox) -> AsyncIterator[Program]:
    clock = MovedClock()
    settings = Settings(
        stripe_secret_key="sk_test_sellers",
        stripe_api_base=stripe.base_url,
        public_url=PUBLIC_URL,
    )
    composition = compose(settings, clock)
    app = application.build(
        composition.services, settings, [*sellers.ROUTES, *admin_sellers.ROUTES]
    )
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL) as http:
        yield Program(http, composition.services, clock, stripe)
    await composition.stripe.close()


def code(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return str(answer.json()["code"])


async def test_a_coach_becomes_payable(program: Program) -> None:
    """Two facts by two parties: the account is ready, and the platform approved."""
    coach, seller_id = await program.a_seller()
    capability = f"/v1/sellers/{seller_id}/payout-capability"
    admin = await program.caller(is_admin=True)

    before = (await coach.get(capability)).json()
    assert before["state"] == "not_started"
    assert before["reasons"] == ["no_account", "not_approved"]
    assert before["checked_at"] is None

    done = await program.onboard(coach, seller_id)
    assert done.headers["location"] == f"{PUBLIC_URL}/v1/sellers/{seller_id}/onboarding/return"
    onboarded = (await coach.get(capability)).json()
    assert (onboarded["state"], onboarded["payable"]) == ("ready", False)
    assert onboarded["reasons"] == ["not_approved"]

    approved = await admin.post(
        f"/v1/admin/sellers/{seller_id}/approval", {"decision": "approve", **WHY}
    )
    assert approved.status_code == 200
    assert approved.json()["approval"] == "approved"
    after = (await coach.get(capability)).json()
    assert after["payable"] is True
    assert after["reasons"] == after["missing"] == []
    assert after["approval"] == "approved"


async def test_an_unfinished_seller_is_told_what_is_missing(program: Program) -> None:
    coach, seller_id = await program.a_seller()
    await coach.post(f"/v1/sellers/{seller_id}/onboarding-link")
    told = (await coach.get(f"/v1/sellers/{seller_id}/payout-capability")).json()
    assert told["state"] == "incomplete"
    assert "identity.individual.given_name" in [each["description"] for each in told["missing"]]
    assert {each["awaiting_action_from"] for each in told["missing"]} == {"user"}


async def test_a_profile_is_read_and_changed_by_its_owner(program: Program) -> None:
    coach, seller_id = await program.a_seller()
    assert (await coach.get("/v1/sellers/me")).json()["id"] == seller_id
    changed = await coach.patch(f"/v1/sellers/{seller_id}", {"display_name": "Coach Grace"})
    assert changed.status_code == 200
    assert (await coach.get(f"/v1/sellers/{seller_id}")).json() == changed.json()
    assert changed.json()["display_name"] == "Coach Grace"
    assert "account_id" not in changed.json()
    assert code(await coach.post("/v1/sellers", OPENING)) == "seller_profile_exists"


async def test_a_seller_says_how_cancellations_and_lapsing_holds_end(program: Program) -> None:
    coach, seller_id = await program.a_seller()
    path = f"/v1/sellers/{seller_id}"
    platforms = [
        {"hours_before": 24, "refund_basis_points": 10_000},
        {"hours_before": 0, "refund_basis_points": 5_000},
    ]
    told = (await coach.get(path)).json()
    assert (told["at_deadline"], told["cancellation_windows"]) == ("cancel", platforms)
    strict = [{"hours_before": 72, "refund_basis_points": 8_000}]
    changed = await coach.patch(path, {"at_deadline": "capture", "cancellation_windows": strict})
    assert changed.json()["cancellation_windows"] == strict
    assert changed.json()["at_deadline"] == "capture"
    named = await coach.patch(path, {"display_name": "Same windows"})
    assert named.json()["cancellation_windows"] == strict
    back = await coach.patch(path, {"cancellation_windows": None})
    assert back.json()["cancellation_windows"] == platforms
    assert (await coach.get(path)).json() == back.json()


@pytest.mark.parametrize(
    "windows",
    [
        [],
        [{"hours_before": 24, "refund_basis_points": 10_001}],
        [{"hours_before": -1, "refund_basis_points": 1}],
        [{"hours_before": h, "refund_basis_points": h} for h in range(6, 0, -1)],
        [{"hours_before": h, "refund_basis_points": 1} for h in (1, 24)],
        [{"hours_before": h, "refund_basis_points": 24 - h} for h in (24, 1)],
    ],
)
async def test_windows_that_nobody_could_read_are_refused(
    program: Program, windows: list[dict[str, int]]
) -> None:
    coach, seller_id = await program.a_seller()
    refused = await coach.patch(f"/v1/sellers/{seller_id}", {"cancellation_windows": windows})
    assert (refused.status_code, code(refused)) == (422, "cancellation_windows_refused")
    assert len((await coach.get("/v1/sellers/me")).json()["cancellation_windows"]) == 2


async def test_another_persons_seller_does_not_exist(program: Program) -> None:
    """The same answer as for an id that nobody has, on every route."""
    _, seller_id = await program.a_seller()
    stranger = await program.caller()
    for path in ("", "/payout-capability", "/onboarding/refresh"):
        theirs = await stranger.get(f"/v1/sellers/{seller_id}{path}")
        nobodys = await stranger.get(f"/v1/sellers/sel_nobody{path}")
        assert theirs.status_code == nobodys.status_code == 404
        assert code(theirs) == code(nobodys) == "seller_not_found"
        assert seller_id not in theirs.text
    for path in ("/onboarding-link", "/dashboard-link"):
        assert (await stranger.post(f"/v1/sellers/{seller_id}{path}")).status_code == 404
    assert (
        await stranger.patch(f"/v1/sellers/{seller_id}", {"display_name": "Mine"})
    ).status_code == 404
    assert (await stranger.get("/v1/sellers/me")).status_code == 404
    assert await value("SELECT count(*) FROM operations WHERE subject = $1", seller_id) == 0


async def test_admins_read_everybody_but_get_nobodys_links(program: Program) -> None:
    _, seller_id = await program.a_seller()
    admin = await program.caller(is_admin=True)
    assert (await admin.get(f"/v1/sellers/{seller_id}")).status_code == 200
    assert (await admin.get(f"/v1/sellers/{seller_id}/payout-capability")).status_code == 200
    assert (await admin.post(f"/v1/sellers/{seller_id}/onboarding-link")).status_code == 404
    narrow = await program.caller(is_admin=True, scopes=["sellers:read"])
    assert (await narrow.get(f"/v1/sellers/{seller_id}")).status_code == 404


async def test_a_used_link_leads_to_a_new_one(program: Program) -> None:
    coach, seller_id = await program.a_seller()
    refresh = f"/v1/sellers/{seller_id}/onboarding/refresh"
    first, second = await coach.get(refresh), await coach.get(refresh)
    assert first.status_code == second.status_code == 303
    assert first.headers["location"].startswith(program.stripe.base_url)
    assert first.headers["location"] != second.headers["location"]
    assert first.headers["cache-control"] == "no-store"
    assert (await program.http.get(refresh)).status_code == 401


async def test_coming_back_from_stripe_tells_nobody_anything(program: Program) -> None:
    _, seller_id = await program.a_seller()
    back = await program.http.get(f"/v1/sellers/{seller_id}/onboarding/return")
    nowhere = await program.http.get("/v1/sellers/sel_nobody/onboarding/return")
    assert back.status_code == 200
    assert back.headers["content-type"].startswith("text/html")
    assert back.content == nowhere.content
    assert seller_id not in back.text


async def test_the_dashboard_waits_for_onboarding(program: Program) -> None:
    coach, seller_id = await program.a_seller()
    path = f"/v1/sellers/{seller_id}/dashboard-link"
    assert code(await coach.post(path)) == "connected_account_not_found"
    await coach.post(f"/v1/sellers/{seller_id}/onboarding-link")
    assert code(await coach.post(path)) == "onboarding_incomplete"
    await program.onboard(coach, seller_id)
    link = await coach.post(path)
    assert link.status_code == 201
    assert link.json()["url"].startswith(program.stripe.base_url)


async def test_links_are_never_stored(program: Program) -> None:
    coach, seller_id = await program.a_seller()
    headers = {"Authorization": f"Bearer {coach.token}", "Idempotency-Key": "one-click"}
    path = f"/v1/sellers/{seller_id}/onboarding-link"
    first = await program.http.post(path, headers=headers)
    again = await program.http.post(path, headers=headers)
    assert first.json()["url"] != again.json()["url"]
    kept = await rows("SELECT answer FROM idempotent_requests WHERE key = 'one-click'")
    assert kept == []


async def test_silence_of_stripe_is_a_503_that_may_be_tried_again(program: Program) -> None:
    coach, seller_id = await program.a_seller()
    path = f"/v1/sellers/{seller_id}/onboarding-link"
    async with httpx.AsyncClient(base_url=program.stripe.base_url, trust_env=False) as control:
        fault = {"fault": "lost_after", "method": "POST", "path": "/v2/core/accounts"}
        assert (await control.post("/_sandbox/faults", json=fault)).status_code == 200
    silent = await coach.post(path)
    assert silent.status_code == 503
    assert code(silent) == "payments_unavailable"
    assert silent.headers["retry-after"]
    assert (await coach.post(path)).status_code == 201
    opened = "SELECT count(*) FROM operations WHERE subject = $1"
    assert await value(opened, seller_id) == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"display_name": "Ada", "country": "DE"}, 400),
        ({**OPENING, "approval": "approved"}, 400),
        ({**OPENING, "country": 49}, 400),
        ({**OPENING, "country": "DEU"}, 400),
        ({**OPENING, "country": "ZZ"}, 422),
        ({**OPENING, "currency": "zzz"}, 422),
        ({**OPENING, "display_name": ""}, 422),
        ({**OPENING, "display_name": "\u0000"}, 400),
        ([OPENING], 400),
        ("coach", 400),
    ],
)
async def test_what_is_no_seller_is_refused(program: Program, body: Any, status: int) -> None:
    caller = await program.caller()
    refused = await caller.post("/v1/sellers", body)
    assert refused.status_code == status, refused.text
    assert code(refused)
    assert (await caller.get("/v1/sellers/me")).status_code == 404


@pytest.mark.parametrize("body", [{"approval": "approved"}, {"country": None}, {"currency": 1}])
async def test_what_may_not_be_changed_is_refused(program: Program, body: Any) -> None:
    coach, seller_id = await program.a_seller()
    before = (await coach.get(f"/v1/sellers/{seller_id}")).json()
    assert code(await coach.patch(f"/v1/sellers/{seller_id}", body)) == "invalid_body"
    assert (await coach.get(f"/v1/sellers/{seller_id}")).json() == before


async def test_decisions_are_for_admins(program: Program) -> None:
    coach, seller_id = await program.a_seller()
    reader = await program.caller(is_admin=True, scopes=["admin:read"])
    approval, suspension = (
        f"/v1/admin/sellers/{seller_id}/{what}" for what in ("approval", "suspension")
    )
    for caller in (coach, reader):
        assert (await caller.post(approval, {"decision": "approve", **WHY})).status_code == 403
        assert (await caller.post(suspension, WHY)).status_code == 403
        assert (await caller.delete(f"{suspension}?reason=x")).status_code == 403
    assert (await coach.get("/v1/admin/sellers")).status_code == 403
    assert (await program.http.get("/v1/admin/sellers")).status_code == 401
    assert (await coach.get(f"/v1/sellers/{seller_id}")).json()["approval"] == "pending"


async def test_suspension_over_http(program: Program) -> None:
    coach, seller_id = await program.a_seller()
    admin = await program.caller(is_admin=True)
    path = f"/v1/admin/sellers/{seller_id}/suspension"
    assert code(await admin.delete(f"{path}?reason=solved")) == "seller_step_refused"
    suspended = await admin.post(path, WHY)
    assert suspended.status_code == 200
    assert suspended.json()["suspension_reason"] == WHY["reason"]
    assert code(await admin.post(path, WHY)) == "seller_step_refused"
    told = (await coach.get(f"/v1/sellers/{seller_id}/payout-capability")).json()
    assert told["suspended"] is True
    assert "suspended" in told["reasons"]
    assert code(await admin.delete(path)) == "invalid_parameter"
    assert code(await admin.delete(f"{path}?reason=%20")) == "reason_required"
    assert (await admin.delete(f"{path}?reason=solved")).json()["suspended_at"] is None
    audited = await rows("SELECT request_id, reason FROM audit_log WHERE subject = $1", seller_id)
    assert {each["reason"] for each in audited} == {None, WHY["reason"], "solved"}
    assert all(each["request_id"] for each in audited)
    assert len(audited) == 3


@pytest.mark.parametrize(
    "body", [{}, {"decision": "maybe", **WHY}, {"decision": "approve"}, {"reason": "x"}]
)
async def test_a_decision_is_one_of_two_and_says_why(program: Program, body: Any) -> None:
    _, seller_id = await program.a_seller()
    admin = await program.caller(is_admin=True)
    refused = await admin.post(f"/v1/admin/sellers/{seller_id}/approval", body)
    assert code(refused) == "invalid_body"


async def test_the_list_of_sellers(program: Program) -> None:
    _, first = await program.a_seller()
    _, second = await program.a_seller()
    admin = await program.caller(is_admin=True)
    page = (await admin.get("/v1/admin/sellers?limit=1&approval=pending")).json()
    assert [(each["id"], each["seller"]["id"]) for each in page["data"]] == [(second, second)]
    assert page["has_more"] is True
    rest = await admin.get(f"/v1/admin/sellers?starting_after={second}&state=not_started")
    assert first in [each["seller"]["id"] for each in rest.json()["data"]]
    shop = page["data"][0]
    theirs = await admin.get(f"/v1/admin/sellers?account_id={shop['account_id']}")
    assert [each["seller"]["id"] for each in theirs.json()["data"]] == [second]
    name = shop["seller"]["display_name"]
    named = await admin.get(f"/v1/admin/sellers?name={quote(name[1:].upper())}")
    assert second in [each["seller"]["id"] for each in named.json()["data"]]
    assert (await admin.get("/v1/admin/sellers?name=%25%25")).json()["data"] == []
    for bad in ("approval=maybe", "state=fine", "limit=0", "limit=101", "suspended=2", "who=me"):
        refused = await admin.get(f"/v1/admin/sellers?{bad}")
        assert refused.status_code == 400, bad


async def test_the_routes_describe_themselves(program: Program) -> None:
    described = (await program.http.get("/openapi.json")).json()
    paths = described["paths"]
    assert "/v1/sellers/{seller_id}/payout-capability" in paths
    assert "/v1/admin/sellers/{seller_id}/approval" in paths
    assert "/v1/sellers/{seller_id}/onboarding/return" not in paths
    patch = described["components"]["schemas"]["SellerPatch"]
    assert set(patch["properties"]) == {
        "display_name",
        "country",
        "currency",
        "at_deadline",
        "cancellation_windows",
    }
    assert not patch.get("required")
