"""What tells a monitor whether the program keeps up: counts and ages, no amounts and no names."""

import asyncio
from datetime import datetime, timedelta
from typing import Final

import msgspec

from payments.database import rows
from payments.event_silence import silence


class Gauge(msgspec.Struct, frozen=True, kw_only=True):
    """One number with what it means; `labels` are (name, value) pairs."""

    name: str
    means: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()


_EVENTS: Final = "marketplace_events"
_OPERATIONS: Final = "marketplace_operations_open"
_QUEUES: Final = """
SELECT 'events' AS queue, state, count(*) AS count, min(due_at) AS oldest
FROM stripe_events WHERE due_at IS NOT NULL GROUP BY state
UNION ALL
SELECT 'events', 'dead', count(*), NULL FROM stripe_events WHERE state = 'dead'
UNION ALL
SELECT 'operations', state, count(*), min(created_at) FROM operations
WHERE due_at IS NOT NULL GROUP BY state
UNION ALL
SELECT 'messages', 'due', count(*), min(due_at) FROM messages WHERE due_at IS NOT NULL
UNION ALL
SELECT 'switches', 'off', count(*), NULL FROM switches
WHERE ended_at IS NULL AND (expires_at IS NULL OR expires_at > $1)
"""


FRESH: Final = timedelta(seconds=5)
"""As old as what is told may be: whoever asks more often is told the same."""


class Gauges:
    """One process's reading of them, shared by all who ask at once."""

    def __init__(self) -> None:
        self._read_at: datetime | None = None
        self._told: list[Gauge] = []
        self._reading = asyncio.Lock()

    async def read(self, now: datetime) -> list[Gauge]:
        """Every gauge, `FRESH` at most."""
        async with self._reading:
            if self._read_at is None or not timedelta(0) <= now - self._read_at < FRESH:
                self._told = await gauges(now)
                self._read_at = now
            return self._told


async def gauges(now: datetime) -> list[Gauge]:
    """Every gauge as it stands at `now`."""
    found = {(each["queue"], each["state"]): each for each in await rows(_QUEUES, now)}

    def count(queue: str, state: str) -> int:
        return int(found[queue, state]["count"]) if (queue, state) in found else 0

    def age(queue: str) -> float:
        oldest = [
            each["oldest"] for (name, _), each in found.items() if name == queue and each["oldest"]
        ]
        return max((now - min(oldest)).total_seconds(), 0) if oldest else 0

    return [
        *[
            _labelled(
                _EVENTS, "Stripe's events by what became of them", state, count("events", state)
            )
            for state in ("due", "waiting", "dead")
        ],
        _plain(
            "marketplace_event_overdue_seconds", "How late the oldest due event is", age("events")
        ),
        *[
            _labelled(
                _OPERATIONS,
                "Requests to Stripe without an outcome",
                state,
                count("operations", state),
            )
            for state in ("planned", "sending", "not_sent", "unknown")
        ],
        _plain(
            "marketplace_operation_oldest_seconds",
            "How old the oldest request without an outcome is",
            age("operations"),
        ),
        _plain("marketplace_messages_due", "E-mails waiting to be sent", count("messages", "due")),
        _plain("marketplace_switches_off", "Operations switched off", count("switches", "off")),
        *await _of_stripe(now),
    ]


async def _of_stripe(now: datetime) -> list[Gauge]:
    heard = await silence(now)
    last = heard.last_event_at
    gauge = _plain(
        "marketplace_stripe_silent",
        "1 while money has moved and no event was delivered since",
        int(heard.silent),
    )
    if last is None:
        return [gauge]
    since = max((now - last).total_seconds(), 0)
    return [
        gauge,
        _plain("marketplace_last_event_seconds", "How long ago an event was delivered", since),
    ]


def _plain(name: str, means: str, value: float) -> Gauge:
    return Gauge(name=name, means=means, value=value)


def _labelled(name: str, means: str, state: str, value: float) -> Gauge:
    return Gauge(name=name, means=means, value=value, labels=(("state", state),))
