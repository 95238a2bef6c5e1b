"""Which payments a run compares: those that were made in its range, and older ones whose money moved in it.

Each is answered once: one made in the range when it was made, an older one at its first posting in the range
or, where our books have none, at Stripe's first movement.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from payments.database import rows

_TOUCHED = """
SELECT at, payment_id FROM (
    (SELECT created_at AS at, id AS payment_id FROM payments
     WHERE created_at >= $3 AND created_at < $2 AND (created_at, id) > ($3, $4)
     ORDER BY created_at, id LIMIT $5)
    UNION
    (SELECT t.recorded_at, t.payment_id FROM postings t JOIN payments p ON p.id = t.payment_id
     WHERE t.recorded_at >= $3 AND t.recorded_at < $2 AND (t.recorded_at, t.payment_id) > ($3, $4)
       AND p.created_at < $1
       AND NOT EXISTS (SELECT FROM postings e WHERE e.payment_id = t.payment_id
                       AND e.recorded_at >= $1 AND e.recorded_at < t.recorded_at)
     ORDER BY t.recorded_at, t.payment_id LIMIT $5)
    UNION
    (SELECT b.created_at, p.id FROM balance_transactions b JOIN payments p ON p.charge_id = b.charge_id
     WHERE b.created_at >= $3 AND b.created_at < $2 AND (b.created_at, p.id) > ($3, $4)
       AND p.created_at < $1
       AND NOT EXISTS (SELECT FROM postings e WHERE e.payment_id = p.id
                       AND e.recorded_at >= $1 AND e.recorded_at < $2)
       AND NOT EXISTS (SELECT FROM balance_transactions e WHERE e.charge_id = b.charge_id
                       AND e.created_at >= $1 AND e.created_at < b.created_at)
     ORDER BY b.created_at, p.id LIMIT $5)
) AS touched
ORDER BY at, payment_id LIMIT $5
"""


class Touch(msgspec.Struct, frozen=True):
    """A payment that is to be compared, and the moment that says where to go on."""

    at: datetime
    payment_id: str


async def touched(since: datetime, until: datetime, after: Touch | None, limit: int) -> list[Touch]:
    """The next payments, after the one that was touched last."""
    found = await rows(
        _TOUCHED,
        since,
        until,
        since if after is None else after.at,
        "" if after is None else after.payment_id,
        limit,
    )
    return [Touch(record["at"], record["payment_id"]) for record in found]


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger's platform accounts hold because of one payment, and when it was last posted to."""

    payment_id: str
    created_at: datetime
    amount: int
    moved_at: datetime | None


async def held_by_platform(payment_ids: Sequence[str]) -> dict[str, Held]:
    """What should have stayed on the platform's Stripe balance: what banks took back counts against it.

    What two admins adjusted moved nothing of the charge at Stripe, and does not count.
    """
    found = await rows(
        "SELECT p.id AS payment_id, p.created_at, max(t.occurred_at) AS moved_at, "
        f"coalesce(sum(CASE WHEN {_platform('t.target')} THEN t.amount ELSE 0 END "
        f"  - CASE WHEN {_platform('t.source')} THEN t.amount ELSE 0 END), 0)::bigint AS amount "
        "FROM payments p LEFT JOIN postings t ON t.payment_id = p.id "
        "  AND NOT (t.kind = 'adjustment' AND t.cause LIKE 'apv\\_%') "
        "WHERE p.id = ANY($1::text[]) GROUP BY p.id",
        list(payment_ids),
    )
    return {record["payment_id"]: Held(**record) for record in found}


def _platform(column: str) -> str:
    return f"({column} LIKE 'platform:%' OR {column} = 'disputes' OR {column} LIKE 'seller:%:debt')"
