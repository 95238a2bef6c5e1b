"""Questions to the outside that tell whether the program can do its work. They change nothing."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import asyncpg

from marketplace.demo_cast import CAST
from marketplace.people.tokens import hashed
from payments.errors import DatabaseUnavailable
from payments.event_silence import SILENCE, SILENT_AFTER, Silence

# With one of these off PostgreSQL can lose transactions it has acknowledged: measured, 88 of
# 30,130 acknowledged writes with `synchronous_commit` off.
DURABILITY_SETTINGS = ("fsync", "full_page_writes", "synchronous_commit")


@dataclass(frozen=True)
class StripeAnswer:
    """What a harmless question told about the key and the clocks.

    `skew_seconds` is how far our clock is ahead of Stripe's, to the second that HTTP dates have.
    """

    status: int
    live: bool | None
    message: str
    skew_seconds: float | None


async def server_version(dsn: str) -> int:
    """PostgreSQL's major version. Raises DatabaseUnavailable."""
    (number,) = await _ask(dsn, ["server_version_num"])
    return int(number) // 10_000


async def not_durable(dsn: str) -> list[str]:
    """The settings that are off and must not be. Raises DatabaseUnavailable."""
    values = await _ask(dsn, DURABILITY_SETTINGS)
    return [name for name, value in zip(DURABILITY_SETTINGS, values, strict=True) if value == "off"]


async def stripe_silence(dsn: str) -> tuple[datetime | None, bool] | None:
    """When Stripe last delivered an event, and whether it should have since; None before migrations.

    Raises DatabaseUnavailable.
    """
    async with _connected(dsn) as connection:
        if await connection.fetchval("SELECT to_regclass('missed_events')") is None:
            return None
        found = await connection.fetchrow(SILENCE, datetime.now(UTC) - SILENT_AFTER)
    assert found is not None
    heard = Silence(last_event_at=found["last_event_at"], moved_at=found["moved_at"])
    return heard.last_event_at, heard.silent


async def holds_demo(dsn: str) -> bool:
    """Whether somebody could sign in with a key of the demo's, which everybody knows.

    Raises DatabaseUnavailable.
    """
    known = [hashed(one.token) for one in CAST]
    query = "SELECT EXISTS (SELECT FROM api_keys WHERE token_hash = ANY($1) AND revoked_at IS NULL)"
    async with _connected(dsn) as connection:
        return bool(await connection.fetchval(query, known))


async def ask_stripe(api_base: str, secret_key: str) -> StripeAnswer:
    """Read the platform's balance: allowed to every key that can do our work.

    Raises httpx.HTTPError when no answer came.
    """
    import httpx

    async with httpx.AsyncClient(timeout=20) as client:
        asked_at = time.time()
        answer = await client.get(
            f"{api_base}/v1/balance", headers={"Authorization": f"Bearer {secret_key}"}
        )
        middle = (asked_at + time.time()) / 2
    body: Any = answer.json() if "json" in answer.headers.get("content-type", "") else {}
    stripes = answer.headers.get("date")
    return StripeAnswer(
        status=answer.status_code,
        live=body.get("livemode"),
        message=str(body.get("error", {}).get("message", "")),
        # A Date header is cut to the second: its middle is half a second later.
        skew_seconds=middle - parsedate_to_datetime(stripes).timestamp() - 0.5 if stripes else None,
    )


async def _ask(dsn: str, names: Sequence[str]) -> list[str]:
    async with _connected(dsn) as connection:
        return [await connection.fetchval("SELECT current_setting($1)", name) for name in names]


@asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    try:
        connection = await asyncpg.connect(dsn, timeout=10)
        try:
            yield connection
        finally:
            await connection.close()
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise DatabaseUnavailable(type(error).__name__) from error
