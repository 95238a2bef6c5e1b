"""A cart as the server prices it: lines at the prices of now, and the fee by the schedule in force."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from marketplace.catalog.catalog import Catalog
from marketplace.fees import credits
from marketplace.fees.credits import Piece
from marketplace.fees.rules import FeeInputs, FeeQuote, PricedLine, quote
from marketplace.fees.schedule import Schedule
from marketplace.fees.schedules import Schedules
from marketplace.orders.errors import MixedCapture, SeveralCurrencies, SeveralSellers
from marketplace.orders.records import OrderRecord
from marketplace.orders.totals import Line, Totals, Wanted, check_wanted, split_up, total_up
from payments.currencies import check_chargeable
from payments.database import execute, require_transaction
from payments.gateway import Shipping
from payments.ids import new_id


class Priced(msgspec.Struct, frozen=True, kw_only=True):
    """What one order comes to, its fee, and the account of its seller."""

    totals: Totals
    fee: FeeQuote
    owner_id: str

    @property
    def is_sent(self) -> bool:
        """Whether there is anything to send: sessions are not."""
        return any(line.kind == "product" for line in self.totals.lines)

    @property
    def total(self) -> int:
        """What the buyer pays: the lines, and the service fee on top."""
        return self.fee.total


class Cart(msgspec.Struct, frozen=True, kw_only=True):
    """All that may change of an order: kept with a change on its way, exactly as it will be."""

    lines: tuple[Line, ...]
    total: int
    fee: FeeQuote
    shipping: Shipping | None

    @property
    def products(self) -> dict[str, int]:
        """What stock has to be set aside for: quantities by listing; sessions have none."""
        return {line.listing_id: line.quantity for line in self.lines if line.kind == "product"}


class Pricing:
    """Prices carts by the catalog and the fee schedule of the moment."""

    def __init__(self, catalog: Catalog, schedules: Schedules) -> None:
        self._catalog = catalog
        self._schedules = schedules

    async def price(self, buyer_id: str, wanted: Sequence[Wanted], now: datetime) -> Priced:
        """What `wanted` costs this buyer now, as one order.

        Raises the kinds of LinesRefused, AmountNotChargeable, NoFeeSchedule.
        """
        check_wanted(wanted)
        return await self._price(buyer_id, wanted, now, held=0)

    async def price_each(
        self, buyer_id: str, wanted: Sequence[Wanted], now: datetime
    ) -> list[Priced]:
        """The same for a cart of several sellers: as many orders as it takes, in the cart's order.

        Raises what `price` raises, for any of them.
        """
        check_wanted(wanted)
        offers = await self._catalog.offers([line.listing_id for line in wanted])
        schedule = await self._schedules.current(now)
        left = await credits.available({offer.seller_id for offer in offers.values()}, now)
        found = []
        for part in split_up(wanted, offers):
            totals = total_up(part, offers, buyer_id=buyer_id)
            owner_id = offers[part[0].listing_id].owner_id
            credit = left.get((totals.seller_id, totals.currency), 0)
            fee = _quoted(schedule, totals, now, credit)
            found.append(Priced(totals=totals, fee=fee, owner_id=owner_id))
        return found

    async def price_again(
        self, order: OrderRecord, wanted: Sequence[Wanted], now: datetime
    ) -> Priced:
        """What `wanted` costs as another cart of the same order.

        Raises what `price` raises, and SeveralSellers, SeveralCurrencies or MixedCapture where it would
        have to be another order.
        """
        check_wanted(wanted)
        held = await credits.held_by(order.id)
        priced = await self._price(order.buyer_id, wanted, now, held)
        totals = priced.totals
        if totals.seller_id != order.seller_id:
            raise SeveralSellers(tuple(sorted((order.seller_id, totals.seller_id))))
        if totals.currency != order.currency:
            raise SeveralCurrencies(tuple(sorted((order.currency, totals.currency))))
        if totals.capture_method != order.capture_method:
            raise MixedCapture
        return priced

    async def with_credit(
        self, fee: FeeQuote, held: int, now: datetime
    ) -> tuple[FeeQuote, list[Piece]]:
        """Take the credit that a fee was quoted with, beyond what the order holds, in the open transaction.

        Where somebody was faster, the fee is quoted again with what was left. Raises NoTransaction.
        """
        if fee.credit <= held:
            return fee, []
        inputs = fee.inputs
        pieces = await credits.take(inputs.seller_id, inputs.currency, fee.credit - held, now)
        got = held + sum(piece.amount for piece in pieces)
        if got == fee.credit:
            return fee, pieces
        schedule = await self._schedules.require(fee.schedule_id)
        return quote(schedule, msgspec.structs.replace(inputs, credit=got)), pieces

    async def _price(
        self, buyer_id: str, wanted: Sequence[Wanted], now: datetime, held: int
    ) -> Priced:
        """`held`: the credit that an order has already, beside what its seller has left."""
        offers = await self._catalog.offers([line.listing_id for line in wanted])
        totals = total_up(wanted, offers, buyer_id=buyer_id)
        left = await credits.available([totals.seller_id], now)
        credit = left.get((totals.seller_id, totals.currency), 0) + held
        fee = _quoted(await self._schedules.current(now), totals, now, credit)
        return Priced(totals=totals, fee=fee, owner_id=offers[wanted[0].listing_id].owner_id)


def _quoted(schedule: Schedule, totals: Totals, now: datetime, credit: int) -> FeeQuote:
    """Raises AmountNotChargeable where the service fee makes it too much."""
    fee = quote(schedule, inputs_of(totals, now, credit))
    check_chargeable(fee.total, totals.currency)
    # What is kept with the order is what it uses, not what its seller has.
    inputs = msgspec.structs.replace(fee.inputs, credit=fee.credit)
    return msgspec.structs.replace(fee, inputs=inputs)


def inputs_of(totals: Totals, now: datetime, credit: int = 0) -> FeeInputs:
    """What the fee rules look at in an order that is priced at `now`."""
    return FeeInputs(
        placed_at=now,
        credit=credit,
        seller_id=totals.seller_id,
        currency=totals.currency,
        lines=tuple(
            PricedLine(
                listing_id=line.listing_id,
                category=line.category,
                kind=line.kind,
                amount=line.amount,
                quantity=line.quantity,
            )
            for line in totals.lines
        ),
    )


_INSERT_LINES = """
INSERT INTO order_lines (id, order_id, position, listing_id, kind, title, category, unit_amount,
    quantity, amount)
SELECT l.id, $1, l.position, l.listing_id, l.kind, l.title, l.category, l.unit_amount, l.quantity,
    l.amount
FROM unnest($2::text[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[],
    $9::int[], $10::bigint[])
    AS l (id, position, listing_id, kind, title, category, unit_amount, quantity, amount)
"""


def columns_of(lines: Sequence[Line]) -> list[list[object]]:
    """New ids and the columns of `lines`, for an INSERT by unnest."""
    return [
        [new_id("lin") for _ in lines],
        [line.position for line in lines],
        [line.listing_id for line in lines],
        [line.kind for line in lines],
        [line.title for line in lines],
        [line.category for line in lines],
        [line.unit_amount for line in lines],
        [line.quantity for line in lines],
        [line.amount for line in lines],
    ]


async def become(order: OrderRecord, cart: Cart, version: int, now: datetime) -> OrderRecord:
    """Make the order what `cart` says, as version `version`; answers it after that.

    The caller holds the order's lock. Raises NoTransaction.
    """
    require_transaction()
    shipping = None if cart.shipping is None else msgspec.json.encode(cart.shipping).decode()
    await execute(
        "UPDATE orders SET total = $2, application_fee = $3, fee_schedule_id = $4, fee_rule_id = $5, "
        "fee_working = $6, shipping = $7, cart_version = $8, updated_at = $9, service_fee = $10, "
        "fee_credit = $11 WHERE id = $1",
        order.id,
        cart.total,
        cart.fee.fee,
        cart.fee.schedule_id,
        cart.fee.rule_ids[0],
        msgspec.json.encode(cart.fee).decode(),
        shipping,
        version,
        now,
        cart.fee.service_fee,
        cart.fee.credit,
    )
    await execute("DELETE FROM order_lines WHERE order_id = $1", order.id)
    await execute(_INSERT_LINES, order.id, *columns_of(cart.lines))
    return msgspec.structs.replace(
        order,
        total=cart.total,
        application_fee=cart.fee.fee,
        fee_schedule_id=cart.fee.schedule_id,
        fee_rule_id=cart.fee.rule_ids[0],
        shipping=shipping,
        cart_version=version,
        updated_at=now,
        service_fee=cart.fee.service_fee,
        fee_credit=cart.fee.credit,
    )
