"""How much an admin may refund of an order alone; more needs another admin's approval.

What the order's own seller gives back is their money and has no limit, nor has what the terms give its buyer.
What one admin asked for on an order counts together, so that a large refund cannot be had in small parts; and
what they asked for on all orders of a currency within a day, so that it cannot be had from many. Minor units.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

import msgspec

from marketplace.orders.errors import RefundNeedsApproval
from marketplace.orders.records import Actor, OrderRecord
from marketplace.orders.steps import PLATFORM
from payments.database import execute, value

ALONE_UP_TO: Final = 100_000
"""In currencies that the settings do not name: 1,000.00 euros, or 100,000 yen."""
ORDERS_A_DAY: Final = 5
"""How many times as much an admin may refund alone on all orders together, within `COUNTED_FOR`."""
COUNTED_FOR: Final = timedelta(hours=24)
"""How long what an admin refunded alone counts against what they may still refund on other orders."""


class RefundLimits(msgspec.Struct, frozen=True):
    """What is refunded alone, by currency."""

    by_currency: Mapping[str, int] = MappingProxyType({})

    def alone_up_to(self, currency: str) -> int:
        """The largest amount that needs nobody else."""
        return self.by_currency.get(currency, ALONE_UP_TO)

    async def require_alone(self, order: OrderRecord, actor: Actor, now: datetime) -> None:
        """Raise RefundNeedsApproval when what this admin has asked for is too much for one.

        Inside the transaction in which the refund was planned, which ends with it.
        """
        if not actor.decides(order) or actor.account_id == PLATFORM:
            return
        limit = self.alone_up_to(order.currency)
        asked = await _asked_alone(order.id, actor.account_id)
        if asked > limit:
            raise RefundNeedsApproval(order.id, amount=asked, limit=limit, currency=order.currency)
        # One by one: each counts what the others have planned.
        await execute(
            "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"refunds:{actor.account_id}"
        )
        in_a_day = await _asked_in_a_day(order.currency, actor.account_id, now)
        if in_a_day > limit * ORDERS_A_DAY:
            raise RefundNeedsApproval(
                order.id, amount=in_a_day, limit=limit * ORDERS_A_DAY, currency=order.currency
            )


def approved_key(approval_id: str) -> str:
    """The idempotency key of a refund that two admins agreed on."""
    return f"approval:{approval_id}"


async def _asked_alone(order_id: str, account_id: str) -> int:
    found: int = await value(
        f"{_ALONE} AND r.order_id = $1 AND r.requested_by = $2", order_id, account_id
    )
    return found


async def _asked_in_a_day(currency: str, account_id: str, now: datetime) -> int:
    """On orders of others: what they gave back of their own shop's is theirs."""
    found: int = await value(
        f"{_ALONE} AND r.currency = $1 AND r.requested_by = $2 AND r.created_at > $3 "
        "AND NOT EXISTS (SELECT FROM orders o JOIN sellers s ON s.id = o.seller_id "
        "  WHERE o.id = r.order_id AND $2 IN (o.buyer_id, s.account_id))",
        currency,
        account_id,
        now - COUNTED_FOR,
    )
    return found


# What two agreed on does not count.
_ALONE: Final = (
    "SELECT coalesce(sum(r.amount), 0)::bigint FROM refunds r "
    "WHERE r.status NOT IN ('refused', 'failed', 'canceled') "
    "AND NOT EXISTS (SELECT FROM approvals a WHERE a.asked_by = r.requested_by "
    "  AND a.subject = r.order_id AND a.state = 'approved' "
    "  AND 'approval:' || a.id = r.idempotency_key)"
)
