"""Every route, asked by everybody: what follows from the declared policy and from whose things they are.

Without credentials, or with ended ones: 401. Without the CSRF token, the scope, or the role: 403. With
another person's thing: 404, as if there were none. And nothing changes by any of it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from string import Formatter

import httpx
import pytest_asyncio

from marketplace.api.policies import Audience
from marketplace.people.scopes import grantable_scopes
from tests.faults import things
from tests.faults.cast import (
    UNSAFE,
    Cast,
    Door,
    assembled,
    browser_of,
    everything_there_is,
    key_of,
    program,
    session_of,
)
from tests.faults.ownership import OWNERS, SEEN_BUT_NOT_THEIRS
from tests.stories.town import Person, Town, a_client

NOT_FOR_BUYERS = frozenset(
    {
        *("application_fee", "fee_captured", "fee_refunded", "fee_returned", "processing_cost"),
        *("rule_ids", "schedule_id", "bearer", "held_reason", "prepare_by", "idempotency_key"),
        *("missing", "freeze_reason", "suspension_reason", "client_secret", "token_hash"),
    }
)
"""Members of answers that tell of fees, of how a seller stands, or of what is asked of Stripe."""
ENDS_THE_SESSION = {"/v1/sessions", "/v1/sessions/current", "/v1/me/password"}


@dataclass(frozen=True)
class Caller:
    """Somebody with something to show for themselves."""

    name: str
    relation: str
    headers: dict[str, str]
    ended: bool = False
    csrf: bool = True
    # The scopes of a program; None for a browser.
    scopes: frozenset[str] | None = None


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def cast(quiet_town: Town) -> AsyncIterator[Cast]:
    yield await assembled(quiet_town)


def named(door: Door) -> str:
    return f"{door.method} {door.path}"


def expected(door: Door, caller: Caller) -> tuple[int, str] | None:
    """The status and code of the refusal that this caller must get, or None: they are let in."""
    if not door.closed:
        return None
    if caller.relation == "nobody" or caller.ended:
        return 401, "not_signed_in"
    if caller.scopes is None and not caller.csrf and door.method in UNSAFE:
        return 403, "csrf_refused"
    if door.policy.audience is Audience.ADMIN and caller.relation != "admin":
        return 403, "admins_only"
    if caller.scopes is not None and door.policy.scope not in caller.scopes:
        return 403, "scope_missing"
    owners = OWNERS.get(named(door))
    if owners is None or (caller.relation in owners and not _keeps_the_admin_out(door, caller)):
        return None
    if (named(door), caller.relation) in SEEN_BUT_NOT_THEIRS:
        return 403, "seller_only"
    return 404, _not_found(door)


def _keeps_the_admin_out(door: Door, caller: Caller) -> bool:
    """Whether a key of an admin's lacks what makes others' things theirs to see, or to decide about."""
    reads = door.method == "GET" or door.path.endswith("/refresh")
    needed = "admin:read" if reads else "admin:write"
    return caller.relation == "admin" and caller.scopes is not None and needed not in caller.scopes


def _not_found(door: Door) -> str:
    kind = door.path.split("/")[2]
    if "{setup_id}" in door.path:
        return "card_setup_not_found"
    return {
        "cards": "card_not_found",
        "orders": "order_not_found",
        "listings": "listing_not_found",
        "sellers": "seller_not_found",
        "api-keys": "api_key_not_found",
        "checkout-groups": "checkout_group_not_found",
        "disputes": "dispute_not_found",
    }[kind]


async def callers_of(cast: Cast) -> list[Caller]:
    """Everybody, with everything that may and may not be shown."""
    people = {
        "buyer": cast.buyer,
        "seller": cast.seller,
        "admin": cast.admin,
        "other buyer": cast.other_buyer,
        "other seller": cast.other_seller,
    }
    found = [Caller("nobody", "nobody", {}), Caller("a stranger's key", "nobody", program("mk_x"))]
    for name, person in people.items():
        found.append(Caller(f"{name}, browser", name, browser_of(person)))
        found.append(Caller(f"{name}, no CSRF token", name, session_of(person), csrf=False))
        token, _ = await key_of(person)
        scopes = grantable_scopes(is_admin=name == "admin")
        found.append(Caller(f"{name}, program", name, program(token), scopes=scopes))
        found.append(await _with_a_revoked_key(name, person))
        found.append(await _with_an_expired_key(name, person))
        found.append(await _signed_out(name, person))
    every = grantable_scopes(is_admin=True)
    for scope in sorted(every):
        token, _ = await key_of(cast.admin, *sorted(every - {scope}))
        found.append(
            Caller(
                f"admin, program without {scope}", "admin", program(token), scopes=every - {scope}
            )
        )
    both = {**browser_of(cast.buyer), "Authorization": program("mk_x")["Authorization"]}
    found.append(Caller("two identities", "buyer", both, ended=True))
    cast.town.clock.move(minutes=2)
    return found


async def _with_a_revoked_key(name: str, person: Person) -> Caller:
    token, id = await key_of(person)
    answer = await person.call("DELETE", f"/v1/api-keys/{id}")
    assert answer.status_code == 204
    return Caller(f"{name}, revoked key", name, program(token), ended=True)


async def _with_an_expired_key(name: str, person: Person) -> Caller:
    token, _ = await key_of(person, lasts=timedelta(minutes=1))
    return Caller(f"{name}, expired key", name, program(token), ended=True)


async def _signed_out(name: str, person: Person) -> Caller:
    """Another browser of the person's, in which they have signed out again."""
    other = Person(person.town, a_client(base_url=person.town.base_url), person.email)
    person.town.browsers.append(other.http)
    await person.town.signs_in(other)
    headers = browser_of(other)
    answer = await other.call("DELETE", "/v1/sessions/current")
    assert answer.status_code == 200
    return Caller(f"{name}, signed out", name, headers, ended=True)


def judge(door: Door, caller: Caller, answer: httpx.Response) -> None:
    refusal = expected(door, caller)
    assert refusal is not None
    assert answer.headers["content-type"] == "application/problem+json", (door, caller)
    found = answer.status_code, answer.json()["code"]
    assert found == refusal, (named(door), caller.name, answer.text)
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


async def test_every_id_in_a_path_has_an_owner(cast: Cast) -> None:
    """A new route with an id in it must say here whose it is."""
    owned = {named(d) for d in cast.doors if d.closed and "{" in d.path and "/admin/" not in d.path}
    assert owned == set(OWNERS)
    assert len(cast.doors) > 50


async def test_every_door_can_be_asked(cast: Cast) -> None:
    """A new route says in `bodies.py` what it takes, and in `things.py` what its path names."""
    assert [named(d) for d in cast.doors if d.takes_body and not cast.has_body_of(d)] == []
    named_things = {name for d in cast.doors for _, name, *_ in Formatter().parse(d.path) if name}
    assert named_things - set(cast.ids) == set()


async def test_whoever_may_not_is_refused_and_changes_nothing(cast: Cast) -> None:
    callers = await callers_of(cast)
    asked = 0
    before = await everything_there_is(cast)
    for door in cast.doors:
        body = {"json": cast.body_of(door)} if door.takes_body else {}
        for caller in callers:
            if expected(door, caller) is not None:
                judge(door, caller, await cast.ask(door, caller.headers, **body))
                asked += 1
        assert await everything_there_is(cast) == before, named(door)
    assert asked > 900


async def test_a_buyer_reads_nothing_that_is_the_sellers_or_the_platforms(
    cast: Cast,
) -> None:
    asked = 0
    for door in cast.doors:
        if door.method == "GET" and door.policy.audience is not Audience.ADMIN:
            answer = await cast.ask(door, browser_of(cast.buyer))
            if answer.headers["content-type"] == "application/json" and "/openapi" not in door.path:
                told = {name for name in NOT_FOR_BUYERS if f'"{name}"' in answer.text}
                assert not told, (named(door), told, answer.text)
                asked += 1
    assert asked > 15


async def test_whoever_may_is_let_in(cast: Cast) -> None:
    """Not refused for who they are; what they ask for may still be impossible by now (409, 422)."""
    asked = 0
    for door in cast.doors:
        for caller in await _owners_of(cast, door):
            ids = await _fresh_ids(cast, door)
            body = {"json": cast.body_of(door)} if door.takes_body else {}
            answer = await cast.ask(door, caller.headers, ids=ids, **body)
            asked += 1
            assert answer.status_code in {200, 201, 202, 204, 303, 409, 422}, (
                named(door),
                caller.name,
                answer.text,
            )
    assert asked > 80


async def _owners_of(cast: Cast, door: Door) -> list[Caller]:
    """Those whom the door must let in, with a browser and, where a key may have the scope, a program."""
    people = {"buyer": cast.buyer, "seller": cast.seller, "admin": cast.admin}
    owners = OWNERS.get(named(door), frozenset(people))
    if door.policy.audience is Audience.ADMIN:
        owners = frozenset({"admin"})
    if door.path in ENDS_THE_SESSION and door.closed:
        guest = await cast.town.arrives("guest")
        return [Caller("a guest", "guest", browser_of(guest))]
    if not door.closed:
        return [Caller("nobody", "nobody", {})]
    found = []
    for name in sorted(owners):
        found.append(Caller(name, name, browser_of(people[name])))
        scope = door.policy.scope or ""
        if scope in grantable_scopes(is_admin=name == "admin"):
            scopes = {scope, "admin:read", "admin:write"} if name == "admin" else {scope}
            token = await cast.key(people[name], *sorted(scopes))
            found.append(Caller(f"{name}'s program", name, program(token)))
    return found


async def _fresh_ids(cast: Cast, door: Door) -> dict[str, str]:
    """Things that nobody has used up yet."""
    if door.method == "GET":
        return {}
    decided = door.path.endswith(("/approval", "/refusal", "/withdrawal"))
    makers: dict[str, Callable[[], Awaitable[str]]] = {
        "order_id": cast.held_order,
        "listing_id": lambda: cast.town.lists(cast.seller),
        "endpoint_id": cast.endpoint,
        "card_id": cast.card,
        "approval_id": cast.approval,
        "draft_id": lambda: cast.draft(submitted=decided),
        "credit_id": lambda: things.credit(cast.admin, cast.other_seller),
        "switch_id": lambda: things.switch(cast.admin, "onboarding", cast.other_seller),
    }
    for name, make in makers.items():
        lasts = name in {"endpoint_id", "switch_id"} and door.method != "DELETE"
        if f"{{{name}}}" in door.path and not lasts:
            return {name: await make()}
    if "{api_key_id}" in door.path:
        return {"api_key_id": (await key_of(cast.buyer, "orders:read"))[1]}
    if "/admin/" in door.path:
        # Suspended and rejected here, so not the one who is to sell.
        return {"seller_id": cast.other_seller.seller_id}
    return {}
