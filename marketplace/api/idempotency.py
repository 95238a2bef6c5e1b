"""A POST with an Idempotency-Key is done once, and its first answer is given again.

The same key with the same request: the stored answer, marked `Idempotent-Replayed: true`. With another
request: 422. While the first is still being worked on: 409. Keys are a person's own and live 72 hours,
so that a queue that failed on Friday evening can still be replayed on Monday.

What is stored is an answer, never the effect: the use cases behind these routes are idempotent by the same
key themselves, so a process that dies between effect and answer loses nothing. Its row stays in progress
and may be taken over after a minute.

Answers with secrets are never stored. A route whose repetition is harmless by nature says `repeatable()` and
is simply done again; one that would make a second thing says `once()` and a repeat is refused.
"""

import enum
import hashlib
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from marketplace.api.doorkeeper import client_address
from marketplace.api.principal import Principal
from marketplace.api.refusals import RequestRefused
from payments.database import LOST, execute, row
from payments.events import Clock
from payments.ids import new_id

_log = structlog.get_logger("marketplace.idempotency")

HEADER = "Idempotency-Key"
KEPT = timedelta(hours=72)
# Longer than any request may take: whoever held the row is dead.
_TAKEN_OVER_AFTER = timedelta(seconds=60)
_LONGEST_KEY = 255
_OPT = "idempotency"

# Nothing was begun, or the next try may fare better: these answers are not the request's outcome.
_NOT_AN_OUTCOME = frozenset({400, 401, 403, 408, 413, 415, 429, 431})


class Handling(enum.Enum):
    """What a key means on a route."""

    KEPT = "kept"
    REQUIRED = "required"
    REPEATABLE = "repeatable"
    ONCE = "once"


def key_required() -> dict[str, Any]:
    """The route refuses to work without a key, because a repeat would do harm."""
    return {_OPT: Handling.REQUIRED}


def repeatable() -> dict[str, Any]:
    """The answer holds a secret or the request does; doing it again is harmless. Nothing is stored."""
    return {_OPT: Handling.REPEATABLE}


def once() -> dict[str, Any]:
    """The answer holds a secret and doing it again would make a second thing: a repeat is refused."""
    return {_OPT: Handling.ONCE}


def handling_of(opt: dict[str, Any]) -> Handling:
    """What the route declared."""
    found = opt.get(_OPT, Handling.KEPT)
    assert isinstance(found, Handling)
    return found


class _Claim(msgspec.Struct, frozen=True):
    """The row this request works under. `started_at` fences off whoever held it before."""

    id: str
    started_at: datetime


class _Stored(msgspec.Struct, frozen=True):
    status: int
    content_type: str
    body: bytes


class Idempotency:
    """ASGI middleware of every route; acts on POST with a key."""

    def __init__(self, app: ASGIApp, *, clock: Clock) -> None:
        self._app, self._clock = app, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Do the request once. Raises RequestRefused."""
        if scope["type"] != ScopeType.HTTP or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        key, handling = idempotency_key_of(scope), handling_of(scope["route_handler"].opt)
        if key is None and handling is Handling.REQUIRED:
            raise RequestRefused("idempotency_key_required")
        if key is None or handling is Handling.REPEATABLE:
            await self._app(scope, receive, send)
            return
        await self._once(scope, receive, send, key, handling)

    async def _once(
        self, scope: HTTPScope, receive: Receive, send: Send, key: str, handling: Handling
    ) -> None:
        message: Any = await receive()
        body: bytes = message["body"]
        found = await _claim(_principal(scope), key, _fingerprint(scope, body), self._clock())
        if isinstance(found, _Stored):
            await _replay(found, send)
            return
        answer = _Answer()
        given = [message]

        async def again() -> Any:
            return given.pop() if given else await receive()

        await self._app(scope, again, answer.keep)
        await _conclude(found, answer, handling, self._clock())
        await answer.release(send)


class _Answer:
    """Holds an answer back until it is stored: what a client has seen can always be given again."""

    def __init__(self) -> None:
        self._messages: list[Any] = []

    async def keep(self, message: Message) -> None:
        self._messages.append(message)

    async def release(self, send: Send) -> None:
        for message in self._messages:
            await send(message)

    @property
    def stored(self) -> _Stored:
        headers = dict(self._messages[0]["headers"])
        return _Stored(
            status=self._messages[0]["status"],
            content_type=headers.get(b"content-type", b"").decode("latin-1"),
            body=b"".join(part.get("body", b"") for part in self._messages[1:]),
        )

    @property
    def is_outcome(self) -> bool:
        """Whether the request was carried out, or refused for good."""
        status, headers = self._messages[0]["status"], dict(self._messages[0]["headers"])
        return status < 500 and status not in _NOT_AN_OUTCOME and b"retry-after" not in headers


async def _claim(principal: str, key: str, fingerprint: str, now: datetime) -> _Claim | _Stored:
    """The right to do the request, or the answer it already got. Raises RequestRefused."""
    claim = _Claim(new_id("idr"), now)
    claimed = await execute(
        """
        INSERT INTO idempotent_requests (id, principal, key, fingerprint, started_at)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (principal, key) DO NOTHING
        """,
        claim.id,
        principal,
        key,
        fingerprint,
        now,
    )
    if claimed:
        return claim
    found = await row(
        "SELECT * FROM idempotent_requests WHERE principal = $1 AND key = $2", principal, key
    )
    if found is None:
        # It was released between the two statements: its first try had no outcome.
        raise RequestRefused("request_in_progress", retry_after_seconds=1)
    if found["fingerprint"] != fingerprint:
        raise RequestRefused("idempotency_key_reused")
    if found["concluded_at"] is None:
        return await _take_over(found, now)
    if found["answer"] is None:
        raise RequestRefused("answer_not_kept")
    return _Stored(found["status_code"], found["content_type"], found["answer"].encode())


async def _take_over(found: asyncpg.Record, now: datetime) -> _Claim:
    taken = await execute(
        """
        UPDATE idempotent_requests SET started_at = $2
        WHERE id = $1 AND concluded_at IS NULL AND started_at = $3 AND started_at <= $4
        """,
        found["id"],
        now,
        found["started_at"],
        now - _TAKEN_OVER_AFTER,
    )
    if not taken:
        raise RequestRefused("request_in_progress", retry_after_seconds=1)
    return _Claim(found["id"], now)


async def _conclude(claim: _Claim, answer: _Answer, handling: Handling, now: datetime) -> None:
    """Store an outcome; give the key back when there was none.

    When the database is away by now, the answer is still true and is told; the row is taken over later.
    """
    try:
        if answer.is_outcome:
            await _store(claim, answer.stored, handling, now)
        else:
            await _release(claim)
    except LOST as error:
        _log.warning("answer not stored", claim=claim.id, error=type(error).__name__)


async def _release(claim: _Claim) -> None:
    await execute(
        "DELETE FROM idempotent_requests"
        " WHERE id = $1 AND started_at = $2 AND concluded_at IS NULL",
        claim.id,
        claim.started_at,
    )


async def _store(claim: _Claim, stored: _Stored, handling: Handling, now: datetime) -> None:
    secret = handling is Handling.ONCE and stored.status < 400
    await execute(
        """
        UPDATE idempotent_requests
        SET status_code = $3, content_type = $4, answer = $5, concluded_at = $6
        WHERE id = $1 AND started_at = $2 AND concluded_at IS NULL
        """,
        claim.id,
        claim.started_at,
        stored.status,
        stored.content_type,
        None if secret else stored.body.decode("utf-8"),
        now,
    )


async def _replay(stored: _Stored, send: Send) -> None:
    headers = [
        (b"content-type", stored.content_type.encode("latin-1")),
        (b"content-length", str(len(stored.body)).encode()),
        (b"idempotent-replayed", b"true"),
    ]
    start: Any = {"type": "http.response.start", "status": stored.status, "headers": headers}
    body: Any = {"type": "http.response.body", "body": stored.body, "more_body": False}
    await send(start)
    await send(body)


async def sweep(now: datetime, limit: int) -> int:
    """Delete up to `limit` rows older than 72 hours; answers how many."""
    return await execute(
        """
        DELETE FROM idempotent_requests WHERE id IN (
            SELECT id FROM idempotent_requests WHERE started_at < $1 LIMIT $2
            FOR UPDATE SKIP LOCKED)
        """,
        now - KEPT,
        limit,
    )


def idempotency_key_of(scope: HTTPScope) -> str | None:
    """The request's key, for the use case behind it too. Raises RequestRefused when malformed."""
    found = [value for name, value in scope["headers"] if name == b"idempotency-key"]
    if not found:
        return None
    key = found[0].decode("latin-1")
    visible = all("!" <= character <= "~" for character in key)
    if len(found) > 1 or not 1 <= len(key) <= _LONGEST_KEY or not visible:
        raise RequestRefused("idempotency_key_malformed")
    return key


def _principal(scope: HTTPScope) -> str:
    user = scope.get("user")
    if isinstance(user, Principal):
        return user.account_id
    return f"anonymous:{hashlib.sha256(client_address(scope).encode()).hexdigest()[:40]}"


def _fingerprint(scope: HTTPScope, body: bytes) -> str:
    """What makes two requests the same: route, path, query and body, byte by byte."""
    path = scope["path"].encode() + b"?" + scope["query_string"]
    return hashlib.sha256(b"\n".join([path, body])).hexdigest()
