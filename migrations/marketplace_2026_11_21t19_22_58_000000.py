"""The index by which groups are found whose card may be let go of."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from payments.database import execute

ID = "2026-11-21T19:22:58:000000"
VERSION = "1.38.0"
DESCRIPTION = "Index of the checkout groups that keep a card for themselves"


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="marketplace", description=DESCRIPTION)

    async def run() -> None:
        await execute(
            "CREATE INDEX checkout_groups_with_card ON checkout_groups (card_due_at) "
            "WHERE card_due_at IS NOT NULL"
        )

    manager.add_raw(run)
    return manager
