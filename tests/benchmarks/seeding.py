"""Fills a database for job C: buyers with API keys, sellers Stripe vouches for, orders waiting for checkout.

Sellers, fees and snapshots come from the program's own code; what there are thousands of is written in bulk.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from connect import records
from connect.capability import CapabilityPolicy
from connect.snapshot import AccountSnapshot, CapabilitySeen
from marketplace.catalog.listings import Kind
from marketplace.fees.rules import FeeInputs, PricedLine, quote
from marketplace.fees.schedule import Schedule
from marketplace.fees.schedules import Schedules
from marketplace.people.tokens import hashed, new_api_token
from payments.database import engine, execute
from payments.ids import ConnectedAccountId, SellerId, new_id

SELLERS = 40
ORDERS_PER_BUYER = 5
"""Few enough that no limit of one person's tries is met."""
CURRENCY = "eur"

_ACCOUNTS = """
INSERT INTO accounts (id, email, display_name, password_hash, is_admin, created_at)
SELECT a.id, a.id || '@example.com', 'Somebody', 'no password', false, now() FROM unnest($1::text[]) AS a (id)
"""
_KEYS = """
INSERT INTO api_keys (id, account_id, name, preview, token_hash, scopes, created_at)
SELECT k.id, k.account_id, 'benchmark', 'mk_', k.token_hash, ARRAY['orders:read', 'orders:write'], now()
FROM unnest($1::text[], $2::text[], $3::text[]) AS k (id, account_id, token_hash)
"""
_SELLER = """
INSERT INTO sellers (id, account_id, display_name, country, currency, approval, approved_at, created_at)
VALUES ($1, $2, 'A coach', 'DE', $3, 'approved', now(), now())
"""
_LISTING = """
INSERT INTO listings (id, seller_id, kind, title, description, category, unit_amount, currency,
  stock_on_hand, stock_reserved, status, created_at, updated_at)
VALUES ($1, $2, $3, 'An hour of coaching', 'Sixty minutes.', 'coaching', $4, $5, $6, 0, 'active', now(),
  now())
"""
_ORDERS = """
INSERT INTO orders (id, buyer_id, seller_id, currency, status, total, capture_method, application_fee,
  fee_schedule_id, fee_rule_id, fee_working, generation, idempotency_key, created_at, updated_at,
  checkout_expires_at)
SELECT o.id, o.buyer_id, $3, $4, 'checkout', $5, $6, $7, $8, $9, $10, 0, o.id, now(), now(),
  now() + interval '1 day'
FROM unnest($1::text[], $2::text[]) AS o (id, buyer_id)
"""
_LINES = """
INSERT INTO order_lines (id, order_id, position, listing_id, kind, title, category, unit_amount, quantity,
  amount)
SELECT replace(o.id, 'ord_', 'lin_'), o.id, 0, $2, $3, 'An hour of coaching', 'coaching', $4, 1, $4
FROM unnest($1::text[]) AS o (id)
"""
_STEPS = """
INSERT INTO order_steps (id, order_id, position, step, from_status, to_status, actor, occurred_at)
SELECT replace(o.id, 'ord_', 'stp_'), o.id, 0, 'placed', NULL, 'checkout', o.buyer_id, now()
FROM unnest($1::text[], $2::text[]) AS o (id, buyer_id)
"""


class WaitingOrder(msgspec.Struct, frozen=True):
    """An order nobody has checked out yet, and the API key of its buyer."""

    id: str
    token: str


async def seed(database_url: str, orders: int, kind: Kind) -> list[WaitingOrder]:
    """Write so many orders of one line each, over all sellers, and answer them mixed."""
    await engine().start(database_url, pool_size=2)
    try:
        now = datetime.now(UTC)
        await Schedules().ensure_first(now)
        schedule = await Schedules().current(now)
        each = -(-orders // SELLERS)
        by_seller = [await _seed_seller(n, each, kind, schedule, now) for n in range(SELLERS)]
        await execute("ANALYZE")
        return [order for mixed in zip(*by_seller, strict=True) for order in mixed][:orders]
    finally:
        await engine().stop()


async def refresh_snapshots(database_url: str) -> None:
    """Let every snapshot of a connected account be of this moment: the gate need not ask Stripe."""
    await engine().start(database_url, pool_size=1)
    try:
        await execute("UPDATE connected_accounts SET checked_at = $1", datetime.now(UTC))
    finally:
        await engine().stop()


async def _seed_seller(
    number: int, orders: int, kind: Kind, schedule: Schedule, now: datetime
) -> list[WaitingOrder]:
    seller_id, listing_id = SellerId(new_id("sel")), new_id("lst")
    amount = 4_000 + 250 * number
    await _open_shop(seller_id, listing_id, amount, orders, kind, now)
    line = PricedLine(listing_id=listing_id, category="coaching", kind=kind, amount=amount)
    fee = quote(schedule, FeeInputs(seller_id=seller_id, currency=CURRENCY, lines=(line,)))
    tokens = await _seed_buyers(-(-orders // ORDERS_PER_BUYER))
    buyers = [list(tokens)[n // ORDERS_PER_BUYER] for n in range(orders)]
    order_ids = [new_id("ord") for _ in range(orders)]
    await execute(
        _ORDERS,
        order_ids,
        buyers,
        seller_id,
        CURRENCY,
        amount,
        "automatic" if kind == "session" else "manual",
        fee.fee,
        fee.schedule_id,
        fee.rule_ids[0],
        msgspec.json.encode(fee).decode(),
    )
    await execute(_LINES, order_ids, listing_id, kind, amount)
    await execute(_STEPS, order_ids, buyers)
    return [
        WaitingOrder(order_id, tokens[buyer])
        for order_id, buyer in zip(order_ids, buyers, strict=True)
    ]


async def _open_shop(
    seller_id: SellerId, listing_id: str, amount: int, stock: int, kind: Kind, now: datetime
) -> None:
    owner = new_id("acc")
    await execute(_ACCOUNTS, [owner])
    await execute(_SELLER, seller_id, owner, CURRENCY)
    on_hand = stock if kind == "product" else None
    await execute(_LISTING, listing_id, seller_id, kind, amount, CURRENCY, on_hand)
    await records.absorb(
        _ready(f"acct_{seller_id[4:]}"),
        seller_id=seller_id,
        checked_at=now - timedelta(seconds=1),
        nudges_seen=0,
        policy=CapabilityPolicy(),
    )


async def _seed_buyers(count: int) -> dict[str, str]:
    """The tokens of so many new buyers' API keys, by account."""
    tokens = {new_id("acc"): new_api_token(live=False) for _ in range(count)}
    hashes = [hashed(token) for token in tokens.values()]
    await execute(_ACCOUNTS, list(tokens))
    await execute(_KEYS, [new_id("key") for _ in tokens], list(tokens), hashes)
    return tokens


def _ready(account_id: str) -> AccountSnapshot:
    active: Any = CapabilitySeen("active")
    return AccountSnapshot(
        id=ConnectedAccountId(account_id),
        country="DE",
        default_currency=CURRENCY,
        recipient=True,
        transfers=active,
        payouts=active,
        requirements=(),
        future_requirements=(),
        deadline_status=None,
        deadline=None,
        closed=False,
        request_id=None,
    )
