"""Catching up: Stripe's lists of events are compared with the inbox, and what is missing is stored in it.

A webhook can get lost: our address was wrong, our database was restored to an earlier moment, Stripe gave up
after three days. What the list has and the inbox has not comes in by the same door as a delivery and is
worked on like one. Lists are read in windows of time, page by page, and every page is kept: a reader that
dies is followed by one that goes on. What is older than Stripe's list (thirty days) is healed by reading
objects again (`refreshing.py`).
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import msgspec
import structlog

from payments import event_feeds
from payments.database import execute, transaction
from payments.errors import (
    PaymentsUnavailable,
    SignatureRefused,
    StripeMisconfigured,
    StripeRejected,
)
from payments.event_feeds import ACCOUNTS, KEPT_BY_STRIPE, UNDELIVERED, Feed
from payments.event_list import EventList, EventPage, ListedEvent
from payments.events import Clock
from payments.inbox import Door, Inbox
from payments.receipt import Delivery, read_delivery, store_missing

PAGES_OF_A_FEED = 20
"""How many pages of one list are read before another list has its turn."""
TRIED_AGAIN_AFTER = timedelta(hours=24)
"""A list that Stripe will not show us: its account was closed, or has left the platform."""

_log = structlog.get_logger("payments.event_catch_up")


class EventsMissed(msgspec.Struct, frozen=True, kw_only=True):
    """A fact: Stripe had events that were never delivered to us. They are in the inbox now."""

    count: int
    feed: str
    types: tuple[str, ...]
    occurred_at: datetime


AnnounceMissed = Callable[[EventsMissed], Awaitable[None]]


class EventCatchUp:
    """The sweep over Stripe's lists of events."""

    def __init__(
        self, listed: EventList, inbox: Inbox, announce: AnnounceMissed, clock: Clock
    ) -> None:
        self._listed, self._inbox = listed, inbox
        self._announce, self._clock = announce, clock

    async def catch_up(self, now: datetime, limit: int = 100) -> int:
        """Read at most `limit` pages of the lists that are due; answers how many were read."""
        await event_feeds.ensure(now)
        pages = 0
        while pages < limit:
            feed = await event_feeds.claim(now)
            if feed is None:
                break
            pages += await self._read(feed, min(limit - pages, PAGES_OF_A_FEED))
        return pages

    async def _read(self, feed: Feed, pages: int) -> int:
        try:
            return await self._read_window(_clamped(feed, self._clock()), pages)
        except StripeRejected as no:
            _log.warning("events not listed", feed=feed.id, code=no.code)
            wait = timedelta(0) if feed.page_after else TRIED_AGAIN_AFTER
            # Stripe may have forgotten the event that the next page begins after.
            await event_feeds.put_off(
                feed, self._clock() + wait + event_feeds.LEASE, from_start=True
            )
        except (PaymentsUnavailable, StripeMisconfigured) as error:
            _log.warning("events not listed", feed=feed.id, why=repr(error))
        return 1

    async def _read_window(self, feed: Feed, pages: int) -> int:
        """Read some pages of the feed's window; it is finished, or due again at once."""
        until = feed.until or self._clock() - feed.rhythm.patience
        if until <= feed.since:
            await event_feeds.finish(feed, feed.since, self._clock())
            return 0
        after = feed.page_after
        for read in range(1, pages + 1):
            page = await self._page(feed, until, after)
            after = page.after
            last = after is None or _reached(feed, page)
            now = self._clock()
            async with transaction():
                await self._store(feed, until, page, now)
                if last:
                    await event_feeds.finish(feed, until, now)
                else:
                    due_at = now if read == pages else now + event_feeds.LEASE
                    await event_feeds.turn_page(feed, until, after, due_at)
            if last:
                return read
        return pages

    async def _page(self, feed: Feed, until: datetime, after: str | None) -> EventPage:
        if feed.id == ACCOUNTS:
            return await self._listed.thin(after=after)
        return await self._listed.snapshots(
            since=feed.since,
            until=until,
            after=after,
            account=feed.account,
            undelivered=feed.id == UNDELIVERED,
        )

    async def _store(self, feed: Feed, until: datetime, page: EventPage, now: datetime) -> None:
        """Store what is missing, and note each of these for good."""
        door = _door(feed)
        wanted = {
            event.id: event
            for event in page.events
            if _first(feed) <= event.happened_at < until
            and self._inbox.has_use_for(door, event.type)
        }
        read = [_delivery(door, event, now) for event in wanted.values()]
        deliveries = [delivery for delivery in read if delivery is not None]
        missing = await store_missing(deliveries) if deliveries else set()
        if not missing:
            return
        await _note([d for d in deliveries if d.event_id in missing], wanted, now)
        types = tuple(sorted({wanted[event_id].type for event_id in missing}))
        _log.error("events were missed", feed=feed.id, count=len(missing), types=types, alarm=True)
        await self._announce(
            EventsMissed(count=len(missing), feed=feed.id, types=types, occurred_at=now)
        )


def _clamped(feed: Feed, now: datetime) -> Feed:
    """The feed from the oldest event that Stripe still lists."""
    oldest = now - KEPT_BY_STRIPE
    if feed.since >= oldest:
        return feed
    _log.error("events are older than Stripe's list", feed=feed.id, since=feed.since, alarm=True)
    return msgspec.structs.replace(
        feed, since=oldest, until=feed.until if feed.until and feed.until > oldest else None
    )


def _door(feed: Feed) -> Door:
    if feed.account is not None:
        return "connect"
    return "accounts" if feed.id == ACCOUNTS else "platform"


def _reached(feed: Feed, page: EventPage) -> bool:
    """Whether a list that cannot be asked from a time on is behind the window's beginning."""
    return bool(page.events) and page.events[-1].happened_at < _first(feed)


def _first(feed: Feed) -> datetime:
    """The first moment of the window: Stripe's moments are whole seconds."""
    return feed.since.replace(microsecond=0)


def _delivery(door: Door, event: ListedEvent, now: datetime) -> Delivery | None:
    """What its webhook would have brought; None for what no delivery could have been."""
    try:
        return read_delivery(door, event.body, now)
    except SignatureRefused as refused:
        _log.warning("listed event not readable", event_id=event.id, why=refused.why)
        return None


async def _note(missed: list[Delivery], listed: dict[str, ListedEvent], now: datetime) -> None:
    await execute(
        "INSERT INTO missed_events "
        "(event_id, account, door, type, object_id, happened_at, found_at) "
        "SELECT m.event_id, m.account, $2, m.type, m.object_id, m.happened_at, $3 "
        "FROM unnest($1::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[]) "
        "  AS m(event_id, account, type, object_id, happened_at) ON CONFLICT (event_id) DO NOTHING",
        [one.event_id for one in missed],
        missed[0].door,
        now,
        [one.account for one in missed],
        [one.type for one in missed],
        [one.object_id for one in missed],
        [listed[one.event_id].happened_at for one in missed],
    )
