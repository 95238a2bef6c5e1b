"""Rows of payouts: snapshots merged in, what each carried, claims of the sweeps."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg
import msgspec

from connect.payout_gateway import PayoutItemSeen, PayoutSnapshot
from payments.database import execute, execute_many, row, rows, value
from payments.ids import ConnectedAccountId

LISTED_EVERY = timedelta(days=1)
"""How often an account's payouts are listed, to find those whose events were lost."""
_LISTED_BACK = timedelta(days=35)
_IN_FLIGHT_EVERY = timedelta(hours=6)
_ARRIVED_EVERY = timedelta(days=1)
_MAY_COME_BACK = timedelta(days=14)
"""How long after its arrival a payout is looked at: banks send money back within days."""

_RANK = {"pending": 0, "in_transit": 1, "paid": 2, "failed": 3, "canceled": 3}
RETURNED = frozenset({"failed", "canceled"})
"""Statuses in which the money is back on the balance; nothing follows them."""


class PayoutRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One payout. `id` and `status` are Stripe's, the amount minor units of `currency`."""

    id: str
    account_id: str
    seller_id: str
    amount: int
    currency: str
    status: str
    automatic: bool
    arrival_at: datetime
    failure_code: str | None
    failure_message: str | None
    created_at: datetime
    updated_at: datetime


COLUMNS = ", ".join(PayoutRecord.__struct_fields__)


class Merged(msgspec.Struct, frozen=True):
    """A payout after a snapshot was taken in, and the status it had before; None when it is new."""

    record: PayoutRecord
    status_before: str | None


class Claimed(msgspec.Struct, frozen=True):
    """What a sweep has to look at, and whose it is."""

    id: str
    account_id: ConnectedAccountId
    seller_id: str


def outranks(status: str, before: str) -> bool:
    """Whether `status` is news: statuses never go back. A word that is new to us is none."""
    return _RANK.get(status, -1) > _RANK[before]


def believed(status: str) -> str:
    """The status to store for a payout nobody knew: still on its way, where the word is new to us."""
    return status if status in _RANK else "pending"


def refresh_again_at(
    record: PayoutRecord, now: datetime, *, items_missing: bool
) -> datetime | None:
    """When to ask about the payout again; None when nothing is expected of it any more."""
    if record.status in ("pending", "in_transit"):
        return now + _IN_FLIGHT_EVERY
    still_open = record.status == "paid" or items_missing
    if still_open and now < record.arrival_at + _MAY_COME_BACK:
        return now + _ARRIVED_EVERY
    return None


async def merge(seen: PayoutSnapshot, seller_id: str, now: datetime) -> Merged:
    """Take a snapshot in, inside a transaction; the payout's row is locked until it ends.

    What identifies a payout is written once: the account it was made on stays the account it is of.
    """
    made = await row(
        f"INSERT INTO payouts ({COLUMNS}, checked_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12) "
        f"ON CONFLICT (id) DO NOTHING RETURNING {COLUMNS}",
        seen.id,
        seen.account_id,
        seller_id,
        seen.amount,
        seen.currency,
        believed(seen.status),
        seen.automatic,
        seen.arrival_at,
        seen.failure_code,
        seen.failure_message,
        seen.created_at,
        now,
    )
    if made is not None:
        return Merged(PayoutRecord(**made), None)
    found = await row(f"SELECT {COLUMNS} FROM payouts WHERE id = $1 FOR UPDATE", seen.id)
    assert found is not None, seen.id
    before = PayoutRecord(**found)
    return Merged(await _moved(before, seen, now), before.status)


async def _moved(before: PayoutRecord, seen: PayoutSnapshot, now: datetime) -> PayoutRecord:
    if not outranks(seen.status, before.status):
        await execute("UPDATE payouts SET checked_at = $2 WHERE id = $1", before.id, now)
        return before
    after = await row(
        "UPDATE payouts SET status = $2, arrival_at = $3, failure_code = $4, failure_message = $5, "
        f"checked_at = $6, updated_at = $6 WHERE id = $1 RETURNING {COLUMNS}",
        before.id,
        seen.status,
        seen.arrival_at,
        seen.failure_code,
        seen.failure_message,
        now,
    )
    assert after is not None
    return PayoutRecord(**after)


async def plan_refresh(payout_id: str, at: datetime | None) -> None:
    """Say when the sweep asks about this payout next."""
    await execute("UPDATE payouts SET refresh_at = $2 WHERE id = $1", payout_id, at)


async def has_items(payout_id: str) -> bool:
    """Whether it is known what the payout carried: its items are written all at once."""
    return bool(
        await value("SELECT EXISTS (SELECT FROM payout_items WHERE payout_id = $1)", payout_id)
    )


async def keep_items(payout_id: str, items: Sequence[PayoutItemSeen]) -> None:
    """Write down what the payout carried, inside a transaction; a movement is paid out once."""
    await execute_many(
        "INSERT INTO payout_items (id, payout_id, source_id, transfer_id, kind, amount, fee, net, "
        "currency, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) "
        "ON CONFLICT (id) DO NOTHING",
        [
            (
                one.id,
                payout_id,
                one.source_id,
                one.transfer_id,
                one.kind,
                one.amount,
                one.fee,
                one.net,
                one.currency,
                one.created_at,
            )
            for one in items
        ],
    )


async def seller_of(account_id: str) -> asyncpg.Record | None:
    """The seller (`seller_id`) of a connected account, and whether it is `closed`."""
    return await row(
        "SELECT seller_id, closed FROM connected_accounts WHERE account_id = $1", account_id
    )


async def latest_payout_at(account_id: str) -> datetime | None:
    """From when on to list an account's payouts: well before the last we know; None for all."""
    last: datetime | None = await value(
        "SELECT max(created_at) FROM payouts WHERE account_id = $1", account_id
    )
    return None if last is None else last - _LISTED_BACK


async def claim_due(now: datetime, limit: int, lease: timedelta) -> list[Claimed]:
    """Payouts to ask about, each handed to one caller only until the lease is over."""
    found = await rows(
        "UPDATE payouts SET refresh_at = $2 WHERE id IN ("
        "SELECT id FROM payouts WHERE refresh_at <= $1 "
        "ORDER BY refresh_at LIMIT $3 FOR UPDATE SKIP LOCKED) RETURNING id, account_id, seller_id",
        now,
        now + lease,
        limit,
    )
    return [Claimed(each["id"], each["account_id"], each["seller_id"]) for each in found]


async def claim_accounts(now: datetime, limit: int, lease: timedelta) -> list[Claimed]:
    """Accounts whose payouts are to be listed; one that was never listed is due."""
    found = await rows(
        "UPDATE connected_accounts SET payouts_due_at = $2 WHERE account_id IN ("
        "SELECT account_id FROM connected_accounts "
        "WHERE payouts_due_at IS NULL OR payouts_due_at <= $1 "
        "ORDER BY payouts_due_at NULLS FIRST LIMIT $3 FOR UPDATE SKIP LOCKED) "
        "RETURNING account_id, seller_id",
        now,
        now + lease,
        limit,
    )
    return [
        Claimed(each["account_id"], ConnectedAccountId(each["account_id"]), each["seller_id"])
        for each in found
    ]


async def listed(account_id: str, now: datetime) -> None:
    """Note that an account's payouts were listed to their end."""
    await execute(
        "UPDATE connected_accounts SET payouts_due_at = $2 WHERE account_id = $1",
        account_id,
        now + LISTED_EVERY,
    )
