"""A few thousand malformed requests on real things: always a 4xx that says why, and not one row changes.

`test_every_route.py` asks about things that do not exist; here the ids in the paths are real, the bodies are
good but for one fault, and whoever asks would otherwise have been let in. Seeded: the same each time.
"""

import random
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import msgspec
import pytest_asyncio

from marketplace.api.policies import Audience
from tests.faults.cast import Cast, Door, assembled, browser_of, everything_there_is
from tests.faults.ownership import OWNERS
from tests.stories.town import Person, running_town

JSON = {"Content-Type": "application/json"}
TRIES_EACH = 100
Body = tuple[bytes, dict[str, str]]
TAKES_LONG_TEXTS = {"/v1/disputes/{dispute_id}/evidence"}
"""Where a text that is far too long elsewhere is what somebody may have to say."""
MEANT = {
    ("/v1/admin/cases/{case_id}/assignment", b'{"owner":null}'),
    ("/v1/admin/switches/{switch_id}", b'{"expires_at":null,"reason":"it lasts"}'),
    ("/v1/admin/reconciliation-runs", b'{"since":null}'),
}
"""Where null says something: nobody looks after it, it lasts until somebody ends it, since the last run."""
MAKES_SENSE = {("/v1/admin/operations", "kind=boat")}
"""Nobody lists the kinds of operations: one that there is none of finds nothing."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def cast(database_url: str) -> AsyncIterator[Cast]:
    async with running_town(database_url) as town:
        yield await assembled(town)


def whose(cast: Cast, door: Door) -> Person:
    """Somebody whom the door lets in."""
    if door.policy.audience is Audience.ADMIN:
        return cast.admin
    owners = OWNERS.get(f"{door.method} {door.path}", frozenset({"buyer"}))
    return cast.buyer if "buyer" in owners and door.path != "/v1/listings" else cast.seller


def require_problem(door: Door, sent: object, answer: httpx.Response) -> None:
    """Assert a 4xx problem document with a code and the request's id."""
    told = (door.method, door.path, sent, answer.status_code, answer.text[:300])
    assert 400 <= answer.status_code < 500, told
    assert answer.headers["content-type"] == "application/problem+json", told
    problem = answer.json()
    assert problem["code"] != "internal_error", told
    assert problem["request_id"].startswith("req_"), told
    assert problem["status"] == answer.status_code, told


async def test_bodies_with_one_fault(cast: Cast) -> None:
    chance = random.Random(20261121)
    asked = 0
    before = await everything_there_is(cast)
    for door in cast.doors:
        if not door.takes_body:
            continue
        headers = browser_of(whose(cast, door))
        for body, more in faulty(chance, cast.body_of(door), TRIES_EACH):
            if door.path in TAKES_LONG_TEXTS and b"x" * 20_000 in body:
                continue
            if (door.path, body) in MEANT:
                continue
            answer = await cast.ask(door, {**headers, **JSON, **more}, content=body)
            require_problem(door, body[:300], answer)
            asked += 1
        assert await everything_there_is(cast) == before, (door.method, door.path)
    assert asked > 2000


async def test_bodies_where_there_should_be_none(cast: Cast) -> None:
    before = await everything_there_is(cast)
    for door in cast.doors:
        if door.takes_body or door.method not in {"POST", "DELETE"}:
            continue
        headers = browser_of(whose(cast, door))
        for body in (b'{"amount": 5}', b"[]", b"null", b"{", b"\xff", b"[" * 5000, b'"text"', b"0"):
            require_problem(door, body, await cast.ask(door, {**headers, **JSON}, content=body))
    assert await everything_there_is(cast) == before


async def test_ids_that_are_none(cast: Cast) -> None:
    """Foreign ones are asked for in the authorization matrix; these are not even ids."""
    strange = (
        "%00", "%ff%fe", "%ed%a0%80", "..%2f..%2fetc", "%2e%2e", "'%20OR%201=1--", "ord_",
        "ord_" + "0" * 26, "x" * 4000, "%F0%9F%A6%A6", "%0a%0d", "-1", "null", "%25s%25n", "*",
        cast.ids["order_id"].upper(), cast.ids["order_id"] + "%20", cast.ids["listing_id"] + "%00",
    )  # fmt: skip
    before = await everything_there_is(cast)
    for door in cast.doors:
        # A page that anybody may look at says the same whoever the seller is.
        if "{" not in door.path or door.path.endswith("/return"):
            continue
        # An account of the ledger is a name: one that nothing moved on has no postings.
        if "{account}" in door.path:
            continue
        headers = browser_of(whose(cast, door))
        body = {"json": cast.body_of(door)} if door.takes_body else {}
        for id in strange:
            answer = await cast.ask(door, headers, ids=dict.fromkeys(cast.ids, id), **body)
            require_problem(door, id, answer)
    assert await everything_there_is(cast) == before


async def test_queries_that_make_no_sense(cast: Cast) -> None:
    """An unknown parameter, or a known one with what it cannot be."""
    nonsense = (
        "limit=0", "limit=-1", "limit=101", "limit=1.5", "limit=true", "limit=",
        "limit=%00", "limit=5&limit=many", "limit=99999999999999999999", "limit=0x10", "limit=+",
        "starting_after=%ff", "starting_after=" + "x" * 200, "unknown=1", "Limit=5", "limit[]=5",
        "%00=1", "from=yesterday", "from=2026-02-30", "to=1e9", "group_by=colour", "kind=boat",
        "status=%00", "approval=maybe", "suspended=perhaps", "state=%ed%a0%80", "currency=euros",
        "q=", "q=" + "x" * 101, "__proto__=1",
    )  # fmt: skip
    before = await everything_there_is(cast)
    asked = 0
    for door in cast.doors:
        if door.method != "GET" or door.takes_any_query or door.path.endswith("/refresh"):
            continue
        path = door.path.format_map(cast.ids)
        for query in nonsense:
            if (door.path, query) in MAKES_SENSE:
                continue
            headers = browser_of(whose(cast, door))
            answer = await cast.http.get(f"{path}?{query}", headers=headers)
            require_problem(door, query, answer)
            asked += 1
    assert asked > 500
    assert await everything_there_is(cast) == before


async def test_headers_that_are_malformed(cast: Cast) -> None:
    person = browser_of(cast.buyer)
    door = next(d for d in cast.doors if (d.method, d.path) == ("POST", "/v1/orders"))
    good = {**person, **JSON}
    faults: list[list[tuple[str, bytes]]] = [
        [("idempotency-key", b"")],
        [("idempotency-key", b"x" * 256)],
        [("idempotency-key", b"a b")],
        [("idempotency-key", "schlüssel".encode())],
        [("idempotency-key", b"one"), ("idempotency-key", b"two")],
        [("x-csrf-token", person["X-CSRF-Token"].encode())] * 2,
        [("authorization", b"Bearer \xff")],
        [("cookie", b"__Host-session=\xff")],
        [("origin", b"https://evil.example")],
        [("origin", b"\xff")],
        [("sec-fetch-site", b"cross-site")],
        [("content-type", b"text/plain")],
        [("content-type", b"application/json; charset=utf-16")],
        [("content-type", b"\xff\xfe")],
        [("content-encoding", b"gzip")],
        [("x-padding", b"x" * 20_000)],
    ]
    before = await everything_there_is(cast)
    for fault in faults:
        names = {name for name, _ in fault}
        kept = [
            (name.lower(), value.encode())
            for name, value in good.items()
            if name.lower() not in names
        ]
        answer = await cast.http.post(
            door.path,
            json=cast.body_of(door),
            headers=httpx.Headers([*kept, *fault]),  # type: ignore[arg-type]
        )
        require_problem(door, fault, answer)
    assert await everything_there_is(cast) == before


# ------------------------------------------------------------------------------------ faulty bodies


def faulty(chance: random.Random, good: Any, count: int) -> Iterator[Body]:
    """Bodies that no reader may accept: torn as bytes, wrong as JSON, or one field that cannot be meant."""
    whole = msgspec.json.encode(good)
    yield from _badly_sent(whole)
    yield from ((body, {}) for body in _not_json(whole))
    for _ in range(count):
        yield (
            chance.choice((_torn, _wrong_field, _wrong_field, _one_too_many, _twice))(chance, good),
            {},
        )


def _badly_sent(whole: bytes) -> Iterator[Body]:
    yield whole, {"Content-Type": "text/plain"}
    yield whole, {"Content-Type": "application/x-www-form-urlencoded"}
    yield whole, {"Content-Type": "application/json; charset=latin-1"}
    yield whole, {"Content-Encoding": "gzip"}
    yield whole + b" " * 70_000, {}


def _not_json(whole: bytes) -> tuple[bytes, ...]:
    open_brace = b'{"unknown": '
    return (
        b"null", b"[]", b"0", b'""', b"true", b"NaN", b"Infinity", b"\x00", b"{", b"}",
        b"[" * 10_000, b'{"a":' * 10_000, open_brace + b"[" * 40 + b"]" * 40 + b"}",
        b"\xef\xbb\xbf" + whole, whole + whole, whole[:-1], whole.decode().encode("utf-16"),
        open_brace + b"1e999}", open_brace + b"9" * 400 + b"}", open_brace + b"1" * 50_000 + b"}",
        open_brace + b'"\\ud800"}', open_brace + b'"\\u0000"}', open_brace + b'"\xff"}',
    )  # fmt: skip


def _torn(chance: random.Random, good: Any) -> bytes:
    """A byte sequence that is nowhere allowed, somewhere; or an end too soon."""
    whole = bytearray(msgspec.json.encode(good))
    at = chance.randrange(1, len(whole))
    if chance.random() < 0.3:
        return bytes(whole[:at])
    whole[at:at] = chance.choice(
        (b"\xff", b"\x00", b"\xed\xa0\x80", b"\xc0\xaf", b"\x80", b"\n\x01")
    )
    return bytes(whole)


def _wrong_field(chance: random.Random, good: Any) -> bytes:
    """One value somewhere in the body replaced by what its field can never be."""
    changed = msgspec.json.decode(msgspec.json.encode(good))
    holder, name = chance.choice(list(_places(changed)))
    holder[name] = chance.choice(_never(holder[name]))
    return json_of(changed)


def _never(value: Any) -> list[Any]:
    everywhere: list[Any] = [[[]], {"x": {}}, RAW + "1e999", RAW + '"\\ud800"', RAW + "9" * 30]
    match value:
        case bool():
            return [*everywhere, 0, 1, "true"]
        case int():
            return [
                *everywhere,
                True,
                1.5,
                str(value),
                -1,
                -(2**63),
                2**63,
                RAW + f"{value}.0",
                None,
            ]
        case str():
            return [*everywhere, 0, True, 1.5, "\0", "x" * 20_000, "\ud800", RAW + "null"]
        case list():
            return [*everywhere, "text", 0, [None], [0]]
        case _:
            return [*everywhere, "text", 0, [], None]


def _one_too_many(chance: random.Random, good: Any) -> bytes:
    """A field that nobody knows, in some object of the body."""
    changed = msgspec.json.decode(msgspec.json.encode(good))
    objects = [changed, *(holder[name] for holder, name in _places(changed))]
    chosen = chance.choice([each for each in objects if isinstance(each, dict)])
    name = chance.choice(
        ("admin", "price", "status", "id", "total", "__class__", "", "é", "Amount")
    )
    chosen[name if name not in chosen else "unknown"] = chance.choice((1, None, "x", [], {}))
    return json_of(changed)


def _twice(chance: random.Random, good: Any) -> bytes:
    """The same field named two times."""
    name = chance.choice(list(good))
    again = json_of({name: chance.choice((good[name], None, 1))})
    return b"{" + json_of(good)[1:-1] + b"," + again[1:]


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in it that holds a value."""
    names: Any = value if isinstance(value, dict) else range(len(value))
    for name in names:
        yield value, name
        if isinstance(value[name], dict | list):
            yield from _places(value[name])


RAW = "raw json:"
"""Marks text that goes into the body as it stands, for what no encoder writes."""


def json_of(value: Any) -> bytes:
    """JSON with the marked texts as they stand, and lone surrogates as escapes."""
    if isinstance(value, dict):
        pairs = [json_of(str(name)) + b":" + json_of(each) for name, each in value.items()]
        return b"{" + b",".join(pairs) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(json_of(each) for each in value) + b"]"
    if isinstance(value, str) and value.startswith(RAW):
        return value[len(RAW) :].encode()
    if value == "\ud800":
        return b'"\\ud800"'
    return msgspec.json.encode(value)
