"""How much an admin may refund of an order alone; more needs another admin's approval.

What the order's own seller gives back is their money and has no limit, nor has what the terms give its buyer.
What one admin asked for on an order counts together, so that a large refund cannot be had in small parts.
Minor units.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from marketplace.orders.errors import RefundNeedsApproval
from marketplace.orders.records import Actor, OrderRecord
from marketplace.orders.steps import PLATFORM
from payments.database import value

ALONE_UP_TO: Final = 100_000
"""In currencies that the settings do not name: 1,000.00 euros, or 100,000 yen."""


class RefundLimits(msgspec.Struct, frozen=True):
    """What is refunded alone, by currency."""

    by_currency: Mapping[str, int] = MappingProxyType({})

    def alone_up_to(self, currency: str) -> int:
        """The largest amount that needs nobody else."""
        return self.by_currency.get(currency, ALONE_UP_TO)

    async def require_alone(self, order: OrderRecord, actor: Actor) -> None:
        """Raise RefundNeedsApproval when what this admin has asked for is too much for one.

        Inside the transaction in which the refund was planned, which ends with it.
        """
        if not actor.decides(order) or actor.account_id == PLATFORM:
            return
        limit = self.alone_up_to(order.currency)
        asked = await _asked_alone(order.id, actor.account_id)
        if asked > limit:
            raise RefundNeedsApproval(order.id, amount=asked, limit=limit, currency=order.currency)


def approved_key(approval_id: str) -> str:
    """The idempotency key of a refund that two admins agreed on."""
    return f"approval:{approval_id}"


async def _asked_alone(order_id: str, account_id: str) -> int:
    found: int = await value(
        "SELECT coalesce(sum(r.amount), 0)::bigint FROM refunds r "
        "WHERE r.order_id = $1 AND r.requested_by = $2 "
        "AND r.status NOT IN ('refused', 'failed', 'canceled') "
        "AND NOT EXISTS (SELECT FROM approvals a WHERE a.asked_by = r.requested_by "
        "  AND a.subject = r.order_id AND a.state = 'approved' "
        "  AND 'approval:' || a.id = r.idempotency_key)",
        order_id,
        account_id,
    )
    return found
