"""Kill switches: what they stop, for whom, how long, and that all of it is on record."""

from datetime import timedelta
from typing import Any

import pytest
from litestar import Litestar

from marketplace.composition import Composition
from marketplace.oversight.errors import SwitchedOff
from marketplace.oversight.switches import end_expired, require_on
from marketplace.sellers.profile import NewSeller
from payments.database import execute
from tests.api.harness import Browser, a_person
from tests.clocks import MovedClock


@pytest.fixture(scope="module")
async def seller_id(app: Litestar, composition: Composition, clock: MovedClock) -> str:
    person = await a_person(app, "seller@example.com")
    profile = await composition.services.sellers.open_profile(
        person.account["id"],
        NewSeller(display_name="Ada", country="DE", currency="eur"),
        clock(),
    )
    return profile.id


@pytest.fixture(autouse=True)
async def _none(app: Litestar) -> None:
    await execute("DELETE FROM switches")


async def off(admin: Browser, **facts: Any) -> dict[str, Any]:
    body = {"operation": "checkout", "scope": "all", "reason": "Looked into"} | facts
    answer = await admin.post("/v1/admin/switches", body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def refused(
    seller_id: str, clock: MovedClock, operation: Any = "checkout", **more: Any
) -> bool:
    try:
        await require_on(operation, seller_id=seller_id, now=clock(), **more)
    except SwitchedOff:
        return True
    return False


@pytest.mark.parametrize("operation", ["checkout", "capture", "refund", "onboarding"])
async def test_a_switch_stops_its_operation_and_no_other(
    admin: Browser, clock: MovedClock, seller_id: str, operation: str
) -> None:
    await off(admin, operation=operation)
    others = {"checkout", "capture", "refund", "onboarding"} - {operation}
    assert await refused(seller_id, clock, operation)
    assert [await refused(seller_id, clock, other) for other in sorted(others)] == [False] * 3


@pytest.mark.parametrize(
    ("scope", "target", "stops"),
    [
        ("all", None, True),
        ("country", "DE", True),
        ("country", "FR", False),
        ("currency", "eur", True),
        ("currency", "usd", False),
        ("seller", "theirs", True),
    ],
)
async def test_a_scope_is_as_wide_as_it_says(
    admin: Browser,
    clock: MovedClock,
    seller_id: str,
    scope: str,
    target: str | None,
    stops: bool,
) -> None:
    named = {} if target is None else {"target": seller_id if target == "theirs" else target}
    await off(admin, scope=scope, **named)
    assert await refused(seller_id, clock, currency="eur") is stops
    assert await refused("sel_other", clock) is (scope == "all")


async def test_the_refusal_says_what_why_and_until_when(
    admin: Browser, clock: MovedClock, seller_id: str
) -> None:
    ends = clock() + timedelta(hours=1)
    await off(admin, reason="Fraud is looked into", expires_at=ends.isoformat())
    with pytest.raises(SwitchedOff) as refusal:
        await require_on("checkout", seller_id=seller_id, now=clock())
    told = refusal.value
    assert (told.operation, told.scope, told.reason, told.until) == (
        "checkout",
        "all",
        "Fraud is looked into",
        ends,
    )


async def test_it_ends_by_itself_at_its_time_and_that_is_on_record(
    admin: Browser, clock: MovedClock, seller_id: str
) -> None:
    made = await off(admin, expires_at=(clock() + timedelta(minutes=5)).isoformat())
    assert await refused(seller_id, clock)
    clock.move(minutes=5)
    assert not await refused(seller_id, clock)
    assert await end_expired(clock(), 10) == 1
    assert await end_expired(clock(), 10) == 0
    (shown,) = (await admin.get("/v1/admin/switches")).json()["data"]
    assert (shown["off"], shown["ended_by"]) == (False, "expiry")
    entries = (await admin.get("/v1/admin/audit", subject=made["id"])).json()["data"]
    assert {(entry["action"], entry["actor"]) for entry in entries} == {
        ("switch.off", admin.account["id"]),
        ("switch.on", "expiry"),
    }
    # The same may be switched off anew.
    await off(admin)


async def test_it_is_switched_on_again_by_hand_with_a_reason(
    admin: Browser, clock: MovedClock, seller_id: str
) -> None:
    made = await off(admin, scope="seller", target=seller_id)
    path = f"/v1/admin/switches/{made['id']}"
    assert (await admin.delete(path)).status_code == 400
    answer = await admin.http.delete(path, params={"reason": "It was nothing"})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["off"], answer.json()["ended_by"]) == (False, admin.account["id"])
    assert not await refused(seller_id, clock)
    again = await admin.http.delete(path, params={"reason": "It was nothing"})
    assert (again.status_code, again.json()["code"]) == (404, "switch_not_found")
    reasons = {
        entry["reason"]
        for entry in (await admin.get("/v1/admin/audit", subject=made["id"])).json()["data"]
    }
    assert reasons == {"Looked into", "It was nothing"}


async def test_it_lasts_longer_or_shorter_without_a_moment_in_between(
    admin: Browser, clock: MovedClock, seller_id: str
) -> None:
    made = await off(admin, expires_at=(clock() + timedelta(minutes=5)).isoformat())
    path = f"/v1/admin/switches/{made['id']}"
    later = (clock() + timedelta(minutes=10)).isoformat()
    answer = await admin.patch(path, {"expires_at": later, "reason": "Not solved"})
    assert (answer.status_code, answer.json()["off"]) == (200, True), answer.text
    clock.move(minutes=5)
    with pytest.raises(SwitchedOff) as refusal:
        await require_on("checkout", seller_id=seller_id, now=clock())
    assert refusal.value.retry_after_seconds == 300
    clock.move(minutes=5)
    assert not await refused(seller_id, clock)
    over = await admin.patch(path, {"expires_at": None, "reason": "Too late"})
    assert (over.status_code, over.json()["code"]) == (404, "switch_not_found")
    (changed,) = (await admin.get("/v1/admin/audit", action="switch.changed")).json()["data"]
    assert (changed["subject"], changed["reason"]) == (made["id"], "Not solved")
    assert changed["before"] == {"expires_at": made["expires_at"]}
    endless = await off(admin)
    path = f"/v1/admin/switches/{endless['id']}"
    past = await admin.patch(path, {"expires_at": clock().isoformat(), "reason": "now"})
    assert (past.status_code, past.json()["field"]) == (422, "expires_at")


async def test_the_other_admins_are_written(admin: Browser, second: Browser) -> None:
    ends = {"expires_at": "2099-11-21T09:00:00Z"}
    made = await off(admin, operation="refund", scope="currency", target="eur", **ends)
    await admin.http.delete(f"/v1/admin/switches/{made['id']}", params={"reason": "Solved"})
    told = [
        one
        for one in (await second.get("/v1/me/messages", limit=100)).json()["data"]
        if one["subject_id"] == made["id"]
    ]
    assert {one["kind"] for one in told} == {"operation_switched_off", "operation_switched_on"}
    (off_again,) = [one for one in told if one["kind"] == "operation_switched_off"]
    assert off_again["paragraphs"] == [
        "For currency eur.",
        "Until 21 November 2099, 09:00 UTC.",
        "What people are told: Looked into",
        "Any admin may switch it on again.",
    ]
    own = (await admin.get("/v1/me/messages", limit=100)).json()["data"]
    assert made["id"] not in {one["subject_id"] for one in own}


async def test_the_same_is_switched_off_once(admin: Browser) -> None:
    made = await off(admin, scope="country", target="DE")
    answer = await admin.post(
        "/v1/admin/switches",
        {"operation": "checkout", "scope": "country", "target": "DE", "reason": "again"},
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "switched_off_already")
    assert answer.json()["switch_id"] == made["id"]


async def test_those_that_stop_something_are_listed(admin: Browser, clock: MovedClock) -> None:
    on = await off(admin)
    await off(admin, operation="refund", expires_at=(clock() + timedelta(minutes=1)).isoformat())
    clock.move(minutes=2)
    listed = (await admin.get("/v1/admin/switches", off=True)).json()["data"]
    assert [each["id"] for each in listed] == [on["id"]]
    everything = (await admin.get("/v1/admin/switches")).json()["data"]
    assert len(everything) == 2


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"scope": "all", "target": "DE"}, "switch_refused", "target"),
        ({"scope": "country"}, "switch_refused", "target"),
        ({"scope": "country", "target": "XX"}, "switch_refused", "target"),
        ({"scope": "currency", "target": "EUR"}, "switch_refused", "target"),
        ({"scope": "currency", "target": "xyz"}, "switch_refused", "target"),
        ({"scope": "seller", "target": "sel_nothing"}, "switch_refused", "target"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "switch_refused", "expires_at"),
        ({"expires_at": "2030-01-01T00:00:00"}, None, None),
        ({"operation": "payout"}, None, None),
        ({"scope": "world"}, None, None),
        ({"reason": ""}, None, None),
        ({"reason": "   "}, "reason_required", None),
        ({"surprise": 1}, None, None),
    ],
)
async def test_what_would_stop_nothing_is_refused(
    admin: Browser, body: dict[str, Any], code: str | None, field: str | None
) -> None:
    facts = {"operation": "checkout", "scope": "all", "reason": "why not"} | body
    answer = await admin.post("/v1/admin/switches", facts)
    assert answer.status_code == (400 if code is None else 422), answer.text
    assert answer.json()["code"] == (code or "invalid_body")
    assert field is None or answer.json()["field"] == field
    assert (await admin.get("/v1/admin/switches")).json()["data"] == []


async def test_switches_are_for_admins(app: Litestar) -> None:
    buyer = await a_person(app, "buyer@example.com")
    assert (await buyer.get("/v1/admin/switches")).status_code == 403
    answer = await buyer.post(
        "/v1/admin/switches", {"operation": "checkout", "scope": "all", "reason": "mine"}
    )
    assert answer.status_code == 403
