"""Has Stripe stopped telling us? Money moved an hour ago, and no event was delivered since: it has.

A quiet shop is not a silent Stripe: only what must have made Stripe send something counts. What the catch-up
found was not delivered, so it does not count as told.
"""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from payments.database import row

SILENT_AFTER: Final = timedelta(hours=1)
"""As long as Stripe may take to deliver what just happened."""
AT_ONCE: Final = timedelta(minutes=5)
"""An answer and its event come within this, in either order."""


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """When Stripe last delivered an event, and when money last moved long enough ago."""

    last_event_at: datetime | None
    moved_at: datetime | None

    @property
    def silent(self) -> bool:
        """Whether something moved that we should have been told of by now, and were not."""
        if self.moved_at is None:
            return False
        return self.last_event_at is None or self.last_event_at < self.moved_at - AT_ONCE


SILENCE: Final = """
SELECT (SELECT e.received_at FROM stripe_events e
        WHERE NOT EXISTS (SELECT FROM missed_events m WHERE m.event_id = e.event_id)
        ORDER BY e.received_at DESC, e.event_id DESC LIMIT 1) AS last_event_at,
       greatest(
           (SELECT p.recorded_at FROM postings p
            WHERE p.recorded_at < $1 AND p.kind IN ('capture', 'refund', 'transfer_reversal')
            ORDER BY p.recorded_at DESC LIMIT 1),
           (SELECT a.occurred_at FROM attempts a WHERE a.occurred_at < $1
            ORDER BY a.id DESC LIMIT 1)) AS moved_at
"""
"""Looks at the newest rows: when we were told, and when a bank was asked or money was booked. $1 is an
hour ago."""


async def silence(now: datetime) -> Silence:
    """How it stands."""
    found = await row(SILENCE, now - SILENT_AFTER)
    assert found is not None
    return Silence(last_event_at=found["last_event_at"], moved_at=found["moved_at"])
