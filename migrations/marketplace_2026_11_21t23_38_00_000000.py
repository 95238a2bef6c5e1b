"""Postings of a currency that few have are found without a walk through all of them."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from payments.database import execute

ID = "2026-11-21T23:38:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "An index of postings by currency"


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="marketplace", description=DESCRIPTION)

    async def run() -> None:
        await execute("CREATE INDEX postings_of_currency ON postings (currency, id)")

    manager.add_raw(run)
    return manager
