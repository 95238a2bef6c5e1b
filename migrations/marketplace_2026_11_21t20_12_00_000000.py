"""What sellers' programs were told is news: forgotten in time, never changed."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from payments.database import execute

ID = "2026-11-21T20:12:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Sellers' events may be forgotten, and by which index"

STATEMENTS = [
    "CREATE INDEX webhook_deliveries_of_event ON webhook_deliveries (event_id)",
    "DROP TRIGGER seller_events_append_only ON seller_events",
    "CREATE TRIGGER seller_events_append_only BEFORE UPDATE ON seller_events "
    "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
]


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="marketplace", description=DESCRIPTION)

    async def run() -> None:
        for statement in STATEMENTS:
            await execute(statement)

    manager.add_raw(run)
    return manager
