"""Whatever is malformed gets a 4xx with a stable code, and nothing is written."""

import random
from typing import Any

import httpx
import pytest
from litestar import Litestar

from tests.api.harness import Browser, a_person, client_of, everything_stored
from tests.api.mutations import mutations
from tests.api.practice import DONE

GOOD = b'{"title": "A draft", "amount": 500, "lines": [{"thing": "otter", "quantity": 2}]}'
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        (b"", "body_required", None),
        (b"null", "invalid_body", ""),
        (b"[]", "invalid_body", ""),
        (b"{}", "invalid_body", "title"),
        (b'{"title": "x", "amount": 1, "admin": true}', "invalid_body", "admin"),
        (b'{"title": "x", "amount": 1.0}', "invalid_body", "amount"),
        (b'{"title": "x", "amount": 1e2}', "invalid_body", "amount"),
        (b'{"title": "x", "amount": "1"}', "invalid_body", "amount"),
        (b'{"title": "x", "amount": true}', "invalid_body", "amount"),
        (b'{"title": "x", "amount": null}', "invalid_body", "amount"),
        (b'{"title": "x", "amount": 0}', "invalid_body", "amount"),
        (b'{"title": "x", "amount": -1}', "invalid_body", "amount"),
        (b'{"title": "x", "amount": 99999999999999999999}', "body_number_refused", None),
        (b'{"title": "x", "amount": 1e400}', "body_number_refused", None),
        (b'{"title": "x", "amount": 1, "amount": 2}', "body_repeats_key", None),
        (b'{"title": "x\\u0000", "amount": 1}', "body_text_refused", None),
        (b'{"title": "\\ud800", "amount": 1}', "body_text_refused", None),
        (b'{"title": "\xff", "amount": 1}', "body_not_utf8", None),
        (b'{"title": "x", "amount": 1', "body_not_json", None),
        (b"[" * 5000, "body_too_deep", None),
        (
            b'{"title": "x", "amount": 1, "lines": [{"thing": "y", "quantity": 1.5}]}',
            "invalid_body",
            "lines[0].quantity",
        ),
    ],
)
async def test_a_body_that_does_not_fit_says_where(
    app: Litestar, body: bytes, code: str, field: str | None
) -> None:
    person = await a_person(app, "malformed@example.com")
    before, done = await everything_stored(), len(DONE)
    answer = await person.http.post("/practice/drafts", content=body, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert answer.headers["content-type"] == "application/problem+json"
    if field is not None:
        assert answer.json()["errors"][0]["field"] == field
    assert (await everything_stored(), len(DONE)) == (before, done)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/json; charset=latin-1"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
)
async def test_only_plain_json_is_read(app: Litestar, headers: dict[str, str]) -> None:
    person = await a_person(app, "media@example.com")
    answer = await person.http.post("/practice/drafts", content=GOOD, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "media_type_unsupported")


async def test_a_body_has_a_largest_size(app: Litestar) -> None:
    person = await a_person(app, "large@example.com")
    answer = await person.http.post(
        "/practice/drafts", content=b" " * (64 * 1024 + 1), headers=JSON
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")

    async def dripping() -> Any:
        for _ in range(70):
            yield b" " * 1024

    answer = await person.http.post("/practice/drafts", content=dripping(), headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_a_route_without_a_body_takes_none(app: Litestar) -> None:
    person = await a_person(app, "bodyless@example.com")
    assert (await person.post("/practice/bodyless")).status_code == 201
    assert (await person.post("/practice/bodyless", {})).status_code == 201
    answer = await person.post("/practice/bodyless", {"amount": 5})
    assert (answer.status_code, answer.json()["code"]) == (400, "body_unexpected")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/practice/list?limit=0", 400, "invalid_parameter"),
        ("/practice/list?limit=101", 400, "invalid_parameter"),
        ("/practice/list?limit=many", 400, "invalid_parameter"),
        ("/practice/list?limit=1.5", 400, "invalid_parameter"),
        ("/practice/list?limit=", 400, "invalid_parameter"),
        ("/practice/list?limit=99999999999999999999999", 400, "invalid_parameter"),
        ("/practice/list?word=%00", 400, "query_malformed"),
        ("/practice/list?word=%ff%fe", 400, "query_malformed"),
        ("/practice/list?%00=1", 400, "query_malformed"),
        ("/practice/list?words=typo", 400, "unknown_parameter"),
        ("/practice/list?limit=5&debug", 400, "unknown_parameter"),
        ("/practice/things/%00", 400, "path_malformed"),
        ("/practice/things/a%00b", 400, "path_malformed"),
        ("/practice/things/%ff", 400, "path_malformed"),
        ("/practice/things", 404, "not_found"),
        ("/practice/nothing", 404, "not_found"),
        ("/practice/things/a/b", 404, "not_found"),
        ("/%00", 404, "not_found"),
        ("/practice/drafts", 405, "method_not_allowed"),
    ],
)
async def test_a_malformed_address_is_refused(
    app: Litestar, path: str, status: int, code: str
) -> None:
    answer = await client_of(app).get(path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_what_cannot_be_done_here_says_what_can(app: Litestar) -> None:
    answer = await client_of(app).put("/v1/me")
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]


async def test_headers_have_a_largest_size(app: Litestar) -> None:
    answer = await client_of(app, **{"x-long": "y" * 20_000}).get("/practice/list")
    assert (answer.status_code, answer.json()["code"]) == (431, "headers_too_large")


async def test_a_body_that_never_ends_is_given_up(app: Litestar) -> None:
    gone = httpx.Request("POST", "https://market.test/v1/sessions", headers=JSON)
    scope = await scope_of(app, gone)
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    assert sent[0]["status"] == 400
    assert b"body_incomplete" in sent[1]["body"]


async def test_thousands_of_malformed_bodies_break_nothing(app: Litestar) -> None:
    person = await a_person(app, "fuzz@example.com")
    before = await everything_stored()
    chance = random.Random(20261121)
    codes: dict[str, int] = {}
    for body in mutations(chance, 4000, GOOD):
        answer = await person.http.post("/practice/drafts", content=body, headers=JSON)
        assert answer.status_code in {201, 400}, (body, answer.text)
        code = "taken" if answer.status_code == 201 else answer.json()["code"]
        codes[code] = codes.get(code, 0) + 1
    # The mutations reach every kind of refusal, or this test would prove little.
    assert {"invalid_body", "body_not_json", "body_not_utf8", "body_text_refused"} <= set(codes)
    assert {"body_number_refused", "body_repeats_key", "body_too_deep"} <= set(codes)
    assert await everything_stored() == before


async def test_malformed_sign_ups_and_sign_ins_break_nothing(app: Litestar) -> None:
    before = await everything_stored()
    chance = random.Random(7)
    good = b'{"email": "no", "password": "p", "display_name": "n"}'
    for number, body in enumerate(mutations(chance, 600, good)):
        http = client_of(app, ip=f"10.1.{number // 200}.{number % 200}")
        for path in ("/v1/accounts", "/v1/sessions"):
            answer = await http.post(path, content=body, headers=JSON)
            assert 400 <= answer.status_code < 500, (body, answer.text)
    after = await everything_stored()
    assert {**after, "limits": 0} == {**before, "limits": 0}


async def scope_of(app: Litestar, request: httpx.Request) -> Any:
    """The ASGI scope a server would make of `request`."""
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path,
        "query_string": request.url.query,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "server": ("market.test", 443),
        "client": ("192.0.2.1", 1),
        "root_path": "",
    }


@pytest.mark.parametrize("path", ["/v1/accounts", "/v1/sessions"])
async def test_a_refusal_does_not_repeat_what_was_sent(browser: Browser, path: str) -> None:
    secret = "do-not-echo-me"
    for body in ({"email": [secret], "password": secret}, {"password": {"a": secret}}, [secret]):
        answer = await browser.post(path, body)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_body")
        assert secret not in answer.text
