"""Checkout: vouch for the seller, set stock aside, have the one PaymentIntent made, hand it to the buyer.

The gate is asked first, outside any transaction, because it may have to ask Stripe; it is asked again under
the order's lock, where it only reads. Nothing is asked of Stripe for a seller who cannot be paid.
"""

from datetime import datetime
from typing import Protocol

import msgspec
import structlog

from marketplace.catalog import stock
from marketplace.catalog.catalog import Catalog
from marketplace.orders import (
    card_testing,
    changes,
    doubles,
    freezing,
    group_cards,
    records,
    steps,
)
from marketplace.orders.card_testing import CheckoutLimits
from marketplace.orders.doubles import Doubles
from marketplace.orders.errors import (
    CheckoutOver,
    ListingNotOffered,
    OrderStepRefused,
    TotalChanged,
)
from marketplace.orders.order_states import after
from marketplace.orders.placing import CHECKOUT_LASTS
from marketplace.orders.reading import OrderView, view
from marketplace.orders.records import Actor, OrderRecord
from marketplace.orders.totals import Line
from marketplace.oversight.switches import require_on
from marketplace.sellers.vouching import Vouching
from payments.database import execute, transaction
from payments.errors import IntentMissing, PaymentError, PaymentNotFound, SellerCannotReceive
from payments.gateway import Shipping
from payments.ids import OperationId
from payments.lifecycle import DestinationCharge, IntentForBuyer, Payments
from payments.states import CANCELED


class Buyer(msgspec.Struct, frozen=True):
    """Who pays; Stripe sends the receipt to `email`."""

    account_id: str
    email: str


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What a buyer may ask for beside paying: the same again though just bought, and the card kept.

    `save_card` None leaves that as it is, at first: not kept. `of_group`: a checkout group asks, for its own
    ends, and not the buyer.
    """

    again: bool = False
    save_card: bool | None = None
    of_group: bool = False


NO_WISHES = Wishes()

_log = structlog.get_logger("marketplace.orders.checkout")


class Customers(Protocol):
    """Who Stripe knows buyers as: only to its Customer a card can be kept, and kept cards be charged."""

    async def customer_of(self, buyer_id: str, email: str, now: datetime) -> str:
        """Stripe's Customer of this buyer, made when first needed. Raises what payments raises."""
        ...


class Checkout:
    """Use cases of getting an order paid."""

    def __init__(
        self,
        payments: Payments,
        vouching: Vouching,
        catalog: Catalog,
        customers: Customers,
        limits: CheckoutLimits | None = None,
    ) -> None:
        self._payments = payments
        self._vouching = vouching
        self._catalog = catalog
        self._customers = customers
        self._doubles = Doubles(payments)
        self._limits = limits or CheckoutLimits()

    async def begin(
        self, order_id: str, buyer: Buyer, now: datetime, wishes: Wishes = NO_WISHES
    ) -> IntentForBuyer:
        """The order's one PaymentIntent, made now or found again, with the client secret for its buyer.

        A new one is made only when Stripe ended the earlier one, or when the order had expired and its
        prices still hold; none beside an earlier one that Stripe did not know and may know after all.
        Raises OrderNotFound, OrderStepRefused, CheckoutOver, ChangeUnderWay, BoughtAlready, TotalChanged,
        TooManyTries, SwitchedOff, SellerNotPayable, OutOfStock, ListingNotOffered, and what payments
        raises: StripeRejected (IntentMissing: cancel it, or let it expire), NotSent, OutcomeUnknown.
        """
        intent = await self._begin_once(order_id, buyer, now, wishes)
        if intent is None:
            # Stripe had ended it without our knowledge: that is absorbed by now, so this one is new.
            intent = await self._begin_once(order_id, buyer, now, wishes)
        if intent is None:
            raise PaymentNotFound(order_id)
        return intent

    async def _begin_once(
        self, order_id: str, buyer: Buyer, now: datetime, wishes: Wishes
    ) -> IntentForBuyer | None:
        order = await records.require_bought(order_id, buyer.account_id)
        require_open(order, now)
        await require_on("checkout", seller_id=order.seller_id, currency=order.currency, now=now)
        destination = await self._vouching.require_payable(order.seller_id, now)
        if order.group_id is not None and wishes.save_card is not None and not wishes.of_group:
            await group_cards.note_wish(order.group_id, wishes.save_card)
        if not wishes.again:
            await self._doubles.require_none(order, now)
        # Every PaymentIntent has one: whether the buyer takes a kept card is decided later.
        customer_id = await self._customers.customer_of(buyer.account_id, buyer.email, now)
        async with transaction():
            begun = await self._payments.creation_of_live(order_id)
            operation_id = await self._plan(order_id, buyer, customer_id, now, wishes)
        try:
            intent = await self._payments.open_intent(order_id, operation_id)
        except PaymentNotFound:
            return None
        except SellerCannotReceive:
            # Stripe knows better than our snapshot: the account is read before the next try.
            await self._vouching.doubt(destination)
            raise
        if intent.status == CANCELED:
            return None
        if wishes.save_card is not None and begun == operation_id:
            await self._keep_card(order_id, wishes.save_card, now)
        return intent

    async def _keep_card(self, order_id: str, keep: bool, now: datetime) -> None:
        """The buyer says whether to keep their card, and the PaymentIntent was made before.

        Whatever comes of it, they can pay.
        """
        try:
            # Twice: what they had said before may be under way still.
            for _ in range(2):
                async with transaction():
                    await records.lock(order_id)
                    operation_id = await self._payments.plan_keeping_card(order_id, keep, now)
                if operation_id is None:
                    return
                await self._payments.carry_out(operation_id)
        except PaymentError as error:
            _log.warning(
                "whether a card is kept could not be changed",
                order_id=order_id,
                keep=keep,
                outcome=type(error).__name__,
            )

    async def _plan(
        self, order_id: str, buyer: Buyer, customer_id: str, now: datetime, wishes: Wishes
    ) -> OperationId:
        """Under the order's lock: everything that must be true before Stripe is asked."""
        order = await records.lock(order_id)
        require_open(order, now)
        await require_on("checkout", seller_id=order.seller_id, currency=order.currency, now=now)
        await changes.require_settled(order)
        destination = await self._vouching.require_payable_now(order.seller_id, now)
        if wishes.again:
            await doubles.wanted_again(order)
        alive = await self._payments.creation_of_live(order_id)
        if alive is not None:
            if await self._payments.is_being_canceled(order_id):
                raise OrderStepRefused(order.status, "checkout_begun")
            return alive
        if await self._payments.may_come_back(order_id):
            raise OrderStepRefused(order.status, "checkout_begun")
        await card_testing.count_checkout(order.buyer_id, self._limits, now)
        await card_testing.require_few_declines(order.buyer_id, self._limits, now)
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
                customer_id=customer_id,
                save_card=bool(wishes.save_card),
                shipping=_shipping(order),
            ),
            now,
        )

    async def _make_ready(self, order: OrderRecord, buyer: Buyer, now: datetime) -> OrderRecord:
        """Set the stock aside and begin the payment's next generation."""
        lines = (await records.lines_of([order.id]))[order.id]
        await self._require_offered(order, lines)
        # Sessions have no stock.
        products = {line.listing_id: line.quantity for line in lines if line.kind == "product"}
        await stock.reserve(order.id, products, now)
        if order.status != "checkout":
            order = await _begin_anew(order, now)
        next_one = msgspec.structs.replace(order, generation=order.generation + 1)
        return await steps.take(next_one, "checkout_begun", actor=buyer.account_id, now=now)

    async def _require_offered(self, order: OrderRecord, lines: tuple[Line, ...]) -> None:
        """Raises ListingNotOffered, and for an order that had expired TotalChanged: its day is over."""
        offered = await self._catalog.offers([line.listing_id for line in lines])
        for line in lines:
            if line.listing_id not in offered:
                raise ListingNotOffered(line.listing_id)
        total = order.service_fee + sum(
            offered[line.listing_id].unit_amount * line.quantity for line in lines
        )
        if order.status != "checkout" and total != order.total:
            raise TotalChanged(order.id, shown=order.total, total=total, currency=order.currency)

    async def refresh(self, order_id: str, actor: Actor) -> OrderView:
        """Ask Stripe how the order's payment stands: for a buyer who just paid and whose webhook is late.

        An order that was never in checkout, or whose payment Stripe does not know, is answered as it is.
        Raises OrderNotFound, NotSent, OutcomeUnknown.
        """
        order = await records.require(order_id, actor)
        try:
            await self._payments.refresh(order.id)
        except (PaymentNotFound, IntentMissing):
            return await view(order)
        return await view(await records.require(order_id, actor))


def _shipping(order: OrderRecord) -> Shipping | None:
    return None if order.shipping is None else msgspec.json.decode(order.shipping, type=Shipping)


def require_open(order: OrderRecord, now: datetime) -> None:
    """Raises OrderStepRefused or CheckoutOver unless the order may be paid, or begun anew."""
    after(order.status, "checkout_begun")
    if order.status == "checkout" and order.checkout_expires_at <= now:
        raise CheckoutOver(order.id)


async def _begin_anew(order: OrderRecord, now: datetime) -> OrderRecord:
    """An expired order has its full time again; nothing of the earlier confirmation counts."""
    ends = now + CHECKOUT_LASTS
    await execute(
        "UPDATE orders SET checkout_expires_at = $2, expiry_due_at = $2, held_reason = NULL "
        "WHERE id = $1",
        order.id,
        ends,
    )
    order = msgspec.structs.replace(order, checkout_expires_at=ends, expiry_due_at=ends)
    return await freezing.forget(order)
