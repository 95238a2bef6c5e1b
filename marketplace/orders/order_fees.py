"""The fee an order keeps: read again, computed for what is captured of it, and the credit it holds.

An order that ends without being paid gives its seller's credit back; one that lives again takes it again.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from marketplace.fees import credits
from marketplace.fees.rules import FeeQuote, PricedLine, quote, quote_captured, read_quote
from marketplace.fees.schedules import Schedules
from marketplace.orders.order_states import ENDED, Status
from marketplace.orders.records import OrderRecord
from payments.database import execute, value
from payments.money import whole_share


async def kept(order_id: str) -> FeeQuote:
    """How the order's fee came about, as written when its cart was last priced."""
    text: str = await value("SELECT fee_working FROM orders WHERE id = $1", order_id)
    return read_quote(text)


async def of_captured(
    schedules: Schedules, order: OrderRecord, captured: Sequence[PricedLine]
) -> FeeQuote:
    """The fee of what is captured, by the very rules and at the time the order was placed under.

    Computed and sent anew, because Stripe would not scale the earlier fee to what is captured, only cap it.
    """
    schedule = await schedules.require(order.fee_schedule_id)
    return quote_captured(schedule, await kept(order.id), captured)


def worth(order: OrderRecord, amount: int) -> int:
    """What the buyer pays for lines that come to `amount`: with their share of the service fee."""
    lines = order.total - order.service_fee
    return amount + whole_share(order.service_fee, amount, lines, order.currency)


async def settle_captured(
    order: OrderRecord, captured: Sequence[PricedLine], now: datetime
) -> None:
    """Give back the credit that the captured part did not use, in the open transaction."""
    if order.fee_credit:
        fee = await of_captured(Schedules(), order, captured)
        await credits.settle(order.id, fee.credit, now)


async def follow(order: OrderRecord, status: Status, now: datetime) -> OrderRecord:
    """Let the order's credit follow it to `status`, in the open transaction; answers the order.

    Where less is left when it begins anew, its fee is computed again; money that comes late keeps the fee
    that Stripe was told.
    """
    if not order.fee_credit:
        return order
    if status in ENDED and order.status in ("checkout", "authorized"):
        await credits.settle(order.id, 0, now)
    elif order.status in ENDED and status not in ENDED:
        return await _take_again(order, status, now)
    return order


async def _take_again(order: OrderRecord, status: Status, now: datetime) -> OrderRecord:
    pieces = await credits.take(order.seller_id, order.currency, order.fee_credit, now)
    await credits.note(order.id, pieces, now)
    got = sum(piece.amount for piece in pieces)
    if got == order.fee_credit or status != "checkout":
        return order
    schedule = await Schedules().require(order.fee_schedule_id)
    inputs = (await kept(order.id)).inputs
    fee = quote(schedule, msgspec.structs.replace(inputs, credit=got))
    await execute(
        "UPDATE orders SET application_fee = $2, fee_credit = $3, fee_working = $4 WHERE id = $1",
        order.id,
        fee.fee,
        fee.credit,
        msgspec.json.encode(fee).decode(),
    )
    return msgspec.structs.replace(order, application_fee=fee.fee, fee_credit=fee.credit)
