"""Checkout groups: a cart with several sellers becomes one order, and one payment, for each of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from marketplace.orders import placing, reading
from marketplace.orders.carts import Priced, Pricing
from marketplace.orders.errors import (
    GroupNotFound,
    OrderKeyReused,
    ShippingNotNeeded,
    TooManySellers,
)
from marketplace.orders.group_states import GroupState, Next, Standing, next_of, state_of
from marketplace.orders.reading import OrderView
from marketplace.orders.records import Actor
from marketplace.orders.totals import Wanted, check_wanted
from marketplace.paging import Page, PageRequest
from payments.database import execute, row, rows, transaction
from payments.gateway import Shipping
from payments.ids import new_id

SELLERS_LIMIT: Final = 10
"""Each order is a payment of its own at the buyer's bank."""


class GroupRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A checkout group. `payment_method_id` is the card that pays it, once it is known.

    `card_wanted`: whether the buyer wants it kept for the next time; None: they have not said.
    """

    id: str
    buyer_id: str
    payment_method_id: str | None
    created_at: datetime
    abandoned_at: datetime | None
    card_wanted: bool | None


class GroupView(msgspec.Struct, frozen=True):
    """A group with its orders, as they were placed."""

    group: GroupRecord
    orders: tuple[OrderView, ...]

    @property
    def state(self) -> GroupState:
        """What its orders say."""
        standings = [standing_of(view) for view in self.orders]
        return state_of(standings, abandoned=self.group.abandoned_at is not None)

    @property
    def totals(self) -> dict[str, int]:
        """What it costs, minor units by currency; canceled orders cost nothing."""
        found: dict[str, int] = {}
        for view in self.orders:
            if view.order.status != "canceled":
                found[view.order.currency] = found.get(view.order.currency, 0) + view.order.total
        return found

    @property
    def unpaid(self) -> tuple[OrderView, ...]:
        """The orders that may still be paid."""
        return tuple(view for view in self.orders if standing_of(view).unpaid)


class Grouped(msgspec.Struct, frozen=True):
    """A group, and whether this very request made it."""

    view: GroupView
    created: bool


_COLUMNS = ", ".join(GroupRecord.__struct_fields__)


class Groups:
    """Use cases of placing and reading checkout groups."""

    def __init__(self, pricing: Pricing) -> None:
        self._pricing = pricing

    async def place(
        self,
        buyer_id: str,
        wanted: Sequence[Wanted],
        idempotency_key: str,
        now: datetime,
        shipping: Shipping | None = None,
    ) -> Grouped:
        """Make an order for each seller, currency and way to capture; all of them or none.

        All products go to one address. The same key from the same buyer answers the same group. Raises
        OrderKeyReused when that has other lines or another address, TooManySellers, the kinds of
        LinesRefused, AmountNotChargeable, ShippingRefused, ShippingNotNeeded.
        """
        check_wanted(wanted)
        address = placing.address_of(shipping)
        earlier = await self._placed_before(buyer_id, wanted, address, idempotency_key)
        if earlier is not None:
            return earlier
        parts = await self._pricing.price_each(buyer_id, wanted, now)
        if len(parts) > SELLERS_LIMIT:
            raise TooManySellers(len(parts), SELLERS_LIMIT)
        if address is not None and not any(priced.is_sent for priced in parts):
            raise ShippingNotNeeded
        group_id = new_id("grp")
        async with transaction():
            made = await execute(
                "INSERT INTO checkout_groups (id, buyer_id, idempotency_key, created_at) "
                "VALUES ($1, $2, $3, $4) ON CONFLICT (buyer_id, idempotency_key) DO NOTHING",
                group_id,
                buyer_id,
                idempotency_key,
                now,
            )
            # Credits are locked by seller, so that two carts of the same sellers wait in one line.
            for position, priced in sorted(enumerate(parts if made else ()), key=_by_seller):
                key = f"{group_id}:{position:02}"
                await placing.place_within(
                    buyer_id,
                    priced,
                    self._pricing,
                    key,
                    now,
                    address=address if priced.is_sent else None,
                    group_id=group_id,
                )
        if made:
            return Grouped(await find(group_id, buyer_id), created=True)
        # Two requests with one key at once: the other one made the group.
        earlier = await self._placed_before(buyer_id, wanted, address, idempotency_key)
        assert earlier is not None
        return earlier

    async def find(self, group_id: str, actor: Actor) -> GroupView:
        """The group, for its buyer and for admins. Raises GroupNotFound."""
        return await find(group_id, None if actor.is_admin else actor.account_id)

    async def list(self, buyer_id: str, page: PageRequest) -> Page[GroupView]:
        """The buyer's groups, the newest first."""
        found = await rows(
            f"SELECT {_COLUMNS} FROM checkout_groups WHERE buyer_id = $1 "
            "AND ($2::text IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
            buyer_id,
            page.starting_after,
            page.fetched,
        )
        groups = Page.cut([GroupRecord(**record) for record in found], page)
        orders = await reading.views_of_groups([group.id for group in groups.data])
        return Page(
            [GroupView(group, orders.get(group.id, ())) for group in groups.data], groups.has_more
        )

    async def _placed_before(
        self, buyer_id: str, wanted: Sequence[Wanted], address: str | None, idempotency_key: str
    ) -> Grouped | None:
        found = await row(
            "SELECT id FROM checkout_groups WHERE buyer_id = $1 AND idempotency_key = $2",
            buyer_id,
            idempotency_key,
        )
        if found is None:
            return None
        view = await find(found["id"], buyer_id)
        lines = sorted((each.listing_id, each.quantity) for o in view.orders for each in o.lines)
        same = lines == sorted((each.listing_id, each.quantity) for each in wanted)
        sent = {
            each.order.shipping for each in view.orders if each.order.capture_method == "manual"
        }
        changed = any(each.order.cart_version > 1 for each in view.orders)
        if not changed and not (same and sent <= {address}):
            raise OrderKeyReused(view.group.id)
        return Grouped(view, created=False)


async def find(group_id: str, buyer_id: str | None) -> GroupView:
    """The buyer's own group (None: anybody's) with its orders. Raises GroupNotFound, for others too."""
    found = await row(
        f"SELECT {_COLUMNS} FROM checkout_groups "
        "WHERE id = $1 AND ($2::text IS NULL OR buyer_id = $2)",
        group_id,
        buyer_id,
    )
    if found is None:
        raise GroupNotFound(group_id)
    orders = await reading.views_of_groups([group_id])
    return GroupView(GroupRecord(**found), orders.get(group_id, ()))


def _by_seller(placed: tuple[int, Priced]) -> tuple[str, str]:
    totals = placed[1].totals
    return totals.seller_id, totals.currency


def standing_of(view: OrderView) -> Standing:
    """How one order stands, as far as its group is concerned."""
    return Standing(
        status=view.order.status,
        frozen=view.order.frozen_at is not None,
        payment_status=None if view.payment is None else view.payment.status,
    )


def next_for(view: OrderView) -> Next:
    """What the buyer can do next about one order of a group."""
    return next_of(standing_of(view))
