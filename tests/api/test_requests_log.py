"""One line a request, the headers every answer has, and no secret in any log."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from typing import Any

import asyncpg
import pytest
import structlog
from litestar import Litestar

from marketplace import logs
from tests.api.harness import PASSWORD, Browser, a_person, client_of


@contextmanager
def real_logging(level: str = "DEBUG") -> Iterator[io.StringIO]:
    """The program's own logging, into a buffer; put back as it was afterwards."""
    root, kept = logging.root, structlog.get_config()
    handlers, before = root.handlers[:], root.level
    out = io.StringIO()
    try:
        with redirect_stderr(out):
            logs.configure(level)
        yield out
    finally:
        root.handlers, root.level = handlers, before
        structlog.configure(**kept)


async def test_a_request_is_one_line_with_what_is_allowed(app: Litestar) -> None:
    person = await a_person(app, "logged@example.com")
    with structlog.testing.capture_logs() as lines:
        answer = await person.post("/practice/drafts", {"title": "x", "amount": 1}, key="log-me")
    [line] = [each for each in lines if each["event"] == "request"]
    assert line.pop("duration_ms") > 0
    assert line == {
        "event": "request",
        "log_level": "info",
        "request_id": answer.headers["x-request-id"],
        "method": "POST",
        "route": "/practice/drafts",
        "status": 201,
        "ip": "192.0.2.7",
        "principal": person.account["id"],
        "via": "session",
    }


async def test_a_path_is_logged_as_its_template_only(app: Litestar) -> None:
    with structlog.testing.capture_logs() as lines:
        await client_of(app).get("/practice/things/secret-in-a-path")
        await client_of(app).get("/practice/unknown-secret-in-a-path?token=secret-in-a-query")
    assert [line["route"] for line in lines] == ["/practice/things/{thing_id}", None]
    assert [line.get("code") for line in lines] == [None, "not_found"]
    assert "secret" not in repr(lines)


async def test_no_secret_reaches_the_log(app: Litestar) -> None:
    with real_logging() as out:
        person = await Browser(app).sign_up("canary@example.com", name="Canary Name")
        key = await person.api_key("account:read")
        await client_of(app, authorization=f"Bearer {key}").get("/v1/me")
        await client_of(app).post("/v1/sessions", json={"email": "canary@example.com"})
        await person.post("/practice/errors/bug")
        await person.sign_in("canary@example.com")
        session = person.http.cookies["__Host-session"]
        await client_of(app, authorization=f"Bearer {session}").get("/v1/me")
    written = out.getvalue()
    lines = [json.loads(line) for line in written.splitlines()]
    assert [line["event"] for line in lines].count("request") == 8
    csrf = person.http.headers["X-CSRF-Token"]
    for secret in (PASSWORD, key, session, csrf, "canary@example.com", "Canary Name", "4242"):
        assert secret not in written


async def test_a_request_keeps_the_id_it_came_with(app: Litestar) -> None:
    given = await client_of(app, **{"x-request-id": "trace-0123.4567_89"}).get("/health/live")
    assert given.headers["x-request-id"] == "trace-0123.4567_89"


@pytest.mark.parametrize(
    "bad", ["short", "x" * 65, "has space here", 'quote"quote', "a\u00e9bcdefgh"]
)
async def test_an_id_that_could_confuse_a_log_is_replaced(app: Litestar, bad: str) -> None:
    answer = await client_of(app).get(
        "/health/live", headers={b"x-request-id": bad.encode("latin-1")}
    )
    assert answer.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize("path", ["/health/live", "/v1/me", "/no/such/path", "/practice/list"])
async def test_every_answer_carries_the_protective_headers(app: Litestar, path: str) -> None:
    headers = (await client_of(app).get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["strict-transport-security"] == "max-age=31536000"
    assert "server" not in headers


def lines_of(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_failure_is_told_with_where_it_happened_and_without_the_row() -> None:
    error = asyncpg.UniqueViolationError("duplicate key value violates a constraint")
    error.detail = "Key (email)=(ada@example.com) already exists."
    with real_logging() as out:
        try:
            raise error
        except asyncpg.UniqueViolationError:
            structlog.get_logger("test").exception("it failed")
    [line] = lines_of(out)
    assert line["error"] == "UniqueViolationError"
    assert line["message"] == "duplicate key value violates a constraint"
    assert any("test_a_failure_is_told" in frame for frame in line["frames"])
    assert "ada@example.com" not in out.getvalue()


@pytest.mark.parametrize(
    "secret",
    [
        "sk_test_51Habc",
        "rk_live_abc123",
        "whsec_abc",
        "mk_live_Zk9-x_yQ7-tail",
        "pi_3abc_secret_Xyz9",
        "Bearer eyJhbGciOi",
        "postgresql://user:hunter2@db/market",
    ],
)
def test_what_looks_like_a_secret_is_cut_out_of_messages(secret: str) -> None:
    with real_logging() as out:
        logging.getLogger("some.library").warning("calling with %s now", secret)
        structlog.get_logger("ours").error("it failed", exc_info=ValueError(f"bad {secret}"))
    assert secret not in out.getvalue()
    assert secret.rpartition("_")[2] not in out.getvalue()
    assert out.getvalue().count("[redacted]") == 2


def test_libraries_that_log_every_call_are_quiet() -> None:
    with real_logging() as out:
        logging.getLogger("httpx").info("HTTP Request: POST https://api.example/v1/x")
        logging.getLogger("stripe").info("Request to Stripe api")
        logging.getLogger("uvicorn.error").info("Application startup complete.")
    assert [line["logger"] for line in lines_of(out)] == ["uvicorn.error"]
