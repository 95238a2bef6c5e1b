"""Stripe's list of events in memory: what happened, whether it was delivered or not."""

import json
from datetime import datetime, timedelta
from typing import Any

from payments.event_list import EventPage, ListedEvent
from payments.ids import new_id


def an_event(
    kind: str, at: datetime, obj: dict[str, Any] | None = None, **more: Any
) -> ListedEvent:
    """An event as Stripe lists it; to the second, as Stripe's are."""
    event_id = more.pop("id", None) or new_id("evt")
    happened_at = at.replace(microsecond=0)
    body = {
        "id": event_id,
        "object": "event",
        "type": kind,
        "livemode": False,
        "created": int(happened_at.timestamp()),
        "data": {"object": obj or {"id": "ch_1", "object": "charge", "client_secret": "hush"}},
    }
    return ListedEvent(
        id=event_id, type=kind, happened_at=happened_at, body=json.dumps(body | more).encode()
    )


class ListOfEvents:
    """`EventList` in memory, with small pages. `asked` are the lists that were read, one entry a page."""

    def __init__(self, page_size: int = 2) -> None:
        self.page_size = page_size
        self.happened: dict[str | None, list[ListedEvent]] = {None: []}
        self.thin_events: list[ListedEvent] = []
        self.undelivered: set[str] = set()
        self.asked: list[str] = []
        self.windows: list[tuple[datetime, datetime]] = []
        self.fails: list[Exception] = []

    def add(self, *events: ListedEvent, account: str | None = None) -> None:
        self.happened.setdefault(account, []).extend(events)

    async def snapshots(
        self,
        *,
        since: datetime,
        until: datetime,
        after: str | None,
        account: str | None = None,
        undelivered: bool = False,
    ) -> EventPage:
        self.asked.append("undelivered" if undelivered else account or "platform")
        self.windows.append((since, until))
        if self.fails:
            raise self.fails.pop(0)
        floor = since - timedelta(microseconds=since.microsecond)
        chosen = [
            event
            for event in self.happened.get(account, [])
            if floor <= event.happened_at < until
            and (not undelivered or event.id in self.undelivered)
        ]
        return self._page(chosen, after)

    async def thin(self, *, after: str | None) -> EventPage:
        self.asked.append("accounts")
        return self._page(self.thin_events, after)

    def _page(self, events: list[ListedEvent], after: str | None) -> EventPage:
        newest_first = sorted(events, key=lambda event: (event.happened_at, event.id), reverse=True)
        start = 0
        if after is not None:
            start = [event.id for event in newest_first].index(after) + 1
        shown = tuple(newest_first[start : start + self.page_size])
        more = len(newest_first) > start + self.page_size
        return EventPage(events=shown, after=shown[-1].id if more else None)
