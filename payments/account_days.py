"""What each account of the ledger gained on each day, and in how many postings: sums of sealed ones, so that
balances of any moment need not add up the whole ledger. A day is of UTC, by when postings were recorded;
minor units.

The sealing of a posting counts it in, once, in the same transaction; what is not sealed yet is read from the
postings themselves. So the sums are always those of a full count (`payments.ledger.balances`).
"""

from typing import Final

from payments.database import execute, rows


async def count_in(posting_ids: list[str]) -> None:
    """Add postings to their days, in the transaction that seals them."""
    await execute(_COUNT_IN, posting_ids)


async def held(account: str) -> dict[str, int]:
    """What the account holds now, by currency in minor units; of currencies that ever moved on it."""
    found = await rows(_HELD, account)
    return {each["currency"]: each["held"] for each in found}


# Row by row on purpose (OFFSET 0): few rows wait, whatever the planner remembers of a day when many did.
UNSEALED: Final = """
    SELECT p.source, p.target, p.currency, p.amount, p.recorded_at
    FROM chain_waiting w CROSS JOIN LATERAL (SELECT * FROM postings WHERE id = w.row_id OFFSET 0) AS p
    WHERE w.book = 'postings'
"""
_HELD = f"""
SELECT currency, sum(amount)::bigint AS held FROM (
    SELECT currency, moved AS amount FROM account_days WHERE account COLLATE "C" = $1
    UNION ALL SELECT currency, CASE $1 WHEN target THEN amount ELSE -amount END
    FROM ({UNSEALED}) AS unsealed WHERE $1 IN (source, target)
) AS legs GROUP BY currency
"""
_COUNT_IN = """
INSERT INTO account_days (id, account, currency, day, moved, movements)
SELECT account || ':' || currency || ':' || to_char(day, 'YYYY-MM-DD'), account, currency, day, sum(amount),
    count(*)
FROM (
    SELECT target AS account, currency, (recorded_at AT TIME ZONE 'UTC')::date AS day, amount
    FROM postings WHERE id = ANY($1::text[])
    UNION ALL SELECT source, currency, (recorded_at AT TIME ZONE 'UTC')::date, -amount
    FROM postings WHERE id = ANY($1::text[])
) AS legs GROUP BY account, currency, day
ON CONFLICT (id) DO UPDATE SET moved = account_days.moved + excluded.moved,
    movements = account_days.movements + excluded.movements
"""
