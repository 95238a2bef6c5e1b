"""The inbox over HTTP: admins look up what came, and have it worked on again."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from litestar import Litestar

from marketplace.oversight import inbox_news
from marketplace.oversight.retention import Retention
from payments.database import execute, rows, transaction, value
from payments.event_catch_up import EventsMissed
from payments.inbox import EventsGivenUp
from tests.api.harness import Browser, client_of
from tests.clocks import MovedClock

PAYLOAD = '{"id":"evt_x","data":{"object":{"id":"ch_1","client_secret":null}}}'


async def an_event(clock: MovedClock, **facts: Any) -> str:
    """A row of the inbox; dead unless told otherwise. Each is received a second after the last."""
    received = clock.move(seconds=1)
    told = {
        "event_id": f"evt_{int(received.timestamp() * 1000)}",
        "account": None,
        "door": "platform",
        "type": "charge.refunded",
        "object_id": "ch_1",
        "livemode": False,
        "payload": PAYLOAD,
        "state": "dead",
        "attempts": 14,
        "due_at": None,
        "received_at": received,
        "concluded_at": received,
        "note": "no such payment yet",
    } | facts
    names = ", ".join(told)
    places = ", ".join(f"${place + 1}" for place in range(len(told)))
    await execute(f"INSERT INTO stripe_events ({names}) VALUES ({places})", *told.values())
    return str(told["event_id"])


async def due(event_id: str) -> str:
    found: str = await value("SELECT state FROM stripe_events WHERE event_id = $1", event_id)
    return found


@pytest.fixture(autouse=True)
async def _empty(app: Litestar) -> None:
    # Append-only for the program; a test begins with none.
    await execute("ALTER TABLE missed_events DISABLE TRIGGER USER")
    for table in ("stripe_events", "missed_events", "messages"):
        await execute(f"TRUNCATE {table}")


async def ids(admin: Browser, **query: Any) -> list[str]:
    answer = await admin.get("/v1/admin/events", **query)
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["data"]]


async def test_events_are_listed_the_last_received_first_page_by_page(
    admin: Browser, clock: MovedClock
) -> None:
    made = [await an_event(clock) for _ in range(5)]
    assert await ids(admin) == made[::-1]
    first = (await admin.get("/v1/admin/events", limit=2)).json()
    assert ([each["id"] for each in first["data"]], first["has_more"]) == (made[:2:-1], True)
    assert await ids(admin, limit=9, starting_after=made[3]) == made[2::-1]


async def test_events_are_found_by_everything_they_have(admin: Browser, clock: MovedClock) -> None:
    dead = await an_event(clock)
    began = clock()
    ours = await an_event(
        clock, type="payout.paid", account="acct_1", door="connect", object_id="po_1"
    )
    done = await an_event(clock, state="done", note=None, type="charge.captured")
    assert await ids(admin, state="dead") == [ours, dead]
    assert await ids(admin, type="payout.paid") == [ours]
    assert await ids(admin, type="charge.*") == [done, dead]
    assert await ids(admin, object_id="po_1") == [ours]
    assert await ids(admin, account="acct_1") == [ours]
    assert await ids(admin, received_from=(began + timedelta(seconds=2)).isoformat()) == [done]
    assert await ids(admin, received_to=(began + timedelta(seconds=1)).isoformat()) == [dead]
    assert await ids(admin, type="charge_") == []  # no pattern but the star


@pytest.mark.parametrize(
    "query",
    [
        {"state": "lost"},
        {"received_from": "yesterday"},
        {"type": "x" * 200},
        {"limit": "0"},
        {"surprise": "1"},
    ],
)
async def test_a_malformed_filter_is_refused(admin: Browser, query: dict[str, str]) -> None:
    answer = await admin.get("/v1/admin/events", **query)
    assert answer.status_code == 400, answer.text


async def test_a_range_that_ends_before_it_begins_is_refused(admin: Browser) -> None:
    answer = await admin.get(
        "/v1/admin/events", received_from="2026-11-21T10:00:00Z", received_to="2026-11-21T09:00:00"
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "range_refused")


async def test_one_event_shows_what_became_of_it_and_what_stripe_sent(
    admin: Browser, clock: MovedClock
) -> None:
    event_id = await an_event(clock)
    shown = (await admin.get(f"/v1/admin/events/{event_id}")).json()
    assert (shown["event"]["state"], shown["event"]["attempts"]) == ("dead", 14)
    assert shown["event"]["note"] == "no such payment yet"
    assert shown["payload"]["data"]["object"] == {"id": "ch_1", "client_secret": None}
    assert shown["missed"] is False
    answer = await admin.get("/v1/admin/events/evt_nothing")
    assert (answer.status_code, answer.json()["code"]) == (404, "event_not_found")


async def test_one_event_is_worked_on_again_and_it_is_on_record(
    admin: Browser, clock: MovedClock
) -> None:
    event_id = await an_event(clock)
    answer = await admin.post(f"/v1/admin/events/{event_id}/replay")
    assert answer.status_code == 200, answer.text
    replayed = answer.json()
    assert (replayed["state"], replayed["attempts"]) == ("due", 0)
    assert replayed["replayed_at"] is not None
    (entry,) = (await admin.get("/v1/admin/audit", subject=event_id)).json()["data"]
    assert (entry["action"], entry["actor"]) == ("event.replayed", admin.account["id"])
    assert entry["before"] == {"state": "dead", "note": "no such payment yet"}
    missing = await admin.post("/v1/admin/events/evt_nothing/replay")
    assert missing.status_code == 404


async def test_many_are_replayed_by_filter_and_counted(admin: Browser, clock: MovedClock) -> None:
    dead = [await an_event(clock) for _ in range(3)]
    other = await an_event(clock, state="done", note=None)
    answer = await admin.post(
        "/v1/admin/events/replay", {"state": "dead", "reason": "The database was full"}
    )
    last = max(dead)
    assert (answer.status_code, answer.json()) == (
        200,
        {"count": 3, "more": False, "last_id": last},
    )
    assert [await due(each) for each in dead] == ["due"] * 3
    assert await due(other) == "done"
    (entry,) = (await admin.get("/v1/admin/audit", action="events.replayed")).json()["data"]
    assert (entry["reason"], entry["after"]["count"]) == ("The database was full", 3)


async def test_a_thousand_at_once_and_no_more(admin: Browser, clock: MovedClock) -> None:
    await execute(
        "INSERT INTO stripe_events (event_id, door, type, livemode, payload, state, attempts, "
        "received_at, concluded_at) SELECT 'evt_' || n, 'platform', 'charge.refunded', false, '{}', "
        "'dead', 1, $1, $1 FROM generate_series(1, 1001) AS n",
        clock(),
    )
    # By a filter that they fit afterwards too: it goes on instead of beginning again.
    wanted = {"type": "charge.refunded"}
    first = (await admin.post("/v1/admin/events/replay", wanted)).json()
    assert (first["count"], first["more"]) == (1000, True)
    await execute(
        "UPDATE stripe_events SET state = 'done', due_at = NULL, concluded_at = received_at "
        "WHERE state = 'due'"
    )
    rest = {**wanted, "starting_after": first["last_id"]}
    second = (await admin.post("/v1/admin/events/replay", rest)).json()
    assert (second["count"], second["more"]) == (1, False)
    assert await value("SELECT count(*) FROM stripe_events WHERE replayed_at IS NULL") == 0
    rest["starting_after"] = "evt_nothing"
    answer = await admin.post("/v1/admin/events/replay", rest)
    assert (answer.status_code, answer.json()["code"]) == (404, "event_not_found")


async def test_what_is_not_done_is_counted_by_its_trouble(
    admin: Browser, clock: MovedClock
) -> None:
    for note in ("NotSent: busy", "no such payment yet"):
        last = await an_event(clock, note=note)
    await an_event(clock, state="due", due_at=clock(), concluded_at=None, attempts=2, note=None)
    await an_event(clock, state="done", note=None)
    told = (await admin.get("/v1/admin/events/unfinished")).json()["data"]
    assert [(one["state"], one["count"], one["attempts"], one["note"]) for one in told] == [
        ("dead", 2, 14, "no such payment yet"),
        ("due", 1, 2, None),
    ]
    await admin.post(f"/v1/admin/events/{last}/replay")
    told = (await admin.get("/v1/admin/events/unfinished")).json()["data"]
    assert {(one["state"], one["count"], one["replayed"]) for one in told} == {
        ("dead", 1, 0),
        ("due", 2, 1),
    }


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "filter_required"),
        ({"reason": "all of them"}, 422, "filter_required"),
        (
            {"received_from": "2026-11-21T10:00:00Z", "received_to": "2026-11-21T10:00:00Z"},
            422,
            "range_refused",
        ),
        ({"state": "lost"}, 400, "invalid_body"),
        ({"received_from": "2026-11-21T10:00:00"}, 400, "invalid_body"),
        ({"everything": True}, 400, "invalid_body"),
    ],
)
async def test_a_replay_says_on_which(
    admin: Browser, body: dict[str, Any], status: int, code: str
) -> None:
    answer = await admin.post("/v1/admin/events/replay", body)
    assert answer.status_code == status, answer.text
    assert answer.json()["code"] == code


async def test_what_never_came_is_reported(admin: Browser, clock: MovedClock) -> None:
    event_id = await an_event(clock, state="due", concluded_at=None, due_at=clock())
    await execute(
        "INSERT INTO missed_events (event_id, door, type, object_id, happened_at, found_at) "
        "VALUES ($1, 'platform', 'charge.refunded', 'ch_1', $2, $3)",
        event_id,
        clock() - timedelta(hours=2),
        clock(),
    )
    report = (await admin.get("/v1/admin/events/gaps")).json()
    assert [(each["id"], each["type"]) for each in report["data"]] == [
        (event_id, "charge.refunded")
    ]
    assert report["has_more"] is False
    assert (await admin.get(f"/v1/admin/events/{event_id}")).json()["missed"] is True


@pytest.mark.parametrize("path", ["/v1/admin/events", "/v1/admin/events/gaps"])
async def test_the_inbox_is_for_admins(app: Litestar, path: str) -> None:
    buyer = await Browser(app).sign_up(f"buyer.{path.count('/')}@example.com")
    assert (await buyer.get(path)).status_code == 403
    assert (await client_of(app).get(path)).status_code == 401


class TestNews:
    """What admins are written about the inbox."""

    async def kinds(self) -> list[str]:
        return [each["kind"] for each in await rows("SELECT kind FROM messages ORDER BY id")]

    async def test_dead_events_are_told_once_an_hour_for_each_type(self, admin: Browser) -> None:
        """After a bad night there are thousands about as many objects: one mail, not thousands."""
        for type, hour, minute in (
            ("charge.refunded", 3, 0),
            ("charge.refunded", 3, 59),
            ("payout.paid", 3, 59),
            ("charge.refunded", 4, 0),
        ):
            fact = EventsGivenUp(
                event_ids=(f"evt_{minute}",),
                type=type,
                note="Boom",
                occurred_at=datetime(2026, 11, 21, hour, minute, tzinfo=UTC),
            )
            async with transaction():
                await inbox_news.tell_given_up(fact)
        assert await self.kinds() == ["events_given_up"] * 3
        told = (await admin.get("/v1/me/messages")).json()["data"][-1]
        assert "of type charge.refunded" in " ".join(told["paragraphs"])

    async def test_missed_events_are_told_once_a_day(
        self, admin: Browser, clock: MovedClock
    ) -> None:
        for _ in range(3):
            async with transaction():
                await inbox_news.tell_missed(
                    EventsMissed(
                        count=2, feed="platform", types=("charge.refunded",), occurred_at=clock()
                    )
                )
        assert await self.kinds() == ["events_missed"]

    async def test_a_silence_is_told_once(self, admin: Browser, clock: MovedClock) -> None:
        await inbox_news.watch_silence(clock(), 1)
        assert await self.kinds() == []
        await _an_attempt(clock() - timedelta(hours=2))
        for _ in range(2):
            await inbox_news.watch_silence(clock(), 1)
        assert await self.kinds() == ["stripe_silent"]
        await an_event(clock)
        for _ in range(2):
            await inbox_news.watch_silence(clock(), 1)
        assert await self.kinds() == ["stripe_silent", "stripe_heard"]


async def _an_attempt(at: datetime) -> None:
    """A bank was asked, of which Stripe would have told us."""
    await execute("ALTER TABLE attempts DROP CONSTRAINT IF EXISTS attempts_payment_id_exists")
    await execute(
        "INSERT INTO attempts (id, payment_id, order_id, reference, outcome, occurred_at) "
        "VALUES ('att_1', 'pay_1', 'ord_1', 'ch_1', 'captured', $1)",
        at,
    )


async def test_only_ignored_events_are_forgotten_after_their_time(
    admin: Browser, clock: MovedClock
) -> None:
    forgetting = Retention(messages_days=1, webhooks_days=1, ignored_events_days=90)
    kept = [
        await an_event(clock, state=state, note=None, received_at=clock() - timedelta(days=91))
        for state in ("done", "dead")
    ]
    young = await an_event(clock, state="ignored", received_at=clock() - timedelta(days=89))
    await an_event(clock, state="ignored", received_at=clock() - timedelta(days=91))
    assert await forgetting.forget_ignored_events(clock(), 10) == 1
    assert sorted(await ids(admin)) == sorted([*kept, young])
