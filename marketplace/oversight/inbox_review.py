"""What Stripe told us: admins look events up, see what became of them, and have them worked on again."""

from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from marketplace.oversight import audit
from marketplace.oversight.errors import EventNotFound, FilterRequired, RangeRefused
from marketplace.paging import Page, PageRequest
from payments import inbox
from payments.database import row, rows, transaction

EventState = Literal["due", "waiting", "done", "ignored", "dead"]
REPLAYED_AT_ONCE: Final = 1000
"""As many events are replayed by one request at most: ask again for more."""
_SHOWN: Final = 200
"""Kinds of unfinished events that are shown; Stripe has about as many types."""

_LISTED = (
    "e.event_id AS id, e.account, e.door, e.type, e.object_id, e.livemode, e.state, e.attempts, "
    "e.received_at, e.due_at, e.concluded_at, e.replayed_at, e.note"
)
_FITS = (
    "($1::text IS NULL OR state = $1) "
    # What is open has an index of its own.
    "AND ($1::text IS NULL OR $1 NOT IN ('due', 'waiting') OR due_at IS NOT NULL) "
    "AND ($2::text IS NULL OR type = $2 OR (right($2, 1) = '*' AND starts_with(type, rtrim($2, '*')))) "
    "AND ($3::text IS NULL OR object_id = $3) AND ($4::text IS NULL OR account = $4) "
    "AND ($5::timestamptz IS NULL OR received_at >= $5) "
    "AND ($6::timestamptz IS NULL OR received_at < $6)"
)


class EventFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which events; None leaves a field open. `type` may end in `*`."""

    state: EventState | None = None
    type: str | None = None
    object_id: str | None = None
    account: str | None = None
    received_from: datetime | None = None
    received_to: datetime | None = None

    def arguments(self) -> tuple[Any, ...]:
        """As `_FITS` numbers them. Raises RangeRefused."""
        begins, ends = self.received_from, self.received_to
        if begins is not None and ends is not None and ends <= begins:
            raise RangeRefused(begins, ends)
        return (self.state, self.type, self.object_id, self.account, begins, ends)


class ListedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event and what became of it. `note` says what went wrong the last time it was worked on."""

    id: str
    account: str | None
    door: str
    type: str
    object_id: str | None
    livemode: bool
    state: EventState
    attempts: int
    received_at: datetime
    # When it is worked on next; None once it is concluded.
    due_at: datetime | None
    concluded_at: datetime | None
    replayed_at: datetime | None
    note: str | None


class EventDetails(msgspec.Struct, frozen=True, kw_only=True):
    """An event with what Stripe sent (client secrets were cut out before it was stored)."""

    event: ListedEvent
    # Whether it was never delivered, and found in Stripe's list.
    missed: bool
    payload: str


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """How many are due again, whether more fit the filter, and after which event those come."""

    count: int
    more: bool
    last_id: str | None


class Unfinished(msgspec.Struct, frozen=True, kw_only=True):
    """Events of one type that are in one state, and not done: how many, and what their trouble is.

    `replayed` of them were made due again by a person; `note` is what went wrong with the last received.
    """

    state: EventState
    type: str
    count: int
    replayed: int
    attempts: int
    oldest_received_at: datetime
    note: str | None


async def list_events(wanted: EventFilter, page: PageRequest) -> Page[ListedEvent]:
    """Events, the last received first. Raises RangeRefused."""
    found = await rows(
        f"SELECT {_LISTED} FROM stripe_events e WHERE {_FITS} AND ($7::text IS NULL "
        "OR (received_at, event_id) < "
        "  (SELECT c.received_at, c.event_id FROM stripe_events c WHERE c.event_id = $7)) "
        "ORDER BY received_at DESC, event_id DESC LIMIT $8",
        *wanted.arguments(),
        page.starting_after,
        page.fetched,
    )
    return Page.cut([ListedEvent(**each) for each in found], page)


async def event(event_id: str) -> EventDetails:
    """One event with its payload. Raises EventNotFound."""
    found = await row(
        f"SELECT {_LISTED}, e.payload, EXISTS (SELECT FROM missed_events m "
        "  WHERE m.event_id = e.event_id) AS missed FROM stripe_events e WHERE event_id = $1",
        event_id,
    )
    if found is None:
        raise EventNotFound(event_id)
    told = dict(found.items())
    payload, missed = told.pop("payload"), told.pop("missed")
    return EventDetails(event=ListedEvent(**told), missed=missed, payload=payload)


async def replay(event_id: str, *, actor: str, now: datetime) -> ListedEvent:
    """Have one event worked on again, whatever became of it. Raises EventNotFound.

    That is always safe: an event only says what to read at Stripe.
    """
    async with transaction():
        before = await row(
            "SELECT state, note FROM stripe_events WHERE event_id = $1 FOR UPDATE", event_id
        )
        if before is None:
            raise EventNotFound(event_id)
        await inbox.replay([event_id], now)
        await audit.record(
            actor=actor,
            action="event.replayed",
            subject=event_id[:60],
            before=dict(before.items()),
            after={"state": "due"},
            now=now,
        )
    return (await event(event_id)).event


async def unfinished() -> list[Unfinished]:
    """What of the inbox is not done, by state and type, the most first."""
    found = await rows(
        "SELECT state, type, count(*) AS count, count(replayed_at) AS replayed, "
        "max(attempts) AS attempts, min(received_at) AS oldest_received_at, "
        "(array_agg(note ORDER BY received_at DESC) FILTER (WHERE note IS NOT NULL))[1] AS note "
        "FROM (SELECT * FROM stripe_events WHERE due_at IS NOT NULL "
        "  UNION ALL SELECT * FROM stripe_events WHERE state = 'dead') AS e "
        "GROUP BY state, type ORDER BY count(*) DESC, state, type LIMIT $1",
        _SHOWN,
    )
    return [Unfinished(**each) for each in found]


async def replay_many(
    wanted: EventFilter, *, after: str | None, actor: str, reason: str | None, now: datetime
) -> Replayed:
    """Have events worked on again, the oldest first, `REPLAYED_AT_ONCE` at most; `after` goes on.

    Those that are due anyway are left alone. Raises FilterRequired, RangeRefused, and EventNotFound where
    `after` is none.
    """
    if wanted == EventFilter():
        raise FilterRequired(EventFilter.__struct_fields__)
    if after is not None:
        await event(after)
    async with transaction():
        found = await rows(
            f"SELECT event_id FROM stripe_events WHERE {_FITS} AND state <> 'due' "
            "AND ($7::text IS NULL OR (received_at, event_id) > "
            "  (SELECT c.received_at, c.event_id FROM stripe_events c WHERE c.event_id = $7)) "
            "ORDER BY received_at, event_id LIMIT $8 FOR UPDATE SKIP LOCKED",
            *wanted.arguments(),
            after,
            REPLAYED_AT_ONCE + 1,
        )
        ids = [each["event_id"] for each in found[:REPLAYED_AT_ONCE]]
        await inbox.replay(ids, now)
        await audit.record(
            actor=actor,
            action="events.replayed",
            subject="stripe_events",
            after={
                "filter": msgspec.to_builtins(wanted),
                "starting_after": after,
                "count": len(ids),
                "last_id": ids[-1] if ids else None,
            },
            reason=reason,
            now=now,
        )
    return Replayed(count=len(ids), more=len(found) > len(ids), last_id=ids[-1] if ids else None)


class MissedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event that Stripe had and the inbox had not, until it was found."""

    id: str
    account: str | None
    door: str
    type: str
    object_id: str | None
    happened_at: datetime
    found_at: datetime


async def gaps(page: PageRequest) -> Page[MissedEvent]:
    """What was never delivered, the last found first."""
    found = await rows(
        "SELECT event_id AS id, account, door, type, object_id, happened_at, found_at "
        "FROM missed_events WHERE ($1::text IS NULL OR (found_at, event_id) < "
        "  (SELECT c.found_at, c.event_id FROM missed_events c WHERE c.event_id = $1)) "
        "ORDER BY found_at DESC, event_id DESC LIMIT $2",
        page.starting_after,
        page.fetched,
    )
    return Page.cut([MissedEvent(**each) for each in found], page)
