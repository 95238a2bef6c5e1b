"""Changing a cart until it is confirmed: the order follows Stripe, so that no other total is ever charged.

While a PaymentIntent is alive a change is first written down whole, priced, with its stock set aside; then
Stripe is asked for the new amount; what Stripe took becomes the order. Until its answer is known the order
is the old one and nobody may confirm it.
"""

import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType

from marketplace.catalog import stock
from marketplace.fees import credits
from marketplace.fees.rules import FeeQuote
from marketplace.orders import carts, freezing, order_fees, records, steps
from marketplace.orders.addresses import checked
from marketplace.orders.carts import Cart, Priced, Pricing
from marketplace.orders.errors import CartFrozen, ChangeUnderWay, CheckoutOver, ShippingNotNeeded
from marketplace.orders.order_states import ENDED, after
from marketplace.orders.reading import OrderView, view
from marketplace.orders.records import Actor, OrderRecord
from marketplace.orders.steps import STRIPE
from marketplace.orders.totals import Wanted
from marketplace.sellers.countries import COUNTRIES
from payments.database import execute, row, transaction, value
from payments.errors import PaymentNotFound, PaymentStepRefused
from payments.events import AmendmentRefused, PaymentAmended
from payments.gateway import Shipping
from payments.ids import OperationId, new_id
from payments.lifecycle import Payments


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A change on its way; the cart is exactly what the order will be."""

    id: str
    version: int
    cart: Cart
    asked_by: str


class Changes:
    """The use case of changing a cart."""

    def __init__(self, payments: Payments, pricing: Pricing) -> None:
        self._payments = payments
        self._pricing = pricing

    async def change(
        self,
        order_id: str,
        buyer_id: str,
        *,
        wanted: Sequence[Wanted] | None,
        shipping: Shipping | UnsetType | None,
        now: datetime,
    ) -> OrderView:
        """Make the order's cart these lines (None leaves them) and this address (UNSET leaves it).

        Lines are priced and the fee is quoted anew, by what holds now. Raises OrderNotFound,
        OrderStepRefused, CheckoutOver, CartFrozen, ChangeUnderWay, ShippingRefused, ShippingNotNeeded,
        OutOfStock, the kinds of LinesRefused, and what payments raises: PaymentStepRefused,
        StripeRejected when Stripe will not take the amount; after NotSent and OutcomeUnknown the change
        stands and is carried out later.
        """
        order = await records.require_bought(order_id, buyer_id)
        require_changeable(order, now)
        if isinstance(shipping, Shipping):
            shipping = checked(shipping, COUNTRIES)
        priced = None if wanted is None else await self._pricing.price_again(order, wanted, now)
        if freezing.is_stale(order, now):
            with contextlib.suppress(PaymentNotFound):
                await self._payments.refresh(order_id)
        async with transaction():
            operation_id = await self._plan(order_id, buyer_id, priced, shipping, now)
        if operation_id is not None:
            await self._payments.carry_out(operation_id)
        return await view(await records.require(order_id, Actor(buyer_id)))

    async def _plan(
        self,
        order_id: str,
        buyer_id: str,
        priced: Priced | None,
        shipping: Shipping | UnsetType | None,
        now: datetime,
    ) -> OperationId | None:
        order = await records.lock(order_id)
        require_changeable(order, now)
        await require_settled(order)
        live = await self._payments.find_live(order_id)
        status = None if live is None else live.status
        if status == "requires_action":
            # The bank shows the buyer the earlier total: whoever wants another one goes back first.
            raise CartFrozen(order_id, order.total)
        order = await freezing.thawed(order, status, actor=buyer_id, now=now)
        before = await _cart_of(order)
        cart = _changed(order, before, priced, shipping)
        if cart == before:
            return None
        if live is not None:
            # Whatever Stripe answers, the stock of that cart is there.
            await stock.adjust(order.id, _both(before.products, cart.products), now)
        return await self._ask(order, cart, buyer_id, now)

    async def _ask(
        self, order: OrderRecord, cart: Cart, buyer_id: str, now: datetime
    ) -> OperationId | None:
        version = await _next_version(order)
        cart = await self._with_credit(order, cart, now)
        operation_id = await self._payments.plan_amendment(
            order.id,
            amount=cart.total,
            application_fee=cart.fee.fee,
            version=version,
            shipping=cart.shipping,
            now=now,
        )
        change = Change(id=new_id("chg"), version=version, cart=cart, asked_by=buyer_id)
        await _write(order, change, now)
        if operation_id is None:
            if await self._payments.find_live(order.id) is not None:
                raise PaymentStepRefused("amend", payment_status="planned")
            await _apply(order, change, now, reserved=False)
        return operation_id

    async def _with_credit(self, order: OrderRecord, cart: Cart, now: datetime) -> Cart:
        """With the credit it takes beyond what the order holds; what it leaves goes back later."""
        held = await credits.held_by(order.id)
        fee, pieces = await self._pricing.with_credit(cart.fee, held, now)
        await credits.note(order.id, pieces, now)
        return msgspec.structs.replace(cart, fee=fee, total=fee.total)


def require_changeable(order: OrderRecord, now: datetime) -> None:
    """Raises OrderStepRefused or CheckoutOver unless the order is in checkout and in time."""
    after(order.status, "changed")
    if order.checkout_expires_at <= now:
        raise CheckoutOver(order.id)


async def require_settled(order: OrderRecord) -> None:
    """Raises ChangeUnderWay while Stripe has not answered a change of this cart."""
    version = await value(
        "SELECT version FROM order_changes WHERE order_id = $1 AND state = 'asked'", order.id
    )
    if version is not None:
        raise ChangeUnderWay(order.id, version)


async def conclude(order: OrderRecord, event: PaymentAmended | AmendmentRefused) -> None:
    """Take in what Stripe said to the new amount, in the open transaction; told twice it is once."""
    change = await _asked(order.id)
    if change is None or change.version != event.version:
        return
    if order.status != "checkout":
        await _close(change, "refused", event.occurred_at, reason="ended")
        holds = 0 if order.status in ENDED else order.fee_credit
        await credits.settle(order.id, holds, event.occurred_at)
    elif isinstance(event, PaymentAmended):
        await _apply(order, change, event.occurred_at, reserved=True)
    else:
        await _refuse(order, change, event.occurred_at, event.code)


async def _apply(
    order: OrderRecord, change: Change, now: datetime, *, reserved: bool
) -> OrderRecord:
    """The change becomes the order; `reserved` tells whether a checkout holds stock for it."""
    reason = None if change.cart.total == order.total else f"{order.total} to {change.cart.total}"
    order = await steps.take(order, "changed", actor=change.asked_by, now=now, reason=reason)
    order = await carts.become(order, change.cart, change.version, now)
    if reserved:
        await stock.adjust(order.id, change.cart.products, now)
    else:
        await stock.forget(order.id)
    await credits.settle(order.id, order.fee_credit, now)
    await _close(change, "applied", now)
    return order


async def _refuse(order: OrderRecord, change: Change, now: datetime, code: str) -> None:
    """The order stays what it is, and so does what is set aside for it."""
    await steps.take(order, "change_refused", actor=STRIPE, now=now, reason=code)
    await stock.adjust(order.id, (await _cart_of(order)).products, now)
    await credits.settle(order.id, order.fee_credit, now)
    await _close(change, "refused", now, reason=code)


def _changed(
    order: OrderRecord,
    before: Cart,
    priced: Priced | None,
    shipping: Shipping | UnsetType | None,
) -> Cart:
    """The cart after what was asked for. Raises ShippingNotNeeded."""
    cart = before
    if priced is not None and (
        priced.totals.lines != cart.lines or _charged(priced.fee) != _charged(cart.fee)
    ):
        cart = msgspec.structs.replace(
            cart, lines=priced.totals.lines, total=priced.total, fee=priced.fee
        )
    if shipping is not UNSET:
        cart = msgspec.structs.replace(cart, shipping=shipping)
    if shipping and not cart.products:
        raise ShippingNotNeeded(order.id)
    return cart


def _charged(fee: FeeQuote) -> tuple[object, ...]:
    """What a fee comes to, whenever it was quoted."""
    return fee.schedule_id, fee.rule_ids, fee.total, fee.fee, fee.credit, fee.service_fee


def _both(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """As many of each as the one or the other wants."""
    return {each: max(one.get(each, 0), other.get(each, 0)) for each in one.keys() | other.keys()}


async def _cart_of(order: OrderRecord) -> Cart:
    shipping = order.shipping
    return Cart(
        lines=(await records.lines_of([order.id]))[order.id],
        total=order.total,
        fee=await order_fees.kept(order.id),
        shipping=None if shipping is None else msgspec.json.decode(shipping, type=Shipping),
    )


async def _next_version(order: OrderRecord) -> int:
    """One more than any version asked for: a refused one has used up its key at Stripe."""
    latest: int | None = await value(
        "SELECT max(version) FROM order_changes WHERE order_id = $1", order.id
    )
    return max(order.cart_version, latest or 0) + 1


async def _asked(order_id: str) -> Change | None:
    found = await row(
        "SELECT id, version, cart, asked_by FROM order_changes "
        "WHERE order_id = $1 AND state = 'asked'",
        order_id,
    )
    if found is None:
        return None
    return Change(
        id=found["id"],
        version=found["version"],
        cart=msgspec.json.decode(found["cart"], type=Cart),
        asked_by=found["asked_by"],
    )


async def _write(order: OrderRecord, change: Change, now: datetime) -> None:
    await execute(
        "INSERT INTO order_changes (id, order_id, version, cart, total, application_fee, state, "
        "asked_by, created_at) VALUES ($1, $2, $3, $4, $5, $6, 'asked', $7, $8)",
        change.id,
        order.id,
        change.version,
        msgspec.json.encode(change.cart).decode(),
        change.cart.total,
        change.cart.fee.fee,
        change.asked_by,
        now,
    )


async def _close(change: Change, state: str, now: datetime, reason: str | None = None) -> None:
    await execute(
        "UPDATE order_changes SET state = $2, concluded_at = $3, reason = $4 WHERE id = $1",
        change.id,
        state,
        now,
        reason,
    )
