"""Delivering events to sellers' endpoints: claimed, posted with no transaction open, concluded.

At least once, in no order: the receiver tells a repeat by `webhook-id`. A delivery is tried ten times over
three days (the schedule that Standard Webhooks recommends). An endpoint that took nothing for so long, or
answers 410 Gone, is disabled, and its seller is told.
"""

from asyncio import gather
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

import asyncpg
import msgspec

from marketplace.messages import outbox
from marketplace.messages.addresses import host_shown
from marketplace.messages.endpoints import give_up_due
from marketplace.messages.signing import signed_headers
from marketplace.messages.tries import Try
from marketplace.messages.webhook_sender import Answered
from payments.database import execute, row, rows, transaction
from payments.events import Clock

LEASE: Final = timedelta(seconds=60)
"""Longer than one POST may take; a delivery whose sender died is due again after it."""
PAUSES: Final = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
"""Between one try and the next; after the last one there is no more."""
AT_ONCE_TO_ONE: Final = 5
"""How many deliveries to one endpoint are claimed in a pass, so that a slow one holds nobody else up."""
GONE: Final = 410

# From endpoint to endpoint by the index: a backlog of one is not read to find the first five of it.
_CLAIM = """
WITH RECURSIVE waiting AS (
    (SELECT endpoint_id FROM webhook_deliveries WHERE due_at IS NOT NULL ORDER BY endpoint_id LIMIT 1)
    UNION ALL
    SELECT (SELECT d.endpoint_id FROM webhook_deliveries d
            WHERE d.due_at IS NOT NULL AND d.endpoint_id > w.endpoint_id
            ORDER BY d.endpoint_id LIMIT 1)
    FROM waiting w WHERE w.endpoint_id IS NOT NULL
), due AS (
    SELECT first.id, first.due_at FROM waiting w CROSS JOIN LATERAL (
        SELECT d.id, d.due_at FROM webhook_deliveries d
        WHERE d.endpoint_id = w.endpoint_id AND d.due_at <= $1
        ORDER BY d.due_at, d.id LIMIT $4) AS first
), chosen AS (
    SELECT d.id FROM webhook_deliveries d JOIN due ON due.id = d.id
    WHERE d.due_at <= $1
    ORDER BY due.due_at LIMIT $3 FOR UPDATE OF d SKIP LOCKED
), claimed AS (
    UPDATE webhook_deliveries SET attempts = attempts + 1, due_at = $2
    WHERE id IN (SELECT id FROM chosen)
    RETURNING id, endpoint_id, event_id, attempts, created_at
)
SELECT c.id, c.endpoint_id, c.event_id, c.attempts, c.created_at, p.url, p.secret, p.disabled_at,
       p.secret_before, p.secret_before_until, e.type, e.data, e.created_at AS occurred_at
FROM claimed c
JOIN webhook_endpoints p ON p.id = c.endpoint_id
JOIN seller_events e ON e.id = c.event_id
ORDER BY c.id
"""
_CONCLUDE = """
UPDATE webhook_deliveries d SET state = o.state, due_at = o.due_at, concluded_at = o.concluded_at,
    last_status = o.last_status, note = o.note,
    tries = array_append(d.tries[greatest(1, cardinality(d.tries) - 48):], o.tried)
FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::int[], $6::text[], $7::text[])
     AS o(id, state, due_at, concluded_at, last_status, note, tried)
WHERE d.id = o.id AND d.state = 'due'
"""
_DISABLE = """
UPDATE webhook_endpoints p SET disabled_at = $2, disabled_reason = $3
WHERE p.id = $1 AND p.disabled_at IS NULL AND ($5 OR NOT EXISTS (
    SELECT FROM webhook_deliveries d
    WHERE d.endpoint_id = p.id AND d.state = 'delivered' AND d.concluded_at >= $4))
RETURNING p.seller_id, p.url
"""


class Sender(Protocol):
    """Posts a body to a URL."""

    async def post(self, url: str, headers: dict[str, str], body: bytes) -> Answered: ...

    async def close(self) -> None: ...


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a delivery, in the shape of Standard Webhooks."""

    id: str
    type: str
    timestamp: datetime
    data: msgspec.Raw


class _Conclusion(msgspec.Struct, frozen=True, kw_only=True):
    delivery: asyncpg.Record
    state: str
    due_at: datetime | None
    answered: Answered


class Deliveries:
    """Works on due deliveries."""

    def __init__(self, sender: Sender, clock: Clock) -> None:
        self._sender, self._clock = sender, clock

    async def deliver_due(self, now: datetime, limit: int = 20) -> int:
        """Claim due deliveries and post them side by side; answers how many were claimed."""
        claimed = await rows(_CLAIM, now, now + LEASE, limit, AT_ONCE_TO_ONE)
        answers = await gather(*(self._post(one) for one in claimed))
        after = self._clock()
        concluded = [
            _concluded(delivery, answered, after)
            for delivery, answered in zip(claimed, answers, strict=True)
        ]
        await _conclude(concluded, after)
        for ended in _endings(concluded):
            await _disable(ended, after)
        return len(claimed)

    async def close(self) -> None:
        """Close the sender's connections."""
        await self._sender.close()

    async def _post(self, delivery: asyncpg.Record) -> Answered:
        if delivery["disabled_at"] is not None:
            return Answered(None, "the endpoint was disabled")
        body = msgspec.json.encode(
            Event(
                id=delivery["event_id"],
                type=delivery["type"],
                timestamp=delivery["occurred_at"],
                data=msgspec.Raw(delivery["data"].encode()),
            )
        )
        now, secrets = self._clock(), [delivery["secret"]]
        if delivery["secret_before_until"] is not None and now < delivery["secret_before_until"]:
            secrets.append(delivery["secret_before"])
        headers = signed_headers(delivery["event_id"], now, body, secrets)
        return await self._sender.post(delivery["url"], headers, body)


def _concluded(delivery: asyncpg.Record, answered: Answered, now: datetime) -> _Conclusion:
    due_at = None
    if answered.status is not None and 200 <= answered.status < 300:
        state = "delivered"
    elif _is_over(delivery) or answered.status == GONE:
        state = "dead"
    else:
        state, due_at = "due", now + PAUSES[delivery["attempts"] - 1]
    return _Conclusion(delivery=delivery, state=state, due_at=due_at, answered=answered)


def _is_over(delivery: asyncpg.Record) -> bool:
    return delivery["disabled_at"] is not None or delivery["attempts"] > len(PAUSES)


async def _conclude(concluded: Sequence[_Conclusion], now: datetime) -> None:
    if not concluded:
        return
    await execute(
        _CONCLUDE,
        [one.delivery["id"] for one in concluded],
        [one.state for one in concluded],
        [one.due_at for one in concluded],
        [None if one.due_at else now for one in concluded],
        [one.answered.status for one in concluded],
        [one.answered.note for one in concluded],
        [_tried(one.answered, now) for one in concluded],
    )


def _tried(answered: Answered, now: datetime) -> str:
    return msgspec.json.encode(Try(at=now, status=answered.status, note=answered.note)).decode()


def _endings(concluded: Sequence[_Conclusion]) -> list[_Conclusion]:
    """The deliveries that may end their endpoint, one for each: it is gone, or took nothing for days."""
    given_up = [one for one in concluded if one.state == "dead"]
    found = {
        one.delivery["endpoint_id"]: one for one in given_up if one.delivery["disabled_at"] is None
    }
    return list(found.values())


async def _disable(ended: _Conclusion, now: datetime) -> None:
    """Send nothing more to the endpoint and tell its seller, unless it took something meanwhile."""
    gone = ended.answered.status == GONE
    why = "it answers 410 Gone" if gone else "it took nothing for three days"
    endpoint_id = ended.delivery["endpoint_id"]
    async with transaction():
        disabled = await row(_DISABLE, endpoint_id, now, why, ended.delivery["created_at"], gone)
        if disabled is None:
            return
        await give_up_due(endpoint_id, why, now)
        await outbox.tell_seller(
            disabled["seller_id"],
            kind="webhook_endpoint_disabled",
            subject_id=endpoint_id,
            cause=f"{endpoint_id}:disabled:{now.isoformat()}",
            facts={"endpoint_id": endpoint_id, "url": host_shown(disabled["url"]), "reason": why},
            now=now,
        )
