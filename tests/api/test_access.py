"""Who is let in: policies, the session's proof against other sites, one identity a request."""

import pytest
from litestar import Litestar, get
from litestar.exceptions import HTTPException

from marketplace.api.application import build
from marketplace.api.policies import PolicyMissing, ScopeUnknown, admin, anyone, signed_in
from marketplace.api.problems import problem_of
from marketplace.composition import compose
from tests.api.harness import (
    ADDRESS,
    Browser,
    a_person,
    client_of,
    new_admin,
    settings_for,
)
from tests.clocks import MovedClock


def test_an_application_with_an_undeclared_route_is_not_built() -> None:
    @get("/forgotten")
    async def forgotten() -> None: ...

    @get("/declared", **anyone())
    async def declared() -> None: ...

    composition = compose(settings_for(""))
    with pytest.raises(PolicyMissing) as refused:
        build(composition.services, composition.services.settings, [forgotten, declared])
    assert refused.value.routes == ["GET /forgotten"]


@pytest.mark.parametrize("scope", ["orders:everything", "", "admin:write"])
def test_a_route_cannot_ask_for_a_scope_outside_its_list(scope: str) -> None:
    with pytest.raises(ScopeUnknown):
        signed_in(scope)


def test_an_admin_s_route_cannot_ask_for_everybody_s_scope() -> None:
    with pytest.raises(ScopeUnknown):
        admin("orders:read")


async def test_an_admin_s_route_is_closed_to_others(
    app: Litestar, browser: Browser, clock: MovedClock
) -> None:
    await browser.sign_up("nosy@example.com")
    admin_ = await new_admin(app, clock, "boss@example.com")
    assert (await client_of(app).get("/practice/admin")).status_code == 401
    assert (await browser.get("/practice/admin")).json()["code"] == "admins_only"
    assert (await admin_.get("/practice/admin")).status_code == 200
    key = await admin_.api_key("admin:read")
    program = client_of(app, authorization=f"Bearer {key}")
    assert (await program.get("/practice/admin")).json()["code"] == "scope_missing"
    key = await admin_.api_key("fees:read")
    program = client_of(app, authorization=f"Bearer {key}")
    assert (await program.get("/practice/admin")).status_code == 200


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({}, 200),
        ({"X-CSRF-Token": "0" * 64}, 403),
        ({"X-CSRF-Token": ""}, 403),
        ({"X-CSRF-Token": "é".encode("latin-1").decode("latin-1")}, 403),
        ({"Origin": "https://evil.test"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": f"{ADDRESS}.evil.test"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
async def test_another_site_cannot_use_a_person_s_session(
    app: Litestar, clock: MovedClock, changed: dict[str, str], status: int
) -> None:
    browser = await a_person(app, "victim@example.com")
    headers = {name: value.encode("latin-1") for name, value in changed.items()}
    answer = await browser.http.post("/practice/bodyless", headers=headers)
    assert answer.status_code == (201 if status == 200 else status)
    assert status == 200 or answer.json()["code"] == "csrf_refused"


async def test_a_session_without_the_csrf_header_can_only_read(app: Litestar) -> None:
    browser = await a_person(app, "reader@example.com")
    del browser.http.headers["X-CSRF-Token"]
    assert (await browser.get("/v1/me")).status_code == 200
    for path in ("/practice/bodyless", "/v1/me/password", "/v1/api-keys"):
        assert (await browser.post(path)).json()["code"] == "csrf_refused"
    for path in ("/v1/sessions", "/v1/sessions/current", "/v1/api-keys/key_x"):
        assert (await browser.delete(path)).json()["code"] == "csrf_refused"


async def test_one_request_has_one_identity(app: Litestar) -> None:
    browser = await a_person(app, "double@example.com")
    key = await browser.api_key("account:read")
    answer = await browser.http.get("/v1/me", headers={"Authorization": f"Bearer {key}"})
    assert (answer.status_code, answer.json()["why"]) == (401, "two_credentials")


async def test_a_key_is_no_cookie_and_a_session_no_bearer(app: Litestar) -> None:
    browser = await a_person(app, "mixed@example.com")
    key = await browser.api_key("account:read")
    session = browser.http.cookies["__Host-session"]
    asked = [
        client_of(app, cookie=f"__Host-session={key}"),
        client_of(app, authorization=f"Bearer {session}"),
        client_of(app, cookie=f"session={session}"),
    ]
    assert [(await each.get("/v1/me")).status_code for each in asked] == [401, 401, 401]


@pytest.mark.parametrize(
    "header",
    [
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": "Basic YWRhOnBhc3M="},
        {"authorization": "Bearer " + "x" * 5000},
        {"authorization": "Bearer mk_test_unknown"},
        {"cookie": "__Host-session=" + "x" * 5000},
        {"cookie": "__Host-session=a; __Host-session=b"},
        {"cookie": "__Host-session=%00"},
    ],
)
async def test_credentials_that_are_none_are_refused(app: Litestar, header: dict[str, str]) -> None:
    answer = await client_of(app, **header).get("/v1/me")
    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")


async def test_bytes_outside_ascii_in_credentials_are_refused(app: Litestar) -> None:
    for name in ("authorization", "cookie"):
        value = b"Bearer \xff\xfe" if name == "authorization" else b"__Host-session=\xff\xfe"
        answer = await client_of(app).get("/v1/me", headers={name: value})
        assert answer.status_code == 401


async def test_asking_what_a_route_allows_needs_nobody(app: Litestar) -> None:
    answer = await client_of(app).options("/practice/drafts")
    assert answer.status_code == 204
    assert "POST" in answer.headers["allow"]


def test_litestar_s_own_refusals_are_told_by_status() -> None:
    assert problem_of(HTTPException(status_code=418)).code == "malformed_request"
