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
_TELLING: Final = (
    "capture_intent",
    "cancel_intent",
    "create_refund",
    "transfer",
    "reverse_transfer",
)
"""Operations whose success Stripe always tells with an event that everybody subscribes to."""


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """When Stripe last delivered an event, and when money last moved long enough ago."""

    last_event_at: datetime | None
    moved_at: datetime | None

    @property
    def silent(self) -> bool:
        """Whether something moved that we should have been told of by now, and were not."""
        if self.moved_at is None:
            return False
        return self.last_event_at is None or self.last_event_at < self.moved_at


async def silence(now: datetime) -> Silence:
    """How it stands: two looks at the newest rows."""
    found = await row(
        """
        SELECT (SELECT e.received_at FROM stripe_events e
                WHERE NOT EXISTS (SELECT FROM missed_events m WHERE m.event_id = e.event_id)
                ORDER BY e.received_at DESC, e.event_id DESC LIMIT 1) AS last_event_at,
               greatest(
                   (SELECT o.created_at FROM operations o WHERE o.state = 'succeeded'
                    AND o.kind = ANY($2) AND o.concluded_at < $1 ORDER BY o.id DESC LIMIT 1),
                   (SELECT a.occurred_at FROM attempts a WHERE a.occurred_at < $1
                    ORDER BY a.id DESC LIMIT 1)) AS moved_at
        """,
        now - SILENT_AFTER,
        list(_TELLING),
    )
    assert found is not None
    return Silence(last_event_at=found["last_event_at"], moved_at=found["moved_at"])
