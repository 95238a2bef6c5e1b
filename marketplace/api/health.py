"""Is the process alive, and can it serve? For load balancers and for the person on call."""

import asyncio
import re
import time
from functools import cache
from pathlib import Path
from typing import Annotated

import asyncpg
import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from msgspec import Meta

from marketplace.api.policies import anyone
from payments.database import LOST, rows
from piccolo_conf import APP_CONFIG

# A load balancer asks again in seconds; a database that needs longer is not ready.
_PATIENCE_SECONDS = 2

_ID = re.compile(r'^ID = "(.+)"$', re.MULTILINE)


class LiveAnswer(msgspec.Struct, kw_only=True):
    """The process answers."""

    status: Annotated[str, Meta(examples=["live"])] = "live"


class DatabaseHealth(msgspec.Struct, kw_only=True):
    """A round trip to PostgreSQL: `ok` or `unavailable`, and its milliseconds."""

    status: Annotated[str, Meta(examples=["ok"])]
    round_trip_ms: Annotated[float | None, Meta(examples=[0.7])] = None


class MigrationHealth(msgspec.Struct, kw_only=True):
    """`ok`, `pending` (run `marketplace migrate`) or `unknown`, and what is pending."""

    status: Annotated[str, Meta(examples=["ok"])]
    pending: list[str] = []


class ReadyAnswer(msgspec.Struct, kw_only=True):
    """`ready`, or `not_ready` with a 503."""

    status: Annotated[str, Meta(examples=["ready"])]
    database: DatabaseHealth
    migrations: MigrationHealth


@get("/health/live", **anyone(), summary="Is the process alive")
async def live() -> LiveAnswer:
    """Answers as long as the process does; restart it when this fails."""
    return LiveAnswer()


@get(
    "/health/ready",
    **anyone(),
    summary="Can it serve",
    responses={503: ResponseSpec(ReadyAnswer, description="Not ready: what is missing.")},
)
async def ready() -> Response[ReadyAnswer]:
    """Whether the database answers and has every migration; send requests elsewhere when this is 503."""
    answer = await _readiness()
    return Response(answer, status_code=200 if answer.status == "ready" else 503)


async def _readiness() -> ReadyAnswer:
    started = time.perf_counter()
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            applied = await _applied_migrations()
    except LOST:  # TimeoutError is among them
        return ReadyAnswer(
            status="not_ready",
            database=DatabaseHealth(status="unavailable"),
            migrations=MigrationHealth(status="unknown"),
        )
    database = DatabaseHealth(
        status="ok", round_trip_ms=round((time.perf_counter() - started) * 1000, 1)
    )
    pending = [each for each in _known_migrations() if each not in applied]
    return ReadyAnswer(
        status="not_ready" if pending else "ready",
        database=database,
        migrations=MigrationHealth(status="pending" if pending else "ok", pending=pending),
    )


async def _applied_migrations() -> set[str]:
    """The migrations the database has had; none when nobody has migrated it yet."""
    try:
        found = await rows("SELECT name FROM migration WHERE app_name = $1", APP_CONFIG.app_name)
    except asyncpg.UndefinedTableError:
        return set()
    return {each["name"] for each in found}


@cache
def _known_migrations() -> tuple[str, ...]:
    """The migrations this program came with, by id, read without running them."""
    folder = Path(APP_CONFIG.resolved_migrations_folder_path)
    found = (_ID.search(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.py")))
    return tuple(match.group(1) for match in found if match)


ROUTES: list[HTTPRouteHandler] = [live, ready]
