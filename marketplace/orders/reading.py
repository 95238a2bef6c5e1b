"""Orders with their lines and payments: six queries for a page at most, however long it is."""

from datetime import datetime

import msgspec

from marketplace.orders import records
from marketplace.orders.errors import OrderNotFound
from marketplace.orders.fulfilment import canceling
from marketplace.orders.order_states import STATUSES, Status
from marketplace.orders.records import SELECT, Actor, OrderRecord, lines_of
from marketplace.orders.shipments import Shipment, shipments_of
from marketplace.orders.totals import Line
from marketplace.paging import Page, PageRequest
from payments.database import rows


class PaymentSummary(msgspec.Struct, frozen=True, kw_only=True):
    """How the money of an order stands: Stripe's status, and minor units of the order's currency."""

    order_id: str
    id: str
    status: str
    intent_id: str | None
    amount_captured: int
    amount_refunded: int
    fee_captured: int
    fee_refunded: int
    processing_cost: int
    capture_before: datetime | None


class PendingChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change of the cart that Stripe has not answered yet: the order still is the old one."""

    order_id: str
    version: int
    total: int
    created_at: datetime


class OrderView(msgspec.Struct, frozen=True):
    """An order as people look at it. `payment` is None before the first checkout."""

    order: OrderRecord
    lines: tuple[Line, ...]
    payment: PaymentSummary | None
    change: PendingChange | None = None
    shipment: Shipment | None = None
    # The refund of its cancellation is on its way.
    canceling: bool = False


class OrderFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which orders to list; None means any."""

    buyer_id: str | None = None
    seller_id: str | None = None
    owner_id: str | None = None
    status: Status | None = None
    # Whether orders that are still in checkout are wanted too.
    carts: bool = True


async def view(order: OrderRecord) -> OrderView:
    """One order with its lines and payment."""
    return (await _views([order]))[0]


async def require_payer(order_id: str, actor: Actor) -> OrderRecord:
    """The order, for who pays it and for admins: what a bank says of a buyer is not its seller's.

    Raises OrderNotFound, for its seller too.
    """
    order = await records.require(order_id, actor)
    if not actor.is_admin and actor.account_id != order.buyer_id:
        raise OrderNotFound(order_id)
    return order


async def views_of_groups(group_ids: list[str]) -> dict[str, tuple[OrderView, ...]]:
    """The orders of these checkout groups, by group, as they were placed."""
    found = await rows(
        f"{SELECT} WHERE o.group_id = ANY($1::text[]) ORDER BY o.idempotency_key", group_ids
    )
    grouped: dict[str, tuple[OrderView, ...]] = {}
    for each in await _views([OrderRecord(**record) for record in found]):
        group_id = each.order.group_id or ""
        grouped[group_id] = (*grouped.get(group_id, ()), each)
    return grouped


async def page(wanted: OrderFilter, request: PageRequest) -> Page[OrderView]:
    """Orders that fit `wanted`, the newest first."""
    conditions, arguments = ["true"], []
    given = {
        "o.buyer_id =": wanted.buyer_id,
        "o.seller_id =": wanted.seller_id,
        "s.account_id =": wanted.owner_id,
        "o.status <>": None if wanted.carts else "checkout",
        "o.id <": request.starting_after,
    }
    if wanted.status is not None:
        # Spelled out: of a `$1` PostgreSQL plans for any status after a few requests, which means for those
        # that most orders have, and walks along all of them to find that none has this one.
        conditions.append(f"o.status = '{STATUSES[STATUSES.index(wanted.status)]}'")
    # Only the conditions that are given are sent, so that each list can use its own index.
    for condition, argument in given.items():
        if argument is not None:
            arguments.append(argument)
            conditions.append(f"{condition} ${len(arguments)}")
    found = await rows(
        f"{SELECT} WHERE {' AND '.join(conditions)} ORDER BY o.id DESC LIMIT {request.fetched}",
        *arguments,
    )
    orders = Page.cut([OrderRecord(**record) for record in found], request)
    return Page(await _views(orders.data), orders.has_more)


async def _views(orders: list[OrderRecord]) -> list[OrderView]:
    order_ids = [order.id for order in orders]
    if not order_ids:
        return []
    lines, payments = await lines_of(order_ids), await _payments_of(order_ids)
    changes = await _changes_of([o.id for o in orders if o.status == "checkout" and o.generation])
    sent = [order.id for order in orders if order.status in ("shipped", "completed", "canceled")]
    shipments = await shipments_of(sent) if sent else {}
    paid = [order.id for order in orders if order.status in ("paid", "shipped")]
    being_canceled = await canceling(paid) if paid else frozenset[str]()
    return [
        OrderView(
            order,
            lines[order.id],
            payments.get(order.id),
            changes.get(order.id),
            shipments.get(order.id),
            order.id in being_canceled,
        )
        for order in orders
    ]


async def _changes_of(order_ids: list[str]) -> dict[str, PendingChange]:
    """The change on its way of each order that has one; only an order in checkout may."""
    if not order_ids:
        return {}
    found = await rows(
        f"SELECT {', '.join(PendingChange.__struct_fields__)} FROM order_changes "
        "WHERE order_id = ANY($1::text[]) AND state = 'asked'",
        order_ids,
    )
    return {record["order_id"]: PendingChange(**record) for record in found}


async def _payments_of(order_ids: list[str]) -> dict[str, PaymentSummary]:
    """The latest payment of each order that has one."""
    found = await rows(
        f"SELECT DISTINCT ON (order_id) {', '.join(PaymentSummary.__struct_fields__)} FROM payments "
        "WHERE order_id = ANY($1::text[]) ORDER BY order_id, generation DESC",
        order_ids,
    )
    return {record["order_id"]: PaymentSummary(**record) for record in found}
