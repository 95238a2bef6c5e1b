"""What admins are told of the inbox: events given up, events that were never delivered, a silent Stripe."""

from datetime import datetime

import structlog

from marketplace.messages import outbox
from payments.database import execute, transaction
from payments.event_catch_up import EventsMissed
from payments.event_silence import silence
from payments.inbox import EventsGivenUp

_log = structlog.get_logger("marketplace.oversight")


async def tell_given_up(fact: EventsGivenUp) -> None:
    """Inside the transaction that gave them up."""
    await outbox.tell_admins(
        kind="events_given_up",
        subject_id=fact.event_ids[0][:40],
        cause=f"events_given_up:{fact.event_ids[0]}",
        facts={
            "count": len(fact.event_ids),
            "event_id": fact.event_ids[0],
            "type": fact.type,
            "note": fact.note,
        },
        now=fact.occurred_at,
    )


async def tell_missed(fact: EventsMissed) -> None:
    """Inside the transaction that stored them: once a day for each list, however many are found."""
    await outbox.tell_admins(
        kind="events_missed",
        subject_id=fact.feed[:40],
        cause=f"events_missed:{fact.feed}:{fact.occurred_at:%Y-%m-%d}",
        facts={"count": fact.count, "feed": fact.feed, "types": list(fact.types)},
        now=fact.occurred_at,
    )


async def watch_silence(now: datetime, limit: int) -> int:
    """The sweep: raise an alarm while Stripe is silent, and tell admins once for each silence."""
    found = await silence(now)
    if not found.silent:
        return 0
    _log.error(
        "stripe has gone silent",
        last_event_at=found.last_event_at,
        moved_at=found.moved_at,
        alarm=True,
    )
    async with transaction():
        await outbox.tell_admins(
            kind="stripe_silent",
            subject_id="stripe",
            cause=f"stripe_silent:{found.last_event_at or 'ever'}",
            facts={"last_event_at": found.last_event_at, "moved_at": found.moved_at},
            now=now,
        )
    return 0


async def prune(now: datetime, limit: int, *, kept_days: int) -> int:
    """The sweep: forget ignored events that are older than that.

    What was about an order of ours is a part of its trail, and what is dead still wants a person: both stay.
    """
    return await execute(
        "DELETE FROM stripe_events WHERE event_id IN ("
        "  SELECT event_id FROM stripe_events WHERE state = 'ignored' AND received_at < "
        "  $1::timestamptz - make_interval(days => $2) "
        "  ORDER BY received_at LIMIT $3 FOR UPDATE SKIP LOCKED)",
        now,
        kept_days,
        limit,
    )
