"""Orders: placed from listings at the server's prices, found by those they concern, listed in pages."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from marketplace.catalog.catalog import Catalog
from marketplace.fees.rules import FeeInputs, FeeQuote, PricedLine, quote
from marketplace.fees.schedules import Schedules
from marketplace.orders import reading, records, steps
from marketplace.orders.errors import OrderKeyReused
from marketplace.orders.order_states import FIRST_STATUS, FIRST_STEP
from marketplace.orders.reading import OrderFilter, OrderView
from marketplace.orders.records import Actor, OrderRecord
from marketplace.orders.totals import Line, Totals, Wanted, check_wanted, total_up
from marketplace.paging import Page, PageRequest
from payments.database import execute, row, value
from payments.ids import new_id

CHECKOUT_LASTS: Final = timedelta(hours=24)
"""How long a buyer has to pay. Stripe never ends an unconfirmed PaymentIntent by itself."""

# One statement: the order, its lines and its first step, or nothing when the key was used before.
_PLACE = """
WITH placed AS (
    INSERT INTO orders (id, buyer_id, seller_id, currency, status, total, capture_method,
        application_fee, fee_schedule_id, fee_rule_id, fee_working, generation, idempotency_key,
        created_at, updated_at, checkout_expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, $12, $13, $13, $14)
    ON CONFLICT (buyer_id, idempotency_key) DO NOTHING RETURNING id
), lined AS (
    INSERT INTO order_lines (id, order_id, position, listing_id, kind, title, category, unit_amount,
        quantity, amount)
    SELECT l.id, placed.id, l.position, l.listing_id, l.kind, l.title, l.category, l.unit_amount,
        l.quantity, l.amount
    FROM placed, unnest($15::text[], $16::int[], $17::text[], $18::text[], $19::text[], $20::text[],
        $21::bigint[], $22::int[], $23::bigint[])
        AS l (id, position, listing_id, kind, title, category, unit_amount, quantity, amount)
)
INSERT INTO order_steps (id, order_id, position, step, from_status, to_status, actor, occurred_at)
SELECT $24, placed.id, 0, $25, NULL, $5, $2, $13 FROM placed
"""


class Placed(msgspec.Struct, frozen=True):
    """An order, and whether this very request made it."""

    view: OrderView
    created: bool


class Orders:
    """Use cases of placing and reading orders."""

    def __init__(self, catalog: Catalog, schedules: Schedules) -> None:
        self._catalog = catalog
        self._schedules = schedules

    async def place(
        self, buyer_id: str, wanted: Sequence[Wanted], idempotency_key: str, now: datetime
    ) -> Placed:
        """Make an order of listings and quantities; its prices and its fee are frozen here.

        The same key from the same buyer answers the same order. Raises OrderKeyReused when that order
        has other lines, the kinds of LinesRefused, AmountNotChargeable.
        """
        check_wanted(wanted)
        earlier = await self._placed_before(buyer_id, wanted, idempotency_key)
        if earlier is not None:
            return earlier
        offers = await self._catalog.offers([line.listing_id for line in wanted])
        totals = total_up(wanted, offers, buyer_id=buyer_id)
        fee = quote(await self._schedules.current(now), inputs_of(totals))
        order = _new(buyer_id, offers[wanted[0].listing_id].owner_id, totals, fee, now)
        if await _write(order, totals.lines, fee, idempotency_key):
            return Placed(OrderView(order, totals.lines, None), created=True)
        # Two requests with one key at once: the other one made the order.
        earlier = await self._placed_before(buyer_id, wanted, idempotency_key)
        assert earlier is not None
        return earlier

    async def find(self, order_id: str, actor: Actor) -> OrderView:
        """The order with its lines and payment. Raises OrderNotFound, for strangers too."""
        return await reading.view(await records.require(order_id, actor))

    async def history(self, order_id: str, actor: Actor) -> list[steps.StepRecord]:
        """Everything that happened to the order. Raises OrderNotFound."""
        return await steps.history((await records.require(order_id, actor)).id)

    async def fee_quote(self, order_id: str, actor: Actor) -> FeeQuote:
        """How the order's fee came about, as it was kept when it was placed. Raises OrderNotFound."""
        order = await records.require(order_id, actor)
        kept: str = await value("SELECT fee_working FROM orders WHERE id = $1", order.id)
        return msgspec.json.decode(kept, type=FeeQuote)

    async def list_for_buyer(self, buyer_id: str, page: PageRequest) -> Page[OrderView]:
        """What this account has bought, the newest first."""
        return await reading.page(OrderFilter(buyer_id=buyer_id), page)

    async def list_for_seller(
        self, seller_id: str, owner_id: str, page: PageRequest
    ) -> Page[OrderView]:
        """What was bought of this seller, the newest first; empty unless the account owns it."""
        return await reading.page(OrderFilter(seller_id=seller_id, owner_id=owner_id), page)

    async def list_all(self, wanted: OrderFilter, page: PageRequest) -> Page[OrderView]:
        """Every order that fits, for admins, the newest first."""
        return await reading.page(wanted, page)

    async def _placed_before(
        self, buyer_id: str, wanted: Sequence[Wanted], idempotency_key: str
    ) -> Placed | None:
        found = await row(
            "SELECT id FROM orders WHERE buyer_id = $1 AND idempotency_key = $2",
            buyer_id,
            idempotency_key,
        )
        if found is None:
            return None
        view = await self.find(found["id"], Actor(buyer_id))
        if [(line.listing_id, line.quantity) for line in view.lines] != [
            (line.listing_id, line.quantity) for line in wanted
        ]:
            raise OrderKeyReused(view.order.id)
        return Placed(view, created=False)


def inputs_of(totals: Totals) -> FeeInputs:
    """What the fee rules look at in an order."""
    return FeeInputs(
        seller_id=totals.seller_id,
        currency=totals.currency,
        lines=tuple(
            PricedLine(
                listing_id=line.listing_id,
                category=line.category,
                kind=line.kind,
                amount=line.amount,
            )
            for line in totals.lines
        ),
    )


def _new(buyer_id: str, owner_id: str, totals: Totals, fee: FeeQuote, now: datetime) -> OrderRecord:
    return OrderRecord(
        id=new_id("ord"),
        buyer_id=buyer_id,
        seller_id=totals.seller_id,
        owner_id=owner_id,
        currency=totals.currency,
        status=FIRST_STATUS,
        total=totals.total,
        capture_method=totals.capture_method,
        application_fee=fee.fee,
        fee_schedule_id=fee.schedule_id,
        # The rule of the first line; where several rules took part, the working names them all.
        fee_rule_id=fee.rule_ids[0],
        generation=0,
        created_at=now,
        updated_at=now,
        checkout_expires_at=now + CHECKOUT_LASTS,
    )


async def _write(
    order: OrderRecord, lines: Sequence[Line], fee: FeeQuote, idempotency_key: str
) -> bool:
    """Write the order with its lines and first step; answers False when its key was used before."""
    written = await execute(
        _PLACE,
        order.id,
        order.buyer_id,
        order.seller_id,
        order.currency,
        order.status,
        order.total,
        order.capture_method,
        order.application_fee,
        order.fee_schedule_id,
        order.fee_rule_id,
        msgspec.json.encode(fee).decode(),
        idempotency_key,
        order.created_at,
        order.checkout_expires_at,
        [new_id("lin") for _ in lines],
        [line.position for line in lines],
        [line.listing_id for line in lines],
        [line.kind for line in lines],
        [line.title for line in lines],
        [line.category for line in lines],
        [line.unit_amount for line in lines],
        [line.quantity for line in lines],
        [line.amount for line in lines],
        new_id("stp"),
        FIRST_STEP,
    )
    return written == 1
