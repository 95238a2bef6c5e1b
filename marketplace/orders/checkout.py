"""Checkout: vouch for the seller, set stock aside, have the one PaymentIntent made, hand it to the buyer.

The gate is asked first, outside any transaction, because it may have to ask Stripe; it is asked again under
the order's lock, where it only reads. Nothing is asked of Stripe for a seller who cannot be paid.
"""

import contextlib
from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog

from marketplace.catalog import stock
from marketplace.catalog.catalog import Catalog
from marketplace.orders import records, steps
from marketplace.orders.errors import (
    CheckoutOver,
    ListingNotOffered,
    OrderNotFound,
    OrderStepRefused,
)
from marketplace.orders.order_states import after
from marketplace.orders.reading import OrderView, view
from marketplace.orders.records import Actor, OrderRecord
from marketplace.orders.steps import PLATFORM
from marketplace.sellers.vouching import Vouching
from payments.database import execute, rows, transaction
from payments.errors import PaymentError, PaymentNotFound
from payments.ids import OperationId
from payments.lifecycle import DestinationCharge, IntentForBuyer, Payments
from payments.states import CANCELED

_PUT_OFF: Final = timedelta(minutes=10)
"""An expiry that could not be settled comes back after this: it must not hold up the others."""
_OVER: Final = "the time to pay is over"

_log = structlog.get_logger("marketplace.orders.checkout")


class Buyer(msgspec.Struct, frozen=True):
    """Who pays; Stripe sends the receipt to `email`."""

    account_id: str
    email: str


class Checkout:
    """Use cases of getting an order paid, and of ending it when nobody does."""

    def __init__(self, payments: Payments, vouching: Vouching, catalog: Catalog) -> None:
        self._payments = payments
        self._vouching = vouching
        self._catalog = catalog

    async def begin(self, order_id: str, buyer: Buyer, now: datetime) -> IntentForBuyer:
        """The order's one PaymentIntent, made now or found again, with the client secret for its buyer.

        A new one is made only when Stripe ended the earlier one and the order is still in checkout.
        Raises OrderNotFound, OrderStepRefused, CheckoutOver, SellerNotPayable, OutOfStock,
        ListingNotOffered, and what payments raises: StripeRejected, NotSent, OutcomeUnknown.
        """
        intent = await self._begin_once(order_id, buyer, now)
        if intent is None:
            # Stripe had ended it without our knowledge: that is absorbed by now, so this one is new.
            intent = await self._begin_once(order_id, buyer, now)
        if intent is None:
            raise PaymentNotFound(order_id)
        return intent

    async def _begin_once(
        self, order_id: str, buyer: Buyer, now: datetime
    ) -> IntentForBuyer | None:
        order = await self._require_own(order_id, buyer)
        _require_open(order, now)
        await self._vouching.require_payable(order.seller_id, now)
        async with transaction():
            operation_id = await self._plan(order_id, buyer, now)
        try:
            intent = await self._payments.open_intent(order_id, operation_id)
        except PaymentNotFound:
            return None
        return None if intent.status == CANCELED else intent

    async def _plan(self, order_id: str, buyer: Buyer, now: datetime) -> OperationId:
        """Under the order's lock: everything that must be true before Stripe is asked."""
        order = await records.lock(order_id)
        _require_open(order, now)
        destination = await self._vouching.require_payable_now(order.seller_id, now)
        alive = await self._payments.creation_of_live(order_id)
        if alive is not None:
            if await self._payments.is_being_canceled(order_id):
                raise OrderStepRefused(order.status, "checkout_begun")
            return alive
        order = await self._make_ready(order, buyer, now)
        return await self._payments.plan_intent(
            DestinationCharge(
                order_id=order.id,
                seller_id=order.seller_id,
                generation=order.generation,
                amount=order.total,
                currency=order.currency,
                application_fee=order.application_fee,
                destination=destination,
                capture_method=order.capture_method,
                receipt_email=buyer.email,
                description=f"Order {order.id}",
            ),
            now,
        )

    async def _make_ready(self, order: OrderRecord, buyer: Buyer, now: datetime) -> OrderRecord:
        """Set the stock aside and begin the payment's next generation."""
        lines = (await records.lines_of([order.id]))[order.id]
        offered = await self._catalog.offers([line.listing_id for line in lines])
        for line in lines:
            if line.listing_id not in offered:
                raise ListingNotOffered(line.listing_id)
        # Sessions have no stock.
        products = {line.listing_id: line.quantity for line in lines if line.kind == "product"}
        await stock.reserve(order.id, products, now)
        next_one = msgspec.structs.replace(order, generation=order.generation + 1)
        return await steps.take(next_one, "checkout_begun", actor=buyer.account_id, now=now)

    async def refresh(self, order_id: str, actor: Actor) -> OrderView:
        """Ask Stripe how the order's payment stands: for a buyer who just paid and whose webhook is late.

        An order that was never in checkout is answered as it is. Raises OrderNotFound, NotSent,
        OutcomeUnknown.
        """
        order = await records.require(order_id, actor)
        try:
            await self._payments.refresh(order.id)
        except PaymentNotFound:
            return await view(order)
        return await view(await records.require(order_id, actor))

    async def expire_due(self, now: datetime, limit: int = 50) -> int:
        """The sweep: end orders nobody paid in time; answers how many were tried.

        The PaymentIntent is read and canceled first. If the buyer was faster, the order goes on.
        """
        due = await rows(
            "SELECT id FROM orders WHERE status = 'checkout' AND checkout_expires_at <= $1 "
            "ORDER BY checkout_expires_at LIMIT $2",
            now,
            limit,
        )
        for record in due:
            try:
                await self._expire(record["id"], now)
            except PaymentError as error:
                _log.warning(
                    "checkout not expired yet", order_id=record["id"], why=type(error).__name__
                )
                await _put_off(record["id"], now)
            except Exception:  # noqa: BLE001 - an order that cannot end must not keep the others open
                _log.exception("checkout cannot expire", order_id=record["id"], alarm=True)
                await _put_off(record["id"], now)
        return len(due)

    async def _expire(self, order_id: str, now: datetime) -> None:
        # Stripe would cancel a hold too, one that the buyer made in time and nobody told us of.
        with contextlib.suppress(PaymentNotFound):
            await self._payments.refresh(order_id)
        async with transaction():
            order = await records.lock(order_id)
            if order.status != "checkout" or order.checkout_expires_at > now:
                return
            operation_id = await self._payments.plan_cancel(order_id, "abandoned", now)
            if operation_id is None:
                await stock.release(order_id)
                await steps.take(order, "expired", actor=PLATFORM, now=now, reason=_OVER)
                return
            if await steps.latest(order_id, ["expiry_asked"]) is None:
                await steps.take(order, "expiry_asked", actor=PLATFORM, now=now, reason=_OVER)
        await self._payments.carry_out(operation_id)

    async def _require_own(self, order_id: str, buyer: Buyer) -> OrderRecord:
        """The buyer's own order: only the buyer is ever given its client secret."""
        order = await records.require(order_id, Actor(buyer.account_id))
        if order.buyer_id != buyer.account_id:
            raise OrderNotFound(order_id)
        return order


def _require_open(order: OrderRecord, now: datetime) -> None:
    after(order.status, "checkout_begun")
    if order.checkout_expires_at <= now:
        raise CheckoutOver(order.id)


async def _put_off(order_id: str, now: datetime) -> None:
    await execute(
        "UPDATE orders SET checkout_expires_at = $2 WHERE id = $1 AND status = 'checkout'",
        order_id,
        now + _PUT_OFF,
    )
