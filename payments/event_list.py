"""The port: Stripe's own list of what happened, page by page. `stripe_events.py` answers it.

Stripe keeps snapshot events for thirty days. Every method raises the errors of `payments.errors`:
StripeRejected, NotSent, OutcomeUnknown, StripeMisconfigured.
"""

from datetime import datetime
from typing import Protocol

import msgspec


class ListedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event as Stripe lists it: `body` is what a webhook would have delivered."""

    id: str
    type: str
    happened_at: datetime
    body: bytes


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some events, the newest first, and where the list goes on; None at its end."""

    events: tuple[ListedEvent, ...]
    after: str | None


class EventList(Protocol):
    """Stripe, as somebody who may have missed something needs it."""

    async def snapshots(
        self,
        *,
        since: datetime,
        until: datetime,
        after: str | None,
        account: str | None = None,
        undelivered: bool = False,
    ) -> EventPage:
        """Events of `[since, until)`, of the platform or of one connected account; `undelivered` leaves
        only those that no webhook endpoint of ours has taken."""
        ...

    async def thin(self, *, after: str | None) -> EventPage:
        """The platform's v2 events, all that Stripe still has."""
        ...
