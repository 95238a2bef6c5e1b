"""The sums of fees are read in the index alone: a page of sellers adds up some fifty rows of each, and
those of one seller, written in as many weeks, lie on as many pages of the table.
"""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from payments.database import execute

ID = "2026-11-21T22:50:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Sums of fees in the index that holds each of them once"

STATEMENTS = [
    "ALTER TABLE fee_totals DROP CONSTRAINT fee_totals_once",
    "ALTER TABLE fee_totals ADD CONSTRAINT fee_totals_once "
    "UNIQUE (dimension, grain, key, currency, starts_on) "
    "INCLUDE (payments, captured, refunded, fee_taken, fee_returned, processing_cost)",
    # What vacuum has seen needs no look at the table, so it comes before a fifth of the sums have changed.
    "ALTER TABLE fee_totals SET (autovacuum_vacuum_scale_factor = 0.02, "
    "autovacuum_vacuum_insert_scale_factor = 0.02)",
]


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="marketplace", description=DESCRIPTION)

    async def run() -> None:
        for statement in STATEMENTS:
            await execute(statement)

    manager.add_raw(run)
    return manager
