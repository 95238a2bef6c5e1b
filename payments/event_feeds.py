"""How far each of Stripe's lists of events was compared with the inbox: rows that a sweep claims in turn."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from payments.database import execute, row, rows, value

PLATFORM: Final = "platform"
UNDELIVERED: Final = "undelivered"
ACCOUNTS: Final = "accounts"

LEASE = timedelta(minutes=5)
"""Longer than any page takes; a feed whose reader died goes on from its last page after it."""
KEPT_BY_STRIPE = timedelta(days=30)
OVERLAP = timedelta(minutes=5)
"""Windows overlap by this: an event may enter Stripe's list a little after its own time."""


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """One list. Everything before `since` was compared; `[since, until)` is being read, from `page_after`."""

    id: str
    account: str | None
    since: datetime
    until: datetime | None
    page_after: str | None

    @property
    def rhythm(self) -> "Rhythm":
        """How often it is read."""
        return _RHYTHMS.get(self.id, _OF_ACCOUNT)


class Rhythm(msgspec.Struct, frozen=True):
    """How old an event is when it counts as missed, and how long until the list is read again."""

    patience: timedelta
    every: timedelta


_RHYTHMS: Final = {
    PLATFORM: Rhythm(timedelta(minutes=10), timedelta(minutes=15)),
    # What Stripe itself says did not arrive is asked for sooner.
    UNDELIVERED: Rhythm(timedelta(minutes=2), timedelta(minutes=5)),
    ACCOUNTS: Rhythm(timedelta(minutes=10), timedelta(minutes=15)),
}
_OF_ACCOUNT: Final = Rhythm(timedelta(minutes=10), timedelta(hours=6))
_COLUMNS = ", ".join(Feed.__struct_fields__)


async def ensure(now: datetime) -> None:
    """The platform's own feeds, from the first event that the inbox ever had."""
    await _begin([(name, None) for name in _RHYTHMS], now)


async def follow(accounts: Sequence[str], now: datetime) -> int:
    """Begin to read these connected accounts' lists; answers how many were new."""
    return await _begin([(account, account) for account in accounts], now)


async def _begin(feeds: Sequence[tuple[str, str | None]], now: datetime) -> int:
    return await execute(
        "INSERT INTO event_feeds (id, account, since, due_at) "
        "SELECT feed.id, feed.account, greatest($3::timestamptz - $4::interval, "
        "  least($3, (SELECT min(received_at) FROM stripe_events))), $3 "
        "FROM unnest($1::text[], $2::text[]) AS feed(id, account) ON CONFLICT (id) DO NOTHING",
        [feed_id for feed_id, _ in feeds],
        [account for _, account in feeds],
        now,
        KEPT_BY_STRIPE,
    )


async def claim(now: datetime) -> Feed | None:
    """A feed that is due, for this caller alone as long as the lease."""
    found = await row(
        "UPDATE event_feeds SET due_at = $2 WHERE id = ("
        "  SELECT id FROM event_feeds WHERE due_at <= $1 ORDER BY due_at LIMIT 1 "
        f"  FOR UPDATE SKIP LOCKED) RETURNING {_COLUMNS}",
        now,
        now + LEASE,
    )
    return None if found is None else Feed(**found)


async def turn_page(feed: Feed, until: datetime, page_after: str | None, due_at: datetime) -> None:
    """Keep that the window is read up to here."""
    await execute(
        "UPDATE event_feeds SET since = $2, until = $3, page_after = $4, due_at = $5 WHERE id = $1",
        feed.id,
        feed.since,
        until,
        page_after,
        due_at,
    )


async def finish(feed: Feed, until: datetime, now: datetime) -> None:
    """The window was read to its end: the next one begins a little before it."""
    await execute(
        "UPDATE event_feeds SET since = greatest($2, $3::timestamptz), until = NULL, "
        "page_after = NULL, due_at = $4, read_at = $5 WHERE id = $1",
        feed.id,
        feed.since,
        until - OVERLAP,
        now + feed.rhythm.every,
        now,
    )


async def put_off(feed: Feed, due_at: datetime, *, from_start: bool = False) -> None:
    """Not now; `from_start` reads its window from the beginning."""
    await execute(
        "UPDATE event_feeds SET due_at = $2, "
        "page_after = CASE WHEN $3 THEN NULL ELSE page_after END WHERE id = $1",
        feed.id,
        due_at,
        from_start,
    )


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """How far a feed is: everything that happened before `until` is known to be in the inbox."""

    feed: str
    until: datetime
    read_at: datetime | None


async def compared() -> list[Compared]:
    """How far the platform's feeds are, and the one of a connected account that is behind most."""
    found = await rows(
        "SELECT id AS feed, since AS until, read_at FROM event_feeds WHERE account IS NULL "
        "UNION ALL (SELECT 'connect', since, read_at FROM event_feeds WHERE account IS NOT NULL "
        "ORDER BY since LIMIT 1)"
    )
    return [Compared(**each) for each in found]


async def behind(now: datetime) -> bool:
    """Whether some list was not compared for so long that Stripe has begun to forget it."""
    return bool(
        await value(
            "SELECT EXISTS (SELECT FROM event_feeds WHERE since < $1)", now - KEPT_BY_STRIPE
        )
    )
