"""A browser's sign-in: an opaque token in a cookie, looked up on every request, so that an end is at once."""

import hmac
from datetime import datetime, timedelta

import msgspec

from marketplace.people.accounts import Account
from marketplace.people.errors import NotSignedIn
from marketplace.people.tokens import csrf_token_of, hashed, new_session_token
from payments.database import execute, row

_ADMIN_IDLE = timedelta(minutes=15)
_IDLE = timedelta(minutes=30)
_ADMIN_LASTS = timedelta(hours=8)
_LASTS = timedelta(hours=12)

# Writing "seen" on every request would double the cost of reading; a minute's error does not matter.
_SEEN_EVERY = timedelta(minutes=1)
_KEPT_AFTER_END = timedelta(days=30)


class OpenedSession(msgspec.Struct, frozen=True, kw_only=True):
    """A new session with its two secrets, which are shown once."""

    token: str
    csrf_token: str
    expires_at: datetime


async def open_session(account: Account, now: datetime) -> OpenedSession:
    """Begin a session for `account`."""
    token = new_session_token()
    csrf = csrf_token_of(token)
    expires_at = now + (_ADMIN_LASTS if account.is_admin else _LASTS)
    await execute(
        """
        INSERT INTO sessions (token_hash, account_id, csrf_hash, created_at, last_seen_at, expires_at)
        VALUES ($1, $2, $3, $4, $4, $5)
        """,
        hashed(token),
        account.id,
        hashed(csrf),
        now,
        expires_at,
    )
    return OpenedSession(token=token, csrf_token=csrf, expires_at=expires_at)


async def account_of_session(token: str, now: datetime) -> Account:
    """Who the cookie's `token` belongs to. Raises NotSignedIn: unknown, ended."""
    found = await row(
        """
        SELECT a.id, a.email, a.display_name, a.is_admin, a.created_at, a.email_proved_at,
               s.last_seen_at, s.expires_at, s.revoked_at, a.disabled_at
        FROM sessions s JOIN accounts a ON a.id = s.account_id WHERE s.token_hash = $1
        """,
        hashed(token),
    )
    if found is None:
        raise NotSignedIn("unknown")
    idle = _ADMIN_IDLE if found["is_admin"] else _IDLE
    ended = found["revoked_at"] or found["disabled_at"]
    if ended or found["expires_at"] <= now or found["last_seen_at"] + idle <= now:
        raise NotSignedIn("ended")
    if found["last_seen_at"] + _SEEN_EVERY <= now:
        await execute(
            "UPDATE sessions SET last_seen_at = GREATEST(last_seen_at, $2) WHERE token_hash = $1",
            hashed(token),
            now,
        )
    return Account.of(found)


def csrf_matches(token: str, given: str) -> bool:
    """Whether `given` is the CSRF token of the session with this `token`."""
    return hmac.compare_digest(hashed(csrf_token_of(token)), hashed(given))


async def revoke_session(token: str, now: datetime) -> None:
    """End one session; ending it twice is the same."""
    await execute(
        "UPDATE sessions SET revoked_at = $2 WHERE token_hash = $1 AND revoked_at IS NULL",
        hashed(token),
        now,
    )


async def revoke_sessions(account_id: str, now: datetime, *, but: str | None = None) -> int:
    """End every session of an account, except the one with the token `but`; answers how many."""
    return await execute(
        """
        UPDATE sessions SET revoked_at = $2
        WHERE account_id = $1 AND revoked_at IS NULL AND token_hash IS DISTINCT FROM $3
        """,
        account_id,
        now,
        None if but is None else hashed(but),
    )


async def sweep(now: datetime, limit: int) -> int:
    """Delete up to `limit` sessions that ended a month ago; answers how many."""
    return await execute(
        """
        DELETE FROM sessions WHERE token_hash IN (
            SELECT token_hash FROM sessions WHERE expires_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)
        """,
        now - _KEPT_AFTER_END,
        limit,
    )
