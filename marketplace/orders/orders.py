"""Orders: placed from listings at the server's prices, found by those they concern, listed in pages."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from marketplace.fees.rules import FeeQuote
from marketplace.orders import order_fees, placing, reading, records, steps
from marketplace.orders.carts import Pricing
from marketplace.orders.errors import OrderKeyReused, ShippingNotNeeded
from marketplace.orders.order_states import Status
from marketplace.orders.reading import OrderFilter, OrderView
from marketplace.orders.records import Actor
from marketplace.orders.totals import Wanted, check_wanted
from marketplace.orders.trail_steps import audience_of, readable
from marketplace.paging import Page, PageRequest, page_of
from payments.database import row
from payments.gateway import Shipping


class Placed(msgspec.Struct, frozen=True):
    """An order, and whether this very request made it."""

    view: OrderView
    created: bool


class Orders:
    """Use cases of placing and reading orders."""

    def __init__(self, pricing: Pricing) -> None:
        self._pricing = pricing

    async def place(
        self,
        buyer_id: str,
        wanted: Sequence[Wanted],
        idempotency_key: str,
        now: datetime,
        shipping: Shipping | None = None,
    ) -> Placed:
        """Make an order of listings and quantities; its prices and its fee are frozen here.

        The same key from the same buyer answers the same order. Raises OrderKeyReused when that order
        has other lines or another address, the kinds of LinesRefused, AmountNotChargeable,
        ShippingRefused, ShippingNotNeeded.
        """
        check_wanted(wanted)
        address = placing.address_of(shipping)
        earlier = await self._placed_before(buyer_id, wanted, address, idempotency_key)
        if earlier is not None:
            return earlier
        priced = await self._pricing.price(buyer_id, wanted, now)
        if address is not None and not priced.is_sent:
            raise ShippingNotNeeded
        order = await placing.place(
            buyer_id, priced, self._pricing, idempotency_key, now, address=address
        )
        if order is not None:
            return Placed(OrderView(order, priced.totals.lines, None), created=True)
        # Two requests with one key at once: the other one made the order.
        earlier = await self._placed_before(buyer_id, wanted, address, idempotency_key)
        assert earlier is not None
        return earlier

    async def find(self, order_id: str, actor: Actor) -> OrderView:
        """The order with its lines and payment. Raises OrderNotFound, for strangers too."""
        return await reading.view(await records.require(order_id, actor))

    async def history(self, order_id: str, actor: Actor) -> list[steps.StepRecord]:
        """What happened to the order, as far as this person may know it. Raises OrderNotFound."""
        order = await records.require(order_id, actor)
        return readable(order, await steps.history(order.id), audience_of(order, actor))

    async def history_page(
        self, order_id: str, actor: Actor, page: PageRequest
    ) -> Page[steps.StepRecord]:
        """Some of it, the first step first. Raises OrderNotFound."""
        # Cut from what may be told: a page of steps that are hidden would have no last one to go on after.
        return page_of(await self.history(order_id, actor), page)

    async def fee_quote(self, order_id: str, actor: Actor) -> FeeQuote:
        """How the order's fee came about, as kept when its cart was last priced. Raises OrderNotFound."""
        order = await records.require(order_id, actor)
        return await order_fees.kept(order.id)

    async def list_for_buyer(
        self, buyer_id: str, page: PageRequest, status: Status | None = None
    ) -> Page[OrderView]:
        """What this account has bought, the newest first."""
        return await reading.page(OrderFilter(buyer_id=buyer_id, status=status), page)

    async def list_for_seller(
        self, seller_id: str, owner_id: str, page: PageRequest, status: Status | None = None
    ) -> Page[OrderView]:
        """What was bought of this seller, the newest first; empty unless the account owns it.

        What nobody has paid yet is left out, unless it is asked for.
        """
        wanted = OrderFilter(
            seller_id=seller_id, owner_id=owner_id, status=status, carts=status is not None
        )
        return await reading.page(wanted, page)

    async def list_all(self, wanted: OrderFilter, page: PageRequest) -> Page[OrderView]:
        """Every order that fits, for admins, the newest first."""
        return await reading.page(wanted, page)

    async def _placed_before(
        self, buyer_id: str, wanted: Sequence[Wanted], address: str | None, idempotency_key: str
    ) -> Placed | None:
        found = await row(
            "SELECT id FROM orders WHERE buyer_id = $1 AND idempotency_key = $2",
            buyer_id,
            idempotency_key,
        )
        if found is None:
            return None
        view = await self.find(found["id"], Actor(buyer_id))
        same = view.order.shipping == address and [
            (line.listing_id, line.quantity) for line in view.lines
        ] == [(line.listing_id, line.quantity) for line in wanted]
        # A cart that has changed since no longer tells what was asked for under this key.
        if not same and view.order.cart_version == 1:
            raise OrderKeyReused(view.order.id)
        return Placed(view, created=False)
