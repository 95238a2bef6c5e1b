"""What is forgotten, and when: news that was delivered, never what money or an audit rests on.

Messages and webhooks tell what happened elsewhere; the order, its history, the ledger and the audit log
say it for good. Rows go by the time in their ids, oldest first, a batch at a time: by the primary key, and
without holding locks for long. What still waits to be sent stays, however old.
"""

from datetime import datetime, timedelta

from payments.database import execute
from payments.ids import id_floor


class Retention:
    """The sweeps that forget; each answers how many rows went. Kept are so many days of each."""

    def __init__(self, *, messages_days: int, webhooks_days: int, ignored_events_days: int) -> None:
        self._messages_days = messages_days
        self._webhooks_days = webhooks_days
        self._ignored_events_days = ignored_events_days

    async def forget_messages(self, now: datetime, limit: int) -> int:
        """E-mails that were sent, or given up."""
        return await execute(_MESSAGES, _floor("msg", now, self._messages_days), limit)

    async def forget_webhooks(self, now: datetime, limit: int) -> int:
        """Deliveries to sellers' endpoints that are over, and the events that nobody waits for any more."""
        days = self._webhooks_days
        delivered = await execute(_DELIVERIES, _floor("whd", now, days), limit)
        return delivered + await execute(_EVENTS, _floor("evt", now, days), limit)

    async def forget_ignored_events(self, now: datetime, limit: int) -> int:
        """Events of Stripe's that were about nothing of ours.

        What was about an order of ours is a part of its trail, and what is dead still wants a person: both
        stay.
        """
        return await execute(_IGNORED, now - timedelta(days=self._ignored_events_days), limit)


_MESSAGES = """
DELETE FROM messages WHERE id IN (
    SELECT id FROM messages WHERE id < $1 AND concluded_at IS NOT NULL
    ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)
"""
_DELIVERIES = """
DELETE FROM webhook_deliveries WHERE id IN (
    SELECT id FROM webhook_deliveries WHERE id < $1 AND concluded_at IS NOT NULL
    ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)
"""
_EVENTS = """
DELETE FROM seller_events WHERE id IN (
    SELECT id FROM seller_events e WHERE id < $1
    AND NOT EXISTS (SELECT FROM webhook_deliveries d WHERE d.event_id = e.id)
    ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)
"""
_IGNORED = """
DELETE FROM stripe_events WHERE event_id IN (
    SELECT event_id FROM stripe_events WHERE state = 'ignored' AND received_at < $1
    ORDER BY received_at LIMIT $2 FOR UPDATE SKIP LOCKED)
"""


def _floor(prefix: str, now: datetime, days: int) -> str:
    """The id that the oldest row to be kept could have."""
    return f"{prefix}_{id_floor(now - timedelta(days=days))}"
