"""What each account of the ledger gained on each day: sums of sealed postings, so that balances of any moment
need not add up the whole ledger. A day is of UTC, by when postings were recorded; minor units.

The sealing of a posting counts it in, once, in the same transaction; what is not sealed yet is read from the
postings themselves. So the sums are always those of a full count (`payments.ledger.balances`).
"""

from payments.database import execute


async def count_in(posting_ids: list[str]) -> None:
    """Add postings to their days, in the transaction that seals them."""
    await execute(_COUNT_IN, posting_ids)


_COUNT_IN = """
INSERT INTO account_days (id, account, currency, day, moved)
SELECT account || ':' || currency || ':' || to_char(day, 'YYYY-MM-DD'), account, currency, day, sum(amount)
FROM (
    SELECT target AS account, currency, (recorded_at AT TIME ZONE 'UTC')::date AS day, amount
    FROM postings WHERE id = ANY($1::text[])
    UNION ALL SELECT source, currency, (recorded_at AT TIME ZONE 'UTC')::date, -amount
    FROM postings WHERE id = ANY($1::text[])
) AS legs GROUP BY account, currency, day
ON CONFLICT (id) DO UPDATE SET moved = account_days.moved + excluded.moved
"""
