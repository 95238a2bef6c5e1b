"""Writing a new order down: the row, its lines and its first step; nothing when its key was used before."""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from marketplace.fees import credits
from marketplace.orders.addresses import checked
from marketplace.orders.carts import Priced, Pricing, columns_of
from marketplace.orders.order_states import FIRST_STATUS, FIRST_STEP
from marketplace.orders.records import OrderRecord
from marketplace.sellers.countries import COUNTRIES
from payments.database import execute, transaction
from payments.gateway import Shipping
from payments.ids import new_id

CHECKOUT_LASTS: Final = timedelta(hours=24)
"""How long a buyer has to pay. Stripe never ends an unconfirmed PaymentIntent by itself."""

# One statement. The seller's cancellation windows are part of what the buyer agrees to: kept as they are.
_PLACE = """
WITH placed AS (
    INSERT INTO orders (id, buyer_id, seller_id, currency, status, total, capture_method,
        application_fee, fee_schedule_id, fee_rule_id, fee_working, generation, idempotency_key,
        created_at, updated_at, checkout_expires_at, expiry_due_at, group_id, service_fee, fee_credit,
        cancellation_windows, shipping)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, $12, $13, $13, $14, $14, $15, $27, $28,
        (SELECT s.cancellation_windows FROM sellers s WHERE s.id = $3::varchar), $29)
    ON CONFLICT (buyer_id, idempotency_key) DO NOTHING RETURNING id
), lined AS (
    INSERT INTO order_lines (id, order_id, position, listing_id, kind, title, category, unit_amount,
        quantity, amount)
    SELECT l.id, placed.id, l.position, l.listing_id, l.kind, l.title, l.category, l.unit_amount,
        l.quantity, l.amount
    FROM placed, unnest($16::text[], $17::int[], $18::text[], $19::text[], $20::text[], $21::text[],
        $22::bigint[], $23::int[], $24::bigint[])
        AS l (id, position, listing_id, kind, title, category, unit_amount, quantity, amount)
)
INSERT INTO order_steps (id, order_id, position, step, from_status, to_status, actor, occurred_at)
SELECT $25, placed.id, 0, $26, NULL, $5, $2, $13 FROM placed
"""


def address_of(shipping: Shipping | None) -> str | None:
    """An address as it is kept with an order. Raises ShippingRefused."""
    return None if shipping is None else msgspec.json.encode(checked(shipping, COUNTRIES)).decode()


def new_order(
    buyer_id: str,
    priced: Priced,
    now: datetime,
    *,
    address: str | None = None,
    group_id: str | None = None,
) -> OrderRecord:
    """An order that is not written yet; `address` is for `address_of` to write."""
    totals, fee = priced.totals, priced.fee
    return OrderRecord(
        id=new_id("ord"),
        buyer_id=buyer_id,
        seller_id=totals.seller_id,
        owner_id=priced.owner_id,
        currency=totals.currency,
        status=FIRST_STATUS,
        total=priced.total,
        capture_method=totals.capture_method,
        application_fee=fee.fee,
        fee_schedule_id=fee.schedule_id,
        # The rule of the first line; where several rules took part, the working names them all.
        fee_rule_id=fee.rule_ids[0],
        generation=0,
        created_at=now,
        updated_at=now,
        checkout_expires_at=now + CHECKOUT_LASTS,
        expiry_due_at=now + CHECKOUT_LASTS,
        group_id=group_id,
        service_fee=fee.service_fee,
        fee_credit=fee.credit,
        shipping=address,
    )


class _KeyUsed(Exception):
    """The key made an order before: what was taken for this one goes back with its transaction."""


async def place(
    buyer_id: str,
    priced: Priced,
    pricing: Pricing,
    idempotency_key: str,
    now: datetime,
    *,
    address: str | None = None,
) -> OrderRecord | None:
    """Write a new order, with the credit it takes; None when its key was used before."""
    if not priced.fee.credit:
        # One statement: most sellers have no credit.
        order = new_order(buyer_id, priced, now, address=address)
        return order if await write(order, priced, idempotency_key) else None
    try:
        async with transaction():
            return await place_within(
                buyer_id, priced, pricing, idempotency_key, now, address=address
            )
    except _KeyUsed:
        return None


async def place_within(
    buyer_id: str,
    priced: Priced,
    pricing: Pricing,
    idempotency_key: str,
    now: datetime,
    *,
    address: str | None = None,
    group_id: str | None = None,
) -> OrderRecord:
    """The same in the open transaction, for a key that was not used before. Raises NoTransaction."""
    fee, pieces = await pricing.with_credit(priced.fee, 0, now)
    priced = msgspec.structs.replace(priced, fee=fee)
    order = new_order(buyer_id, priced, now, address=address, group_id=group_id)
    if not await write(order, priced, idempotency_key):
        raise _KeyUsed
    await credits.note(order.id, pieces, now)
    return order


async def write(order: OrderRecord, priced: Priced, idempotency_key: str) -> bool:
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
        msgspec.json.encode(priced.fee).decode(),
        idempotency_key,
        order.created_at,
        order.checkout_expires_at,
        order.group_id,
        *columns_of(priced.totals.lines),
        new_id("stp"),
        FIRST_STEP,
        order.service_fee,
        order.fee_credit,
        order.shipping,
    )
    return written == 1
