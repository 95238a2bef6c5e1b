"""Signing up, in and out; changing a password; programs' keys."""

from datetime import timedelta

import pytest
from litestar import Litestar

from payments.database import rows, value
from tests.api.harness import ADDRESS, PASSWORD, Browser, client_of, new_admin
from tests.clocks import MovedClock


async def test_a_person_signs_up_signs_in_and_is_known(browser: Browser) -> None:
    await browser.sign_up("Grace@Example.com", name="Grace Hopper")
    me = (await browser.get("/v1/me")).json()
    assert me["email"] == "grace@example.com"
    assert me["display_name"] == "Grace Hopper"
    assert me["via"] == "session"
    assert me["is_admin"] is False
    assert "orders:write" in me["scopes"]
    assert "admin:write" not in me["scopes"]
    assert me["csrf_token"] == browser.http.headers["X-CSRF-Token"]


async def test_the_session_is_a_cookie_only_our_own_pages_send(browser: Browser) -> None:
    await browser.sign_up("cookie@example.com")
    answer = await browser.http.post(
        "/v1/sessions", json={"email": "cookie@example.com", "password": PASSWORD}
    )
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-session=")
    parts = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"secure", "httponly", "samesite=lax", "path=/"} <= parts
    assert not any(part.startswith("domain") for part in parts)


async def test_neither_password_nor_token_is_stored(browser: Browser) -> None:
    await browser.sign_up("stored@example.com")
    key = await browser.api_key("orders:read")
    token = browser.http.cookies["__Host-session"]
    for table in ("accounts", "sessions", "api_keys", "idempotent_requests", "audit_log"):
        for row in await rows(f"SELECT * FROM {table}"):
            text = repr(dict(row.items()))
            for secret in (PASSWORD, key, token, browser.http.headers["X-CSRF-Token"]):
                assert secret not in text
    assert (await value("SELECT min(password_hash) FROM accounts")).startswith("$argon2id$")


async def test_an_address_is_one_account_however_it_is_written(browser: Browser) -> None:
    await browser.sign_up("twice@example.com")
    again = {"email": " TWICE@example.com", "password": PASSWORD, "display_name": "Other"}
    answer = await browser.http.post("/v1/accounts", json=again)
    assert (answer.status_code, answer.json()["code"]) == (409, "email_taken")
    await browser.sign_in("Twice@Example.com")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"email": "nobody"}, "email_refused"),
        ({"password": "brief7"}, "password_refused"),
        ({"password": "password123"}, "password_refused"),
        ({"password": "x" * 500}, "password_refused"),
        ({"display_name": "  "}, "name_refused"),
    ],
)
async def test_a_sign_up_that_does_not_do_is_refused(
    browser: Browser, change: dict[str, str], code: str
) -> None:
    given = {"email": "new@example.com", "password": PASSWORD, "display_name": "New"} | change
    answer = await browser.http.post("/v1/accounts", json=given)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert given["password"] not in answer.text


async def test_nobody_learns_whether_the_address_or_the_password_was_wrong(
    app: Litestar, browser: Browser
) -> None:
    await browser.sign_up("known@example.com")
    wrong = [
        {"email": "known@example.com", "password": "not-the-password"},
        {"email": "unknown@example.com", "password": PASSWORD},
        {"email": "not an address", "password": PASSWORD},
        {"email": "known@example.com", "password": "y" * 1000},
        {"email": "known@example.com", "password": ""},
    ]
    answers = [await client_of(app).post("/v1/sessions", json=each) for each in wrong]
    told = [{**answer.json(), "request_id": ""} for answer in answers]
    assert all(each == told[0] for each in told)
    assert told[0]["code"] == "credentials_wrong"
    assert not any("set-cookie" in answer.headers for answer in answers)


async def test_guessing_one_password_is_slowed_down(
    app: Litestar, browser: Browser, clock: MovedClock
) -> None:
    await browser.sign_up("guessed@example.com")
    wrong = {"email": "guessed@example.com", "password": "guess-number-one"}
    right = {"email": "guessed@example.com", "password": PASSWORD}
    answers = [
        await client_of(app, ip=f"198.51.100.{n}").post("/v1/sessions", json=wrong)
        for n in range(11)
    ]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 900
    assert (await client_of(app).post("/v1/sessions", json=right)).status_code == 429
    clock.move(seconds=901)
    assert (await client_of(app).post("/v1/sessions", json=right)).status_code == 201


async def test_the_right_password_clears_the_count(app: Litestar, browser: Browser) -> None:
    await browser.sign_up("forgetful@example.com")
    wrong = {"email": "forgetful@example.com", "password": "was-it-this-one"}
    for _ in range(3):
        for _ in range(6):
            assert (await client_of(app).post("/v1/sessions", json=wrong)).status_code == 401
        await Browser(app).sign_in("forgetful@example.com")


async def test_one_address_cannot_make_accounts_without_end(app: Litestar) -> None:
    crowd = client_of(app, ip="203.0.113.99")
    given = {"email": "no", "password": PASSWORD, "display_name": "Crowd"}
    answers = [await crowd.post("/v1/accounts", json=given) for _ in range(61)]
    assert [answer.status_code for answer in answers] == [422] * 60 + [429]
    assert (await client_of(app).post("/v1/accounts", json=given)).status_code == 422


async def test_signing_in_again_ends_the_browser_s_old_session(
    app: Litestar, browser: Browser
) -> None:
    await browser.sign_up("rotate@example.com")
    old = browser.http.cookies["__Host-session"]
    await browser.sign_in("rotate@example.com")
    assert browser.http.cookies["__Host-session"] != old
    stale = client_of(app, cookie=f"__Host-session={old}")
    answer = await stale.get("/v1/me")
    assert (answer.status_code, answer.json()["why"]) == (401, "ended")


async def test_signing_out_ends_the_session_and_clears_the_cookie(
    app: Litestar, browser: Browser
) -> None:
    await browser.sign_up("leaver@example.com")
    token = browser.http.cookies["__Host-session"]
    answer = await browser.delete("/v1/sessions/current")
    assert answer.status_code == 200
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert (await client_of(app, cookie=f"__Host-session={token}").get("/v1/me")).status_code == 401


async def test_signing_out_everywhere_ends_every_browser(app: Litestar, browser: Browser) -> None:
    await browser.sign_up("everywhere@example.com")
    other = await Browser(app).sign_in("everywhere@example.com")
    assert (await browser.delete("/v1/sessions")).json() == {"ended": 2}
    assert (await other.get("/v1/me")).status_code == 401


async def test_a_session_ends_when_idle_and_at_its_end(
    app: Litestar, browser: Browser, clock: MovedClock
) -> None:
    await browser.sign_up("idle@example.com")
    clock.move(minutes=29)
    assert (await browser.get("/v1/me")).status_code == 200
    clock.move(minutes=30)
    assert (await browser.get("/v1/me")).json()["why"] == "ended"
    await browser.sign_in("idle@example.com")
    for _ in range(48):
        clock.move(minutes=15)
        alive = (await browser.get("/v1/me")).status_code
    assert alive == 401


async def test_an_admin_s_session_is_shorter(app: Litestar, clock: MovedClock) -> None:
    admin = await new_admin(app, clock, "short@example.com")
    clock.move(minutes=14)
    assert (await admin.get("/v1/me")).json()["is_admin"] is True
    clock.move(minutes=15)
    assert (await admin.get("/v1/me")).status_code == 401


async def test_a_new_password_ends_the_other_sessions(app: Litestar, browser: Browser) -> None:
    await browser.sign_up("change@example.com")
    other = await Browser(app).sign_in("change@example.com")
    new = "eight-herons-dance-at-dusk"
    body = {"current_password": PASSWORD, "new_password": new}
    assert (await browser.post("/v1/me/password", body)).status_code == 204
    assert (await browser.get("/v1/me")).status_code == 200
    assert (await other.get("/v1/me")).status_code == 401
    await Browser(app).sign_in("change@example.com", new)
    again = await browser.post("/v1/me/password", body)
    assert (again.status_code, again.json()["code"]) == (401, "credentials_wrong")


async def test_a_program_acts_with_its_key_s_scopes_only(app: Litestar, browser: Browser) -> None:
    await browser.sign_up("owner@example.com")
    token = await browser.api_key("account:read")
    assert token.startswith("mk_test_")
    program = client_of(app, authorization=f"Bearer {token}")
    me = (await program.get("/v1/me")).json()
    assert (me["via"], me["scopes"]) == ("api_key", ["account:read"])
    assert "csrf_token" not in me
    answer = await program.post("/practice/bodyless")
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
    assert answer.json()["scope"] == "orders:write"


async def test_a_key_cannot_make_keys_or_change_the_password(
    app: Litestar, browser: Browser
) -> None:
    await browser.sign_up("thief@example.com")
    token = await browser.api_key("account:read", "orders:write")
    program = client_of(app, authorization=f"Bearer {token}")
    body = {"name": "More", "scopes": ["orders:read"]}
    assert (await program.post("/v1/api-keys", json=body)).json()["code"] == "scope_missing"
    refused = await browser.post("/v1/api-keys", {"name": "x", "scopes": ["account:write"]})
    assert (refused.status_code, refused.json()["code"]) == (422, "scope_refused")


async def test_a_key_is_listed_without_its_token_and_revoked_at_once(
    app: Litestar, browser: Browser, clock: MovedClock
) -> None:
    await browser.sign_up("keys@example.com")
    token = await browser.api_key("account:read")
    program = client_of(app, authorization=f"Bearer {token}")
    assert (await program.get("/v1/me")).status_code == 200
    [key] = (await browser.get("/v1/api-keys")).json()["data"]
    assert key["last_used_at"] is not None
    assert key["preview"] == token[:12]
    assert "token" not in key
    assert (await browser.delete(f"/v1/api-keys/{key['id']}")).status_code == 204
    assert (await program.get("/v1/me")).json()["why"] == "revoked"
    assert (await browser.delete(f"/v1/api-keys/{key['id']}")).status_code == 404
    assert (await browser.get("/v1/api-keys")).json()["data"] == []


async def test_another_person_s_key_is_not_found(app: Litestar, browser: Browser) -> None:
    await browser.sign_up("mine@example.com")
    await browser.api_key("account:read")
    [key] = (await browser.get("/v1/api-keys")).json()["data"]
    other = await Browser(app).sign_up("theirs@example.com")
    answers = [
        await other.delete(f"/v1/api-keys/{name}") for name in (key["id"], "key_unknown", "%20")
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.json()["code"] for answer in answers}) == 1
    assert len((await browser.get("/v1/api-keys")).json()["data"]) == 1


async def test_a_key_ends_when_it_said(app: Litestar, browser: Browser, clock: MovedClock) -> None:
    await browser.sign_up("ends@example.com")
    ends = clock() + timedelta(hours=1)
    made = await browser.post(
        "/v1/api-keys",
        {"name": "Brief", "scopes": ["account:read"], "expires_at": ends.isoformat()},
    )
    program = client_of(app, authorization=f"Bearer {made.json()['token']}")
    assert (await program.get("/v1/me")).status_code == 200
    clock.move(hours=1)
    assert (await program.get("/v1/me")).json()["why"] == "expired"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"scopes": ["orders:everything"]}, "scope_refused"),
        ({"scopes": ["admin:write"]}, "scope_refused"),
        ({"name": "\u202e"}, "name_refused"),
        ({"expires_at": "2001-01-01T00:00:00Z"}, "expiry_refused"),
        ({"expires_at": "2999-01-01T00:00:00Z"}, "expiry_refused"),
        ({"scopes": []}, "invalid_body"),
        ({"expires_at": "2001-01-01T00:00:00"}, "invalid_body"),
        ({"expires_at": 5}, "invalid_body"),
    ],
)
async def test_a_key_that_does_not_do_is_refused(
    app: Litestar, change: dict[str, object], code: str
) -> None:
    person = Browser(app)
    answer = await person.http.post(
        "/v1/sessions", json={"email": "refused@example.com", "password": PASSWORD}
    )
    if answer.status_code == 401:
        await person.sign_up("refused@example.com")
    else:
        await person.sign_in("refused@example.com")
    body = {"name": "Fine", "scopes": ["orders:read"]} | change
    answer = await person.post("/v1/api-keys", body)
    assert answer.json()["code"] == code


async def test_the_answer_with_a_key_is_never_kept(browser: Browser) -> None:
    await browser.sign_up("once@example.com")
    body = {"name": "Once", "scopes": ["orders:read"]}
    assert (await browser.post("/v1/api-keys", body, key="make-a-key")).status_code == 201
    again = await browser.post("/v1/api-keys", body, key="make-a-key")
    assert (again.status_code, again.json()["code"]) == (409, "answer_not_kept")
    assert len((await browser.get("/v1/api-keys")).json()["data"]) == 1
    assert await value("SELECT count(*) FROM idempotent_requests WHERE answer LIKE '%mk_%'") == 0


async def test_what_concerns_access_is_in_the_audit_log(
    app: Litestar, browser: Browser, clock: MovedClock
) -> None:
    await browser.sign_up("audited@example.com")
    token = await browser.api_key("orders:read")
    admin = await new_admin(app, clock, "auditor@example.com")
    found = await admin.get("/v1/admin/audit", actor=browser.account["id"])
    [entry] = found.json()["data"]
    assert entry["action"] == "api_key.issued"
    assert entry["after"]["scopes"] == ["orders:read"]
    assert entry["request_id"].startswith("req_")
    assert token not in found.text
    first = await admin.get("/v1/admin/audit", limit=1)
    assert first.json()["has_more"] is True
    after = first.json()["data"][0]["id"]
    rest = await admin.get("/v1/admin/audit", starting_after=after)
    assert after not in {each["id"] for each in rest.json()["data"]}
    answer = await browser.get("/v1/admin/audit")
    assert (answer.status_code, answer.json()["code"]) == (403, "admins_only")


async def test_an_origin_of_ours_is_no_help_without_the_session(app: Litestar) -> None:
    answer = await client_of(app, origin=ADDRESS).get("/v1/me")
    assert (answer.status_code, answer.json()["why"]) == (401, "missing")
    assert answer.headers["www-authenticate"].startswith("Bearer")
