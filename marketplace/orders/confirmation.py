"""Confirming: the buyer pays exactly the total they were shown, in their browser or with a saved card.

The cart stands still from here on. Without a card the buyer's browser confirms at Stripe next; with one of
their saved cards our server does, and where the bank wants to see them their browser goes on.
"""

import contextlib
from datetime import datetime

import msgspec

from marketplace.orders import card_testing, changes, freezing, records
from marketplace.orders.card_testing import CheckoutLimits
from marketplace.orders.checkout import NO_WISHES, Buyer, Checkout, Wishes, require_open
from marketplace.orders.doubles import Doubles
from marketplace.orders.errors import ConfirmationUnderWay, TotalChanged
from marketplace.orders.order_states import after
from marketplace.orders.reading import OrderView, view
from marketplace.orders.records import Actor, OrderRecord
from marketplace.oversight.switches import require_on
from marketplace.sellers.vouching import Vouching
from payments.card_records import CardRecord, find_card
from payments.database import transaction
from payments.errors import PaymentNotFound
from payments.ids import OperationId
from payments.lifecycle import IntentForBuyer, Payments
from payments.records import PaymentRecord
from payments.states import AMENDABLE
from payments.under_way import CONFIRM, operation_under_way

_CHALLENGED = "requires_action"


class Shown(msgspec.Struct, frozen=True):
    """What the buyer saw before they agreed: minor units, and the currency where they say it."""

    amount: int
    currency: str | None = None


class Confirmation:
    """The use cases of confirming, and of going back to the cart."""

    def __init__(
        self,
        payments: Payments,
        vouching: Vouching,
        checkout: Checkout,
        *,
        return_url: str,
        limits: CheckoutLimits | None = None,
    ) -> None:
        """`return_url` is where a bank sends the buyer back to; `{order_id}` in it is the order's."""
        self._payments = payments
        self._vouching = vouching
        self._checkout = checkout
        self._return_url = return_url
        self._doubles = Doubles(payments)
        self._limits = limits or CheckoutLimits()

    async def begin(
        self,
        order_id: str,
        buyer: Buyer,
        shown: Shown,
        now: datetime,
        *,
        card_id: str | None = None,
        wishes: Wishes = NO_WISHES,
    ) -> IntentForBuyer:
        """Freeze the cart at what was shown; with `card_id` ask the bank for it.

        Answers what the buyer's browser needs to confirm, or to go on where the bank wants to see them
        (`requires_action`). Raises TotalChanged, ConfirmationUnderWay, CardNotFound, CardNotToBeRetried,
        TooManyTries, what `Checkout.begin` raises, and the bank's no: CardDeclined, after which the cart
        may change again. After NotSent and OutcomeUnknown the attempt stands.
        """
        order = await records.require_bought(order_id, buyer.account_id)
        require_confirmable(order, shown, now)
        # Before it counts as a try: it is not the buyer's doing.
        await require_on("checkout", seller_id=order.seller_id, currency=order.currency, now=now)
        await card_testing.count_confirmation(buyer.account_id, self._limits, now)
        await card_testing.require_few_declines(buyer.account_id, self._limits, now)
        card = None if card_id is None else await find_card(buyer.account_id, card_id)
        intent = await self._checkout.begin(order_id, buyer, now, wishes)
        if intent.status not in AMENDABLE:
            require_confirmable(await records.require_bought(order_id, order.buyer_id), shown, now)
            raise ConfirmationUnderWay(order_id, intent.status)
        async with transaction():
            operation_id = await self._plan(order_id, shown, card, now)
        if operation_id is None:
            return intent
        return await self._payments.carry_out_confirmation(operation_id)

    async def _plan(
        self, order_id: str, shown: Shown, card: CardRecord | None, now: datetime
    ) -> OperationId | None:
        order = await records.lock(order_id)
        require_confirmable(order, shown, now)
        await changes.require_settled(order)
        await self._vouching.require_payable_now(order.seller_id, now)
        await self._doubles.require_none_now(order, now)
        await freezing.freeze(order, actor=order.buyer_id, now=now)
        if card is None:
            return None
        return await self._payments.plan_confirmation(
            order_id,
            card.payment_method_id,
            None,
            now,
            return_url=self._return_url.replace("{order_id}", order_id),
        )

    async def end(self, order_id: str, buyer_id: str, now: datetime) -> OrderView:
        """The buyer goes back to the cart: Stripe is asked whether anything is under way.

        A challenge that the bank still shows is ended with its PaymentIntent, so that it can never be
        paid behind the buyer's back. Raises OrderNotFound, OrderStepRefused, ConfirmationUnderWay, and
        what payments raises: NotSent, OutcomeUnknown.
        """
        order = await records.require_bought(order_id, buyer_id)
        after(order.status, "confirmation_ended")
        with contextlib.suppress(PaymentNotFound):
            await self._payments.refresh(order_id)
        async with transaction():
            operation_id = await self._plan_end(order_id, now)
        if operation_id is not None:
            await self._payments.carry_out(operation_id)
        return await view(await records.require(order_id, Actor(buyer_id)))

    async def _plan_end(self, order_id: str, now: datetime) -> OperationId | None:
        order = await records.lock(order_id)
        after(order.status, "confirmation_ended")
        live = await self._payments.find_live(order_id)
        await _require_nothing_under_way(order, live)
        await freezing.thaw(order, actor=order.buyer_id, now=now, reason="went back")
        if live is None or live.status != _CHALLENGED:
            return None
        return await self._payments.plan_cancel(order_id, "abandoned", now)


def require_confirmable(order: OrderRecord, shown: Shown, now: datetime) -> None:
    """Raises OrderStepRefused, CheckoutOver, or TotalChanged where the buyer saw another total."""
    if order.status != "expired":
        after(order.status, "confirmation_begun")
    require_open(order, now)
    if shown.amount != order.total or shown.currency not in (None, order.currency):
        raise TotalChanged(
            order.id,
            shown=shown.amount,
            shown_currency=shown.currency,
            total=order.total,
            currency=order.currency,
        )


async def _require_nothing_under_way(order: OrderRecord, live: PaymentRecord | None) -> None:
    if live is None:
        return
    attempt = await operation_under_way(live.id, CONFIRM)
    if attempt is not None or live.status not in AMENDABLE:
        raise ConfirmationUnderWay(order.id, live.status)
