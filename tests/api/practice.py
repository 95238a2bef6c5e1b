"""Routes that exist for the tests of what all routes have in common."""

import asyncio
from typing import Annotated, Any

import asyncpg
import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Meta

from marketplace.api.idempotency import key_required
from marketplace.api.policies import admin, anyone, signed_in
from marketplace.api.principal import Principal
from payments.errors import CardDeclined, NotSent

DONE: list[str] = []
"""What was really done: a replay adds nothing."""

GATE = asyncio.Event()
"""Lets `POST /practice/slow` go on."""


class Line(msgspec.Struct, forbid_unknown_fields=True):
    thing: Annotated[str, Meta(max_length=20)]
    quantity: Annotated[int, Meta(ge=1, le=99)]


class Draft(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    title: Annotated[str, Meta(min_length=1, max_length=40)]
    amount: Annotated[int, Meta(ge=1)]
    lines: Annotated[list[Line], Meta(max_length=5)] = []
    note: str | None = None


@post("/practice/drafts", **signed_in("orders:write"))
async def make(
    data: JSONBody[Draft],
    principal: NamedDependency[Principal],
    idempotency_key: NamedDependency[str | None],
) -> dict[str, Any]:
    DONE.append(data.title)
    return {"title": data.title, "count": len(DONE), "key": idempotency_key}


@post("/practice/orders", **signed_in("orders:write"), **key_required())
async def make_once(data: JSONBody[Draft], idempotency_key: NamedDependency[str]) -> dict[str, Any]:
    DONE.append(data.title)
    return {"count": len(DONE), "key": idempotency_key}


@post("/practice/slow", **signed_in("orders:write"))
async def make_slowly(data: JSONBody[Draft]) -> dict[str, Any]:
    await GATE.wait()
    DONE.append(data.title)
    return {"count": len(DONE)}


@post("/practice/errors/{name:str}", **signed_in("orders:write"))
async def fail(name: FromPath[str]) -> None:
    DONE.append(name)
    raise ERRORS[name]


@post("/practice/bodyless", **signed_in("orders:write"))
async def act() -> dict[str, str]:
    return {"done": "yes"}


@get("/practice/list", **anyone())
async def read(
    limit: Annotated[int, QueryParameter(ge=1, le=100)] = 20, word: FromQuery[str] = ""
) -> dict[str, Any]:
    return {"limit": limit, "word": word}


@get("/practice/things/{thing_id:str}", **anyone())
async def read_one(thing_id: FromPath[str]) -> dict[str, str]:
    return {"thing_id": thing_id}


@get("/practice/admin", **admin("fees:read"))
async def review(principal: NamedDependency[Principal]) -> dict[str, str]:
    return {"account_id": principal.account_id}


ERRORS: dict[str, Exception] = {
    "bug": RuntimeError("sk_test_4242secret was here"),
    "declined": CardDeclined("card_declined", decline_code="insufficient_funds"),
    "stolen": CardDeclined("card_declined", decline_code="stolen_card"),
    "busy": NotSent("rate limited"),
    "deadlock": asyncpg.DeadlockDetectedError("deadlock detected"),
    "away": asyncpg.ConnectionDoesNotExistError("connection was closed"),
    "closed": asyncpg.InterfaceError("connection is closed"),
    "constraint": asyncpg.UniqueViolationError("duplicate key value"),
}

PRACTICE_ROUTES = [
    make,
    make_once,
    make_slowly,
    fail,
    act,
    read,
    read_one,
    review,
]
