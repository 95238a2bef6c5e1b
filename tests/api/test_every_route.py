"""What holds for each route of the whole program: who is turned away, and that nothing breaks it.

Denied and malformed requests must change nothing: the rows of every table are counted before and after.
"""

import random
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import httpx
import msgspec
import pytest
import pytest_asyncio
from litestar import Litestar
from litestar.routes import HTTPRoute

from marketplace.api.cursors import FORMS
from marketplace.api.policies import Audience, Policy, handlers_of, policy_of
from marketplace.app import app_of
from marketplace.composition import compose
from marketplace.people.scopes import ADMIN_SCOPES, SCOPES, SIGNED_IN_ONLY
from tests.api.harness import (
    Browser,
    client_of,
    everything_stored,
    new_admin,
    serving,
    settings_for,
)
from tests.api.mutations import PIECES
from tests.clocks import MovedClock

UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
KEY = {"Idempotency-Key": "a-key-of-this-test"}


class Door(NamedTuple):
    """One method of one path, with what it asks of its caller."""

    method: str
    path: str
    policy: Policy
    takes_body: bool


class World(NamedTuple):
    """The whole program, and three kinds of callers who own nothing."""

    app: Litestar
    doors: list[Door]
    person: Browser
    admin: Browser


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(database_url: str) -> AsyncIterator[World]:
    clock = MovedClock()
    composition = compose(settings_for(database_url), clock)
    async with serving(app_of(composition)) as app:
        person = await Browser(app).sign_up("person@example.com")
        admin = await new_admin(app, clock)
        yield World(app, doors_of(app), person, admin)
    composition.services.people.close()


def doors_of(app: Litestar) -> list[Door]:
    return [
        Door(method, route.path_format, policy, handler.parsed_data_field is not None)
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for method, handler in handlers_of(route)
        if (policy := policy_of(handler)) is not None
    ]


def closed(world: World) -> list[Door]:
    return [
        door for door in world.doors if door.policy.audience in {Audience.SIGNED_IN, Audience.ADMIN}
    ]


def filled(path: str, value: str) -> str:
    while "{" in path:
        before, _, rest = path.partition("{")
        path = before + value + rest.partition("}")[2]
    return path


async def ask(http: httpx.AsyncClient, door: Door, value: str = "unknown") -> httpx.Response:
    return await http.request(door.method, filled(door.path, value), headers=KEY)


async def test_there_are_routes_for_every_audience(world: World) -> None:
    audiences = {door.policy.audience for door in world.doors}
    assert audiences == {Audience.ANYONE, Audience.SIGNED_IN, Audience.ADMIN}
    assert len(closed(world)) > 30


async def test_nobody_enters_a_closed_route_without_credentials(world: World) -> None:
    before = await everything_stored()
    strangers = [
        client_of(world.app),
        client_of(world.app, authorization="Bearer mk_test_unknown"),
        client_of(world.app, cookie="__Host-session=unknown"),
    ]
    for door in closed(world):
        for stranger in strangers:
            answer = await ask(stranger, door)
            assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in"), door
    assert await everything_stored() == before


async def test_only_admins_enter_the_admins_routes(world: World) -> None:
    doors = [door for door in world.doors if door.policy.audience is Audience.ADMIN]
    for door in doors:
        answer = await ask(world.person.http, door)
        assert (answer.status_code, answer.json()["code"]) == (403, "admins_only"), door
    assert all(
        door.policy.audience is Audience.ADMIN for door in world.doors if "/admin/" in door.path
    )


async def test_a_key_opens_only_what_its_scopes_name(world: World) -> None:
    every = [scope for scope in SCOPES if scope not in SIGNED_IN_ONLY]
    for door in closed(world):
        others = [scope for scope in every if scope != door.policy.scope]
        key = await one_key(world, tuple(others))
        answer = await ask(client_of(world.app, authorization=f"Bearer {key}"), door)
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing"), door


async def test_nothing_is_changed_without_the_csrf_token(world: World) -> None:
    before = await everything_stored()
    cookie = f"__Host-session={world.admin.http.cookies['__Host-session']}"
    bare = client_of(world.app, cookie=cookie)
    for door in closed(world):
        if door.method in UNSAFE:
            answer = await ask(bare, door)
            assert answer.json()["code"] == "csrf_refused", door
    assert await everything_stored() == before


@pytest.mark.parametrize(
    "value",
    ["unknown", "ord_00000000000000000000000000", "x" * 3000, "%20", "..%2F..", "é", "%27--"],
)
async def test_an_unknown_id_is_a_4xx_for_everybody(world: World, value: str) -> None:
    before = await everything_stored()
    for door in world.doors:
        if "{" not in door.path:
            continue
        for browser in (world.person, world.admin):
            answer = await ask(browser.http, door, value)
            # A page that anybody may look at says the same whoever the seller is.
            expected = range(200, 500) if door.path.endswith("/return") else range(400, 500)
            assert answer.status_code in expected, (door, answer.text)
    after = await everything_stored()
    assert {**after, "idempotent_requests": 0} == {**before, "idempotent_requests": 0}


async def test_every_body_may_be_mutated_and_nothing_breaks(world: World) -> None:
    document = (await client_of(world.app).get("/openapi.json")).json()
    before = await everything_stored()
    chance = random.Random(1121)
    asked = 0
    for door in world.doors:
        if not door.takes_body or door.path in COUNTED:
            continue
        operation = document["paths"][door.path][door.method.lower()]
        [media] = operation["requestBody"]["content"].values()
        [example] = [each["value"] for each in media["examples"].values()]
        for body in broken(chance, example, 120):
            http = world.admin.http if door.policy.audience is Audience.ADMIN else world.person.http
            answer = await http.request(
                door.method,
                filled(door.path, "unknown"),
                content=body,
                headers={"content-type": "application/json", "Idempotency-Key": f"fuzz-{asked}"},
            )
            asked += 1
            assert 400 <= answer.status_code < 500, (door, body, answer.text)
            assert answer.json()["code"] != "internal_error"
    assert asked >= 1000
    after = await everything_stored()
    assert {**after, "idempotent_requests": 0} == {**before, "idempotent_requests": 0}


COUNTED = {
    "/v1/accounts",
    "/v1/sessions",
    "/v1/me/password",
    "/v1/password-resets",
    "/v1/passwords",
    "/v1/email-proofs",
}
"""Where each try is a row of its own."""


async def test_every_query_parameter_may_be_nonsense(world: World) -> None:
    document = (await client_of(world.app).get("/openapi.json")).json()
    nonsense = [
        "",
        " ",
        "-1",
        "0",
        "99999999999999999999",
        "é",
        "'",
        "%",
        "null",
        "1e9",
        "x" * 2000,
    ]
    for door in world.doors:
        operation = document["paths"].get(door.path, {}).get(door.method.lower(), {})
        for parameter in operation.get("parameters", []):
            if parameter["in"] != "query" or door.method != "GET":
                continue
            for value in nonsense:
                answer = await world.admin.http.get(
                    filled(door.path, "unknown"), params={parameter["name"]: value}
                )
                assert answer.status_code < 500, (door, parameter["name"], value, answer.text)


async def test_every_list_refuses_to_start_after_what_is_none_of_its_items(world: World) -> None:
    """An empty page, or the first once more, would end or repeat a program's walk through a list."""
    document = (await client_of(world.app).get("/openapi.json")).json()
    lists = {
        door.path
        for door in world.doors
        for each in document["paths"].get(door.path, {}).get("get", {}).get("parameters", [])
        if each["name"] == "starting_after"
    }
    assert lists == set(FORMS)
    for path in lists:
        for value in ("", "garbage", "xyz_00000000000000000000000000", "ord_0", "ord_1'--"):
            answer = await world.admin.http.get(
                filled(path, "unknown"),
                params={"starting_after": value, **REQUIRED.get(path, {})},
            )
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter"), path
            assert [each["field"] for each in answer.json()["errors"]] == ["starting_after"], path


REQUIRED = {
    "/v1/admin/fees/summary": {"group_by": "seller"},
    "/v1/admin/fee-schedules/replays/{replay_id}/figures": {"by": "seller"},
    "/v1/admin/ledger/accounts/{account}/postings": {"currency": "eur"},
}
_KEYS: dict[tuple[str, ...], str] = {}


async def one_key(world: World, scopes: tuple[str, ...]) -> str:
    """An admin's key with these scopes, made once."""
    if scopes not in _KEYS:
        assert set(scopes) & ADMIN_SCOPES
        _KEYS[scopes] = await world.admin.api_key(*scopes)
    return _KEYS[scopes]


def broken(chance: random.Random, example: Any, count: int) -> list[bytes]:
    """Bodies that cannot be meant: a field of another type, one too many, or torn bytes."""
    whole = msgspec.json.encode(example)
    found: list[bytes] = [b"", b"null x", b'"text"', b"[]"]
    found.append(msgspec.json.encode({**example, "unknown_field": 1}))
    for name, value in example.items():
        wrong = [each for each in WRONG if isinstance(each, str) or type(each) is not type(value)]
        found += [msgspec.json.encode({**example, name: each}) for each in wrong]
    while len(found) < count:
        torn = bytearray(whole)
        at = chance.randrange(1, len(torn))
        torn[at:at] = chance.choice(PIECES)
        if is_torn(bytes(torn)):
            found.append(bytes(torn))
    return found


WRONG: list[Any] = [True, 1.5, -1, 0, [[]], {"x": {}}, "x" * 5000, "\0"]


def is_torn(body: bytes) -> bool:
    """Whether the piece fell where it cannot be read, and not into a text that merely reads otherwise."""
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return True
    return False
