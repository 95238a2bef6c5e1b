"""Money that came when the order had ended and its stock was gone: it is given back at once, never kept.

Planned in the very transaction that learned of the money; carried out by the journal like everything else.
"""

from datetime import datetime
from typing import Final

from marketplace.orders import steps
from marketplace.orders.cancellation import Cancellation
from marketplace.orders.order_states import PAID_FOR
from marketplace.orders.records import Actor, OrderRecord
from marketplace.orders.steps import PLATFORM
from payments.lifecycle import Payments

_PLATFORM: Final = Actor(PLATFORM, is_admin=True)


class LateMoney:
    """Reacts to payments that can themselves only be asked once they exist: `use` hands them in."""

    def __init__(self) -> None:
        self._payments: Payments | None = None
        self._cancellation: Cancellation | None = None

    def use(self, payments: Payments, cancellation: Cancellation) -> None:
        """Give money back with these from now on."""
        self._payments, self._cancellation = payments, cancellation

    async def give_back(self, order: OrderRecord, reason: str, now: datetime) -> None:
        """Plan a refund of what was taken, or the release of what is held, in the open transaction."""
        assert self._payments is not None
        assert self._cancellation is not None
        if order.status in PAID_FOR:
            await self._cancellation.plan_whole_refund(order, _PLATFORM, now, reason)
            return
        await steps.take(order, "cancellation_asked", actor=PLATFORM, now=now, reason=reason)
        await self._payments.plan_cancel(order.id, "abandoned", now)
