"""Indexes for what is asked every minute when there are ten million payments, and one that was there twice."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from payments.database import execute

ID = "2026-11-21T19:50:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Indexes of open checkouts, held stock and payouts by time"

STATEMENTS = [
    # Checkouts of sellers who cannot be paid any more: without a walk over all that are open.
    "CREATE INDEX orders_open_of_seller ON orders (seller_id) WHERE status = 'checkout'",
    # The rules that are asked every few minutes.
    "CREATE INDEX stock_reservations_held ON stock_reservations (listing_id) WHERE state = 'held'",
    "CREATE INDEX payouts_by_making ON payouts (created_at)",
    # postings_by_recording (recorded_at, id) serves whatever this one did.
    "DROP INDEX postings_recorded",
]


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="marketplace", description=DESCRIPTION)

    async def run() -> None:
        for statement in STATEMENTS:
            await execute(statement)

    manager.add_raw(run)
    return manager
