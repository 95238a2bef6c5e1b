"""Shipping a product: only with captured money behind it, with a carrier and a number the buyer can follow.

Both are written to Stripe's charge too, where a bank looks in a dispute; that never holds a parcel up.
"""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from marketplace.orders import records, steps
from marketplace.orders.fulfilment import (
    require_not_canceling,
    require_not_held,
    require_paid_for,
    require_product,
    require_seller,
)
from marketplace.orders.fulfilment_errors import ParcelRefused
from marketplace.orders.order_states import Step, after
from marketplace.orders.reading import OrderView, view
from marketplace.orders.records import Actor, OrderRecord
from payments.database import execute, row, transaction
from payments.gateway import Shipping as Recipient
from payments.ids import OperationId
from payments.tracking import Tracking

CARRIER_LIMIT: Final = 60
TRACKING_NUMBER_LIMIT: Final = 80
DELIVERY_LASTS: Final = timedelta(days=14)
"""So long after shipping an order is complete by itself, unless its buyer said so before."""


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """Who carries it, and the number to ask them by."""

    carrier: str
    tracking_number: str

    def __str__(self) -> str:
        """As the order's history tells it."""
        return f"{self.carrier} {self.tracking_number}"


def checked(parcel: Parcel) -> Parcel:
    """Without blanks around it. Raises ParcelRefused."""
    return Parcel(
        carrier=_text("carrier", parcel.carrier, CARRIER_LIMIT),
        tracking_number=_text("tracking_number", parcel.tracking_number, TRACKING_NUMBER_LIMIT),
    )


class Shipping:
    """Use cases of sending an order and of correcting what was said about it."""

    def __init__(self, tracking: Tracking) -> None:
        self._tracking = tracking

    async def ship(self, order_id: str, actor: Actor, parcel: Parcel, now: datetime) -> OrderView:
        """The parcel is on its way.

        Raises OrderNotFound, SellerOnly, ShippingNotNeeded, OrderStepRefused before the money is captured,
        NotPaidFor when it went back, FulfilmentHeld, CancellationUnderWay, ParcelRefused.
        """
        parcel = checked(parcel)
        async with transaction():
            order = await _lock(order_id, actor, "shipped")
            require_not_held(order)
            await require_not_canceling(order)
            await require_paid_for(order)
            await _write(order.id, parcel, now)
            await execute(
                "UPDATE orders SET completes_at = $2 WHERE id = $1", order.id, now + DELIVERY_LASTS
            )
            operation_id = await self._go(order, "shipped", actor, parcel, now)
        return await self._told(order_id, actor, operation_id)

    async def correct(
        self, order_id: str, actor: Actor, parcel: Parcel, now: datetime
    ) -> OrderView:
        """Carrier and number were other ones; saying the same again changes nothing.

        Raises OrderNotFound, SellerOnly, ShippingNotNeeded, OrderStepRefused unless it is on its way,
        ParcelRefused.
        """
        parcel = checked(parcel)
        operation_id = None
        async with transaction():
            order = await _lock(order_id, actor, "tracking_corrected")
            if await _write(order.id, parcel, now):
                operation_id = await self._go(order, "tracking_corrected", actor, parcel, now)
        return await self._told(order_id, actor, operation_id)

    async def _go(
        self, order: OrderRecord, step: Step, actor: Actor, parcel: Parcel, now: datetime
    ) -> OperationId | None:
        await steps.take(order, step, actor=actor.account_id, now=now, reason=str(parcel))
        if order.shipping is None:
            return None  # Stripe keeps tracking only beside an address
        return await self._tracking.plan(
            order.id,
            to=msgspec.json.decode(order.shipping, type=Recipient),
            carrier=parcel.carrier,
            tracking_number=parcel.tracking_number,
        )

    async def _told(
        self, order_id: str, actor: Actor, operation_id: OperationId | None
    ) -> OrderView:
        if operation_id is not None:
            await self._tracking.carry_out(operation_id)
        return await view(await records.require(order_id, actor))


async def _lock(order_id: str, actor: Actor, step: Step) -> OrderRecord:
    order = await records.lock(order_id)
    require_seller(order, actor)
    require_product(order)
    after(order.status, step)
    return order


async def _write(order_id: str, parcel: Parcel, now: datetime) -> bool:
    """Keep what is true now; answers whether it is news."""
    written = await row(
        "INSERT INTO shipments (order_id, carrier, tracking_number, shipped_at, updated_at) "
        "VALUES ($1, $2, $3, $4, $4) ON CONFLICT (order_id) DO UPDATE "
        "SET carrier = $2, tracking_number = $3, updated_at = $4 "
        "WHERE (shipments.carrier, shipments.tracking_number) <> ($2, $3) RETURNING order_id",
        order_id,
        parcel.carrier,
        parcel.tracking_number,
        now,
    )
    return written is not None


def _text(field: str, given: str, limit: int) -> str:
    text = given.strip()
    if not text or len(text) > limit or not text.isprintable():
        raise ParcelRefused(field, limit)
    return text
