"""API keys: what a program signs in with. Shown once, stored as a hash, limited by scopes and an end."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg
import msgspec

from marketplace.oversight.audit import record
from marketplace.paging import Page, PageRequest
from marketplace.people.accounts import Account
from marketplace.people.errors import (
    ApiKeyNotFound,
    ExpiryRefused,
    NotSignedIn,
    ScopeRefused,
    TooManyApiKeys,
)
from marketplace.people.names import canonical_name
from marketplace.people.scopes import ADMIN_SCOPES, grantable_scopes
from marketplace.people.tokens import hashed, new_api_token
from payments.database import execute, row, rows, transaction, value
from payments.ids import new_id

KEYS_EACH = 50
LONGEST_DAYS = 366
_PREVIEW_CHARACTERS = 12
_USED_EVERY = timedelta(minutes=1)
_COLUMNS = "id, name, preview, scopes, created_at, expires_at, last_used_at"


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it is listed. `preview` is the beginning of its token, to recognise it by."""

    id: str
    name: str
    preview: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class IssuedApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A new key with its token, which nobody can learn again."""

    key: ApiKey
    token: str


class KeyOwner(msgspec.Struct, frozen=True, kw_only=True):
    """Whose key a token is, which key, and what it may do."""

    account: Account
    api_key_id: str
    scopes: frozenset[str]


class ApiKeys:
    """Issues, lists and revokes keys. `live` goes into the token's prefix."""

    def __init__(self, *, live: bool) -> None:
        self._live = live

    async def issue(
        self,
        account_id: str,
        *,
        is_admin: bool,
        name: str,
        scopes: Sequence[str],
        expires_at: datetime | None,
        now: datetime,
    ) -> IssuedApiKey:
        """Make a key. Raises NameRefused, ScopeRefused, ExpiryRefused, TooManyApiKeys."""
        named = canonical_name(name)
        granted = _granted(scopes, is_admin=is_admin)
        if expires_at and not now < expires_at <= now + timedelta(days=LONGEST_DAYS):
            raise ExpiryRefused(LONGEST_DAYS)
        token = new_api_token(live=self._live)
        async with transaction():
            await _require_room(account_id, now)
            added = await row(
                f"""
                INSERT INTO api_keys
                    (id, account_id, name, preview, token_hash, scopes, created_at, expires_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING {_COLUMNS}
                """,
                new_id("key"),
                account_id,
                named,
                token[:_PREVIEW_CHARACTERS],
                hashed(token),
                granted,
                now,
                expires_at,
            )
            assert added is not None
            key = _key(added)
            await record(
                actor=account_id,
                action="api_key.issued",
                subject=key.id,
                after={"name": named, "scopes": granted, "expires_at": expires_at},
                now=now,
            )
        return IssuedApiKey(key=key, token=token)

    async def list(self, account_id: str, page: PageRequest) -> Page[ApiKey]:
        """The account's keys that were not revoked, newest first."""
        found = await rows(
            f"SELECT {_COLUMNS} FROM api_keys WHERE account_id = $1 AND revoked_at IS NULL"
            " AND ($2::text IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
            account_id,
            page.starting_after,
            page.fetched,
        )
        return Page.cut([_key(each) for each in found], page)

    async def revoke(self, account_id: str, api_key_id: str, now: datetime) -> None:
        """End a key at once. Raises ApiKeyNotFound, also for another person's and for a revoked one."""
        async with transaction():
            ended = await execute(
                "UPDATE api_keys SET revoked_at = $3"
                " WHERE id = $1 AND account_id = $2 AND revoked_at IS NULL",
                api_key_id,
                account_id,
                now,
            )
            if not ended:
                raise ApiKeyNotFound(api_key_id)
            await record(actor=account_id, action="api_key.revoked", subject=api_key_id, now=now)

    async def owner_of(self, token: str, now: datetime) -> KeyOwner:
        """Whose key this is, and its scopes. Raises NotSignedIn: unknown, revoked, expired."""
        found = await row(
            """
            SELECT a.id, a.email, a.display_name, a.is_admin, a.created_at, a.email_proved_at,
                   k.id AS api_key_id, k.scopes, k.expires_at, k.revoked_at, k.last_used_at, a.disabled_at
            FROM api_keys k JOIN accounts a ON a.id = k.account_id WHERE k.token_hash = $1
            """,
            hashed(token),
        )
        if found is None:
            raise NotSignedIn("unknown")
        if found["revoked_at"] or found["disabled_at"]:
            raise NotSignedIn("revoked")
        if found["expires_at"] and found["expires_at"] <= now:
            raise NotSignedIn("expired")
        if found["last_used_at"] is None or found["last_used_at"] + _USED_EVERY <= now:
            await _mark_used(found["api_key_id"], now)
        return KeyOwner(
            account=Account.of(found), api_key_id=found["api_key_id"], scopes=_usable(found)
        )


def _granted(scopes: Sequence[str], *, is_admin: bool) -> list[str]:
    allowed = grantable_scopes(is_admin=is_admin)
    for scope in scopes:
        if scope not in allowed:
            raise ScopeRefused(scope, allowed=tuple(sorted(allowed)))
    return sorted(set(scopes))


def _usable(found: asyncpg.Record) -> frozenset[str]:
    """An admin who no longer is one has keys that no longer are an admin's."""
    scopes = frozenset(found["scopes"])
    return scopes if found["is_admin"] else scopes - ADMIN_SCOPES


async def _require_room(account_id: str, now: datetime) -> None:
    await execute("SELECT 1 FROM accounts WHERE id = $1 FOR NO KEY UPDATE", account_id)
    usable = await value(
        "SELECT count(*) FROM api_keys WHERE account_id = $1 AND revoked_at IS NULL"
        " AND (expires_at IS NULL OR expires_at > $2)",
        account_id,
        now,
    )
    if usable >= KEYS_EACH:
        raise TooManyApiKeys(KEYS_EACH)


async def _mark_used(api_key_id: str, now: datetime) -> None:
    await execute(
        "UPDATE api_keys SET last_used_at = GREATEST(last_used_at, $2) WHERE id = $1",
        api_key_id,
        now,
    )


def _key(found: asyncpg.Record) -> ApiKey:
    return ApiKey(**{name: found[name] for name in ApiKey.__struct_fields__})
