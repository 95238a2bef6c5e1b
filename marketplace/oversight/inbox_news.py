"""What admins are told of the inbox: events given up, events that were never delivered, a silent Stripe."""

from datetime import datetime

import structlog

from marketplace.messages import outbox
from payments.database import rows, transaction
from payments.event_catch_up import EventsMissed
from payments.event_silence import Silence, silence
from payments.inbox import EventsGivenUp

_log = structlog.get_logger("marketplace.oversight")


async def tell_given_up(fact: EventsGivenUp) -> None:
    """Inside the transaction that gave them up: once an hour for each type, however many there are."""
    await outbox.tell_admins(
        kind="events_given_up",
        subject_id=fact.event_ids[0][:40],
        cause=f"events_given_up:{fact.type}:{fact.occurred_at:%Y-%m-%dT%H}",
        facts={"event_id": fact.event_ids[0], "type": fact.type, "note": fact.note},
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
    """The sweep: raise an alarm while Stripe is silent; tell admins once for each silence, and of its end."""
    found = await silence(now)
    if found.silent:
        await _tell_silent(found, now)
    else:
        await _tell_heard(found, now)
    return 0


async def _tell_silent(found: Silence, now: datetime) -> None:
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


async def _tell_heard(found: Silence, now: datetime) -> None:
    """Whoever was told of the last silence learns that it is over."""
    waiting = await rows(_NOT_TOLD_OF_ITS_END, await outbox.admins())
    if not waiting:
        return
    _log.info("stripe is heard again", last_event_at=found.last_event_at)
    async with transaction():
        await outbox.tell_all(
            [
                outbox.Told(
                    account_id=each["account_id"],
                    kind="stripe_heard",
                    subject_id="stripe",
                    cause=each["cause"],
                    facts={"last_event_at": found.last_event_at},
                )
                for each in waiting
            ],
            now,
        )


_NOT_TOLD_OF_ITS_END = """
SELECT * FROM (
    SELECT DISTINCT ON (account_id) account_id,
        replace(cause, 'stripe_silent:', 'stripe_heard:') AS cause
    FROM messages WHERE kind = 'stripe_silent' AND account_id = ANY($1::text[])
    ORDER BY account_id, id DESC) AS silence
WHERE NOT EXISTS (SELECT FROM messages m
    WHERE m.account_id = silence.account_id AND m.cause = silence.cause)
"""
