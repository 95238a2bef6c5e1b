"""Counted tries in a window of time, in the database: the same count for every process."""

import math
from datetime import datetime, timedelta

import msgspec

from marketplace.people.errors import TooManyTries
from marketplace.people.tokens import hashed
from payments.database import execute, row


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """At most `allowed` tries in `window_seconds`, counted from the first one."""

    allowed: int
    window_seconds: int


class PeopleLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What slows down guessing and mass sign-up, wide enough for an office behind one address."""

    sign_in_per_email: Limit = Limit(allowed=10, window_seconds=900)
    sign_in_per_address: Limit = Limit(allowed=100, window_seconds=900)
    sign_up_per_address: Limit = Limit(allowed=60, window_seconds=3600)
    password_per_account: Limit = Limit(allowed=10, window_seconds=900)
    # Each may be a mail to somebody who did not ask for it.
    reset_per_email: Limit = Limit(allowed=5, window_seconds=3600)
    reset_per_address: Limit = Limit(allowed=30, window_seconds=3600)
    link_per_address: Limit = Limit(allowed=100, window_seconds=900)
    proof_per_account: Limit = Limit(allowed=5, window_seconds=3600)


def sign_in_bucket(email: str) -> str:
    """Where sign-ins with this address (canonical, or whatever was typed) are counted."""
    return f"sign-in:{hashed(email)}"


async def take(bucket: str, limit: Limit, now: datetime) -> None:
    """Count one try. Raises TooManyTries, which tells when the window ends.

    One statement, so that tries at the same moment are each counted. The count stops one above what is
    allowed: hammering neither prolongs the wait nor overflows the column.
    """
    counted = await row(
        """
        INSERT INTO limits AS l (bucket, window_started_at, used) VALUES ($1, $2, 1)
        ON CONFLICT (bucket) DO UPDATE SET
            used = CASE WHEN l.window_started_at <= $3 THEN 1 ELSE LEAST(l.used + 1, $4) END,
            window_started_at = CASE WHEN l.window_started_at <= $3 THEN $2
                                ELSE l.window_started_at END
        RETURNING used, window_started_at
        """,
        bucket,
        now,
        now - timedelta(seconds=limit.window_seconds),
        limit.allowed + 1,
    )
    assert counted is not None
    if counted["used"] > limit.allowed:
        ends = counted["window_started_at"] + timedelta(seconds=limit.window_seconds)
        raise TooManyTries(max(1, math.ceil((ends - now).total_seconds())))


async def forget(bucket: str) -> None:
    """Start counting anew: the right password was given."""
    await execute("DELETE FROM limits WHERE bucket = $1", bucket)


async def sweep(now: datetime, limit: int) -> int:
    """Delete up to `limit` counts whose every window is over; answers how many."""
    return await execute(
        """
        DELETE FROM limits WHERE bucket IN (
            SELECT bucket FROM limits WHERE window_started_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)
        """,
        now - timedelta(days=1),
        limit,
    )
