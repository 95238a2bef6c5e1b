"""Balances are added up from the index of the days of accounts alone."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from payments.database import execute

ID = "2026-11-21T20:20:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "The index of the days of accounts has what moved"

STATEMENTS = [
    "DROP INDEX account_days_of_account",
    'CREATE INDEX account_days_of_account ON account_days (account COLLATE "C", currency, day) '
    "INCLUDE (moved)",
]


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="marketplace", description=DESCRIPTION)

    async def run() -> None:
        for statement in STATEMENTS:
            await execute(statement)

    manager.add_raw(run)
    return manager
