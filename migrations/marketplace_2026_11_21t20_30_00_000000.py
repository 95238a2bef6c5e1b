"""Orders by their status, for admins: but for the completed ones, which most orders are after a while."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from payments.database import execute

ID = "2026-11-21T20:30:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Index of the orders that are not completed"

STATEMENTS = [
    "CREATE INDEX orders_by_status ON orders (status, id) WHERE status <> 'completed'",
]


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="marketplace", description=DESCRIPTION)

    async def run() -> None:
        for statement in STATEMENTS:
            await execute(statement)

    manager.add_raw(run)
    return manager
