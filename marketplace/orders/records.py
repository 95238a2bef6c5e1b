"""Orders as the code reads them, and the one way to lock one."""

from datetime import datetime

import msgspec

from marketplace.orders.errors import OrderNotFound, OwnOrderDecision
from marketplace.orders.order_states import Status
from marketplace.orders.totals import CaptureMethod, Line
from payments.database import lock_order, row, rows


class OrderRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One order. Amounts are minor units of `currency`; `owner_id` is the seller's account."""

    id: str
    buyer_id: str
    seller_id: str
    owner_id: str
    currency: str
    status: Status
    total: int
    capture_method: CaptureMethod
    # Of the lines' fee, its tax and what the buyer pays on top (`service_fee`, part of the total), less the
    # seller's credit.
    application_fee: int
    fee_schedule_id: str
    fee_rule_id: str
    generation: int
    created_at: datetime
    updated_at: datetime
    checkout_expires_at: datetime
    expiry_due_at: datetime | None = None
    # Counts the cart's changes; the frozen total is what the buyer was shown when they confirmed.
    cart_version: int = 1
    shipping: str | None = None
    frozen_at: datetime | None = None
    frozen_total: int | None = None
    # Why nothing may be captured, shipped or completed; None when nothing is in the way.
    held_reason: str | None = None
    group_id: str | None = None
    again: bool = False
    session_at: datetime | None = None
    session_ends_at: datetime | None = None
    cancellation_windows: str | None = None
    deadline_stage: int = 0
    deadline_due_at: datetime | None = None
    completes_at: datetime | None = None
    service_fee: int = 0
    fee_credit: int = 0


SELECT = (
    "SELECT o.id, o.buyer_id, o.seller_id, s.account_id AS owner_id, o.currency, o.status, o.total, "
    "o.capture_method, o.application_fee, o.fee_schedule_id, o.fee_rule_id, o.generation, "
    "o.created_at, o.updated_at, o.checkout_expires_at, o.expiry_due_at, o.cart_version, o.shipping, "
    "o.frozen_at, o.frozen_total, o.held_reason, o.group_id, o.again, o.session_at, o.session_ends_at, "
    "o.cancellation_windows, o.deadline_stage, o.deadline_due_at, o.completes_at, o.service_fee, "
    "o.fee_credit "
    "FROM orders o JOIN sellers s ON s.id = o.seller_id"
)


class Actor(msgspec.Struct, frozen=True):
    """Who asks. An admin sees every order, and may do what its seller may unless they bought it themself."""

    account_id: str
    is_admin: bool = False

    def sees(self, order: OrderRecord) -> bool:
        """Whether the order exists for this person at all."""
        return self.is_admin or self.account_id in (order.buyer_id, order.owner_id)

    def sells(self, order: OrderRecord) -> bool:
        """Whether this person acts for the order's seller."""
        return self.account_id == order.owner_id or self.decides(order)

    def decides(self, order: OrderRecord) -> bool:
        """Whether this is an admin, and no party to the order: nobody decides about their own money."""
        return self.is_admin and self.account_id not in (order.buyer_id, order.owner_id)

    def require_decides(self, order: OrderRecord) -> None:
        """For what only admins are asked. Raises OwnOrderDecision for a party to the order."""
        if not self.decides(order):
            raise OwnOrderDecision(order.id)


async def require(order_id: str, actor: Actor) -> OrderRecord:
    """The order, for somebody who may see it. Raises OrderNotFound, for anybody else too."""
    found = await row(f"{SELECT} WHERE o.id = $1", order_id)
    if found is None:
        raise OrderNotFound(order_id)
    order = OrderRecord(**found)
    if not actor.sees(order):
        raise OrderNotFound(order_id)
    return order


async def require_bought(order_id: str, buyer_id: str) -> OrderRecord:
    """The buyer's own order: only they pay it, change it, and get its client secret.

    Raises OrderNotFound, for its seller too.
    """
    order = await require(order_id, Actor(buyer_id))
    if order.buyer_id != buyer_id:
        raise OrderNotFound(order_id)
    return order


async def lock(order_id: str) -> OrderRecord:
    """Take the order's lock, then read it: what is read stays so until the transaction ends.

    Raises OrderNotFound, NoTransaction outside a transaction.
    """
    await lock_order(order_id)
    found = await row(f"{SELECT} WHERE o.id = $1", order_id)
    if found is None:
        raise OrderNotFound(order_id)
    return OrderRecord(**found)


async def lines_of(order_ids: list[str]) -> dict[str, tuple[Line, ...]]:
    """The lines of these orders, by order; one query however many there are."""
    found = await rows(
        "SELECT order_id, position, listing_id, kind, title, category, unit_amount, quantity, amount, "
        "quantity_prepared, quantity_refunded FROM order_lines WHERE order_id = ANY($1::text[]) "
        "ORDER BY order_id, position",
        order_ids,
    )
    grouped: dict[str, list[Line]] = {order_id: [] for order_id in order_ids}
    for record in found:
        facts = dict(record)
        grouped[facts.pop("order_id")].append(Line(**facts))
    return {order_id: tuple(lines) for order_id, lines in grouped.items()}
