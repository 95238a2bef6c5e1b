"""The audit log: searched by who, what, about whom, when, why and in which request; exported whole."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from litestar import Litestar

from marketplace.oversight import audit
from marketplace.oversight.request_id import REQUEST_ID
from payments.database import transaction
from tests.api.harness import Browser, a_person, new_admin
from tests.clocks import MovedClock

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


async def entry(**facts: Any) -> None:
    told: dict[str, Any] = {
        "actor": "acc_1",
        "action": "seller.suspended",
        "subject": "sel_1",
        "now": LONG_AGO,
        "reason": "Several buyers were not served",
    }
    async with transaction():
        await audit.record(**(told | facts))


@pytest.fixture(scope="module", autouse=True)
async def _entries(app: Litestar) -> None:
    await entry()
    await entry(action="seller.approved", subject="sel_2", reason="100%_sure", actor="acc_2")
    await entry(action="switch.off", subject="swi_1", now=LONG_AGO + timedelta(days=1), reason=None)
    token = REQUEST_ID.set("req_of_this")
    await entry(
        action="event.replayed",
        subject="evt_1",
        now=LONG_AGO + timedelta(days=2),
        reason='=HYPERLINK("http://evil")',
        before={"state": "dead"},
    )
    REQUEST_ID.reset(token)


async def found(admin: Browser, **query: Any) -> set[str]:
    answer = await admin.get(
        "/v1/admin/audit", **({"to": (LONG_AGO + timedelta(days=9)).isoformat()} | query)
    )
    assert answer.status_code == 200, answer.text
    return {each["subject"] for each in answer.json()["data"]}


async def test_an_entry_says_with_which_key_a_program_acted(
    app: Litestar, clock: MovedClock, admin: Browser
) -> None:
    person = await new_admin(app, clock, "keys@example.com")
    made = (
        await person.post(
            "/v1/api-keys", {"name": "Robot", "scopes": ["admin:read", "admin:write"]}
        )
    ).json()
    robot = Browser(app)
    robot.http.headers["Authorization"] = f"Bearer {made['token']}"
    for browser in (robot, person):
        answer = await browser.post(
            "/v1/admin/switches", {"operation": "refund", "scope": "all", "reason": "drill"}
        )
        assert answer.status_code == 201, answer.text
        await browser.delete(f"/v1/admin/switches/{answer.json()['id']}?reason=over")
    theirs = {"actor": person.account["id"], "action": "switch.*"}
    told = (await admin.get("/v1/admin/audit", **theirs)).json()["data"]
    key = made["api_key"]["id"]
    assert [each["api_key_id"] for each in told] == [None, None, key, key]
    by_key = (await admin.get("/v1/admin/audit", api_key_id=key)).json()["data"]
    assert by_key == told[2:]


async def test_entries_are_found_by_everything_they_have(admin: Browser) -> None:
    assert await found(admin) == {"sel_1", "sel_2", "swi_1", "evt_1"}
    assert await found(admin, actor="acc_2") == {"sel_2"}
    assert await found(admin, action="seller.suspended") == {"sel_1"}
    assert await found(admin, action="seller.*") == {"sel_1", "sel_2"}
    assert await found(admin, subject="swi_1") == {"swi_1"}
    assert await found(admin, request_id="req_of_this") == {"evt_1"}
    assert await found(admin, reason="buyers WERE not") == {"sel_1"}
    assert await found(admin, reason="0%_s") == {"sel_2"}  # no pattern: just these letters
    assert await found(admin, reason="%%") == set()
    assert await found(admin, **{"from": "2026-01-02T00:00:00Z"}) == {"swi_1", "evt_1"}
    assert await found(admin, to="2026-01-02T00:00:00") == {"sel_1", "sel_2"}
    assert await found(admin, action="seller.*", actor="acc_1") == {"sel_1"}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, 422),
        ({"from": "last week"}, 400),
        ({"reason": "x"}, 400),
        ({"who": "acc_1"}, 400),
    ],
)
async def test_a_malformed_search_is_refused_in_both_shapes(
    admin: Browser, query: dict[str, str], status: int
) -> None:
    for path in ("/v1/admin/audit", "/v1/admin/audit/csv"):
        assert (await admin.get(path, **query)).status_code == status


async def test_the_log_is_exported_whole_and_no_cell_is_a_formula(admin: Browser) -> None:
    answer = await admin.get("/v1/admin/audit/csv", to="2026-01-09T00:00:00Z")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "audit.csv" in answer.headers["content-disposition"]
    header, *lines, end = csv.reader(io.StringIO(answer.text))
    assert header[:5] == ["id", "occurred_at", "actor", "action", "subject"]
    assert end == ["end", "4"]
    assert {line[4] for line in lines} == {"sel_1", "sel_2", "swi_1", "evt_1"}
    (replayed,) = [line for line in lines if line[4] == "evt_1"]
    assert replayed[5] == '\'=HYPERLINK("http://evil")'
    assert replayed[7] == '{"state":"dead"}'


async def test_a_log_longer_than_a_piece_is_exported_to_its_end(admin: Browser) -> None:
    async with transaction():
        for number in range(1_100):
            await audit.record(
                actor="acc_many",
                action="seller.approved",
                subject=f"sel_many_{number}",
                now=LONG_AGO,
            )
    answer = await admin.get("/v1/admin/audit/csv", actor="acc_many")
    *lines, end = csv.reader(io.StringIO(answer.text))
    assert end == ["end", "1100"]
    assert len({line[4] for line in lines[1:]}) == 1_100


async def test_the_log_is_for_admins(app: Litestar) -> None:
    buyer = await a_person(app, "buyer@example.com")
    for path in ("/v1/admin/audit", "/v1/admin/audit/csv"):
        assert (await buyer.get(path)).status_code == 403
