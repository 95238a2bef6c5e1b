"""What is asked of the biggest seller is read along indexes: their postings by when they happened, without a
look at the postings themselves, their orders of a status, the fees of a version by rate. And how many postings
each day of an account has, of those that were sealed before.
"""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from payments.database import execute

ID = "2026-11-21T20:49:21:000000"
VERSION = "1.38.0"
DESCRIPTION = "Indexes for sellers with hundreds of thousands of payments"

STATEMENTS = [
    """
    UPDATE account_days d SET movements = counted.movements FROM (
        SELECT account, currency, day, count(*) AS movements FROM (
            SELECT target AS account, currency, (recorded_at AT TIME ZONE 'UTC')::date AS day
            FROM postings WHERE NOT EXISTS (SELECT FROM chain_waiting w WHERE w.row_id = postings.id)
            UNION ALL SELECT source, currency, (recorded_at AT TIME ZONE 'UTC')::date
            FROM postings WHERE NOT EXISTS (SELECT FROM chain_waiting w WHERE w.row_id = postings.id)
        ) AS legs GROUP BY account, currency, day
    ) AS counted
    WHERE (d.account, d.currency, d.day) = (counted.account, counted.currency, counted.day)
    """,
    # Everything that earnings add up is in the index, and what a year's report begins with; what vacuum has
    # seen needs no look at the table, so it comes more often than after every fifth part of the ledger.
    "DROP INDEX postings_of_seller",
    "CREATE INDEX postings_of_account ON postings (seller_id, occurred_at) "
    "INCLUDE (kind, target, amount, currency, order_id) "
    "WHERE 'seller:' || seller_id IN (source, target)",
    "CREATE INDEX postings_sold ON postings (seller_id, occurred_at) "
    "INCLUDE (payment_id, recorded_at) WHERE kind = 'capture'",
    "ALTER TABLE postings SET (autovacuum_vacuum_insert_scale_factor = 0.01)",
    "CREATE INDEX orders_of_seller_by_status ON orders (seller_id, status, id)",
    "CREATE INDEX fee_reviews_by_schedule_by_rate ON fee_reviews "
    "(schedule_version, rate_basis_points, payment_id)",
]


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="marketplace", description=DESCRIPTION)

    async def run() -> None:
        for statement in STATEMENTS:
            await execute(statement)

    manager.add_raw(run)
    return manager
