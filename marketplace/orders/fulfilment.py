"""What must be true before an order goes on: asked by every step between its money and its end."""

from collections.abc import Sequence
from typing import Final

from marketplace.orders.errors import FulfilmentHeld, OrderNotFound, SellerOnly, ShippingNotNeeded
from marketplace.orders.fulfilment_errors import CancellationUnderWay, NotASession, NotPaidFor
from marketplace.orders.records import Actor, OrderRecord
from payments.database import rows, value

_ON_ITS_WAY: Final = "('planned', 'pending', 'requires_action')"

GIVEN_BACK: Final = """
    greatest(p.amount_refunded, (SELECT coalesce(sum(r.amount), 0)::bigint FROM refunds r
        WHERE r.payment_id = p.id AND r.status NOT IN ('failed', 'canceled', 'refused')))
    + (SELECT coalesce(sum(d.amount_withdrawn - d.amount_reinstated), 0)::bigint FROM disputes d
        WHERE d.payment_id = p.id AND d.closed_at IS NOT NULL)
"""
"""SQL of what of payment `p` is with the buyer again or on its way: refunds, and disputes that were lost.

What a dispute took that is still open may come back: refunds wait for its end.
"""


def cancellation_key(order_id: str, number: int | str) -> str:
    """The idempotency key of the refund that a cancellation is; a new number after one that failed."""
    return f"cancellation:{order_id}:{number}"


def is_session(order: OrderRecord) -> bool:
    """Whether the order is for sessions; those are captured at checkout."""
    return order.capture_method == "automatic"


def require_session(order: OrderRecord) -> None:
    """Raise NotASession."""
    if not is_session(order):
        raise NotASession(order.id)


def require_product(order: OrderRecord) -> None:
    """Raise ShippingNotNeeded."""
    if is_session(order):
        raise ShippingNotNeeded(order.id)


def require_seller(order: OrderRecord, actor: Actor) -> None:
    """Raise OrderNotFound for strangers, SellerOnly for the order's buyer."""
    require_party(order, actor)
    if not actor.sells(order):
        raise SellerOnly(order.id)


def require_party(order: OrderRecord, actor: Actor) -> None:
    """Raise OrderNotFound."""
    if not actor.sees(order):
        raise OrderNotFound(order.id)


def require_not_held(order: OrderRecord) -> None:
    """Raise FulfilmentHeld while the money does not match the order."""
    if order.held_reason is not None:
        raise FulfilmentHeld(order.id, order.held_reason)


async def require_not_canceling(order: OrderRecord) -> None:
    """Raise CancellationUnderWay while the refund of a cancellation is on its way."""
    if await canceling([order.id]):
        raise CancellationUnderWay(order.id)


async def canceling(order_ids: Sequence[str]) -> frozenset[str]:
    """Those of these orders whose cancellation waits for its refund."""
    found = await rows(
        "SELECT DISTINCT r.order_id FROM refunds r JOIN orders o ON o.id = r.order_id "
        "WHERE r.order_id = ANY($1::text[]) AND o.status IN ('paid', 'shipped') "
        f"AND r.status IN {_ON_ITS_WAY} AND starts_with(r.idempotency_key, $2 || r.order_id || ':')",
        list(order_ids),
        "cancellation:",
    )
    return frozenset(record["order_id"] for record in found)


async def require_paid_for(order: OrderRecord) -> None:
    """Raise NotPaidFor unless captured money is behind the order that was not given back whole."""
    left = await value(
        f"SELECT p.amount_captured - ({GIVEN_BACK}) FROM payments p "
        "WHERE p.order_id = $1 AND p.live",
        order.id,
    )
    if left is None or left <= 0:
        raise NotPaidFor(order.id)
