"""Rows of connected accounts: snapshots in and out, marks of events, claims of the sweep."""

from datetime import datetime, timedelta

import asyncpg
import msgspec

from connect.capability import CapabilityPolicy, KnownAccount, refresh_again_at, state_of
from connect.errors import AccountNotFound
from connect.snapshot import AccountSnapshot, CapabilitySeen, Requirement, StatusDetail
from payments.database import execute, row, rows, value
from payments.ids import ConnectedAccountId

_COLUMNS = (
    "account_id, seller_id, country, default_currency, transfers_status, payouts_status, "
    "status_details, requirements, requirements_deadline, closed, checked_at, request_id, "
    "nudges, nudges_absorbed"
)


class _Details(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON of `status_details`."""

    recipient: bool
    transfers: tuple[StatusDetail, ...]
    payouts: tuple[StatusDetail, ...]


class _Requirements(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON of `requirements`."""

    deadline_status: str | None
    entries: tuple[Requirement, ...]
    future: tuple[Requirement, ...]


class StoredAccount(msgspec.Struct, frozen=True, kw_only=True):
    """A known account with its nudges: an event adds one, a refresh catches up with them."""

    known: KnownAccount
    nudges: int
    nudges_absorbed: int


async def find_of_seller(seller_id: str) -> StoredAccount | None:
    """The seller's connected account, if one was opened."""
    found = await row(f"SELECT {_COLUMNS} FROM connected_accounts WHERE seller_id = $1", seller_id)
    return None if found is None else _stored(found)


async def require(account_id: ConnectedAccountId) -> StoredAccount:
    """The connected account with this id, or AccountNotFound."""
    found = await row(
        f"SELECT {_COLUMNS} FROM connected_accounts WHERE account_id = $1", account_id
    )
    if found is None:
        raise AccountNotFound(account_id)
    return _stored(found)


async def find_locked(account_id: ConnectedAccountId) -> AccountSnapshot | None:
    """What is known of the account, held until the open transaction ends."""
    found = await row(
        f"SELECT {_COLUMNS} FROM connected_accounts WHERE account_id = $1 FOR NO KEY UPDATE",
        account_id,
    )
    return None if found is None else _snapshot(found)


async def absorb(
    snapshot: AccountSnapshot,
    *,
    seller_id: str,
    checked_at: datetime,
    nudges_seen: int,
    policy: CapabilityPolicy,
) -> bool:
    """Take a snapshot in, unless one that was asked for later is already here; answers whether it was.

    `checked_at` is the moment before Stripe was asked and `nudges_seen` the count read then: an
    event that came while Stripe was answering leaves the account stale and due at once.
    """
    state = state_of(snapshot, policy)
    touched = await execute(
        "INSERT INTO connected_accounts AS ours (account_id, seller_id, country, default_currency, "
        "transfers_status, payouts_status, status_details, requirements, requirements_deadline, "
        "closed, checked_at, request_id, state, refresh_at, created_at, nudges, nudges_absorbed) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $11, 0, 0) "
        "ON CONFLICT (account_id) DO UPDATE SET country = EXCLUDED.country, "
        "default_currency = EXCLUDED.default_currency, "
        "transfers_status = EXCLUDED.transfers_status, "
        "payouts_status = EXCLUDED.payouts_status, status_details = EXCLUDED.status_details, "
        "requirements = EXCLUDED.requirements, "
        "requirements_deadline = EXCLUDED.requirements_deadline, closed = EXCLUDED.closed, "
        "checked_at = EXCLUDED.checked_at, request_id = EXCLUDED.request_id, "
        "state = EXCLUDED.state, nudges_absorbed = greatest(ours.nudges_absorbed, $15), "
        "refresh_at = CASE WHEN ours.nudges > $15 THEN $11 ELSE EXCLUDED.refresh_at END "
        "WHERE ours.checked_at <= EXCLUDED.checked_at",
        snapshot.id,
        seller_id,
        snapshot.country,
        snapshot.default_currency,
        snapshot.transfers.status[:40],
        snapshot.payouts.status[:40],
        _details_of(snapshot),
        _requirements_of(snapshot),
        snapshot.deadline,
        snapshot.closed,
        checked_at,
        snapshot.request_id,
        state,
        refresh_again_at(state, checked_at),
        nudges_seen,
    )
    return touched == 1


async def nudge(account_id: ConnectedAccountId) -> None:
    """Note that something happened to the account, or raise AccountNotFound."""
    touched = await execute(
        # Due since it was last read, so at once by anybody's clock.
        "UPDATE connected_accounts SET nudges = nudges + 1, "
        "refresh_at = least(refresh_at, checked_at) WHERE account_id = $1",
        account_id,
    )
    if not touched:
        raise AccountNotFound(account_id)


async def claim_due(now: datetime, limit: int, lease: timedelta) -> list[ConnectedAccountId]:
    """Accounts whose refresh is due, each handed to one caller only until the lease is over."""
    claimed = await rows(
        "UPDATE connected_accounts SET refresh_at = $2 WHERE account_id IN ("
        "SELECT account_id FROM connected_accounts WHERE refresh_at <= $1 "
        "ORDER BY refresh_at LIMIT $3 FOR UPDATE SKIP LOCKED) RETURNING account_id",
        now,
        now + lease,
        limit,
    )
    return [ConnectedAccountId(each["account_id"]) for each in claimed]


async def lock_seller(seller_id: str) -> None:
    """Serialize the opening of one seller's account until this transaction ends."""
    await value("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"account-of:{seller_id}")


def _stored(found: asyncpg.Record) -> StoredAccount:
    return StoredAccount(
        known=KnownAccount(
            seller_id=found["seller_id"],
            snapshot=_snapshot(found),
            checked_at=found["checked_at"],
            stale=found["nudges"] > found["nudges_absorbed"],
        ),
        nudges=found["nudges"],
        nudges_absorbed=found["nudges_absorbed"],
    )


def _snapshot(found: asyncpg.Record) -> AccountSnapshot:
    details = msgspec.json.decode(found["status_details"], type=_Details)
    wanted = msgspec.json.decode(found["requirements"], type=_Requirements)
    return AccountSnapshot(
        id=ConnectedAccountId(found["account_id"]),
        country=found["country"],
        default_currency=found["default_currency"],
        recipient=details.recipient,
        transfers=CapabilitySeen(found["transfers_status"], details.transfers),
        payouts=CapabilitySeen(found["payouts_status"], details.payouts),
        requirements=wanted.entries,
        future_requirements=wanted.future,
        deadline_status=wanted.deadline_status,
        deadline=found["requirements_deadline"],
        closed=found["closed"],
        request_id=found["request_id"],
    )


def _details_of(snapshot: AccountSnapshot) -> str:
    details = _Details(
        recipient=snapshot.recipient,
        transfers=snapshot.transfers.details,
        payouts=snapshot.payouts.details,
    )
    return msgspec.json.encode(details).decode()


def _requirements_of(snapshot: AccountSnapshot) -> str:
    wanted = _Requirements(
        deadline_status=snapshot.deadline_status,
        entries=snapshot.requirements,
        future=snapshot.future_requirements,
    )
    return msgspec.json.encode(wanted).decode()
