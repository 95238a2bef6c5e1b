"""The account of a mailed link, and how links are found: those nobody has looked at, those of an account."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from payments.database import execute

ID = "2026-11-21T23:26:01:000000"
VERSION = "1.38.0"
DESCRIPTION = "References and indexes of mailed links"

STATEMENTS = [
    "ALTER TABLE mailed_links ADD CONSTRAINT mailed_links_account_id_exists "
    "FOREIGN KEY (account_id) REFERENCES accounts (id)",
    "CREATE INDEX mailed_links_waiting ON mailed_links (id) WHERE account_id IS NULL",
    "CREATE INDEX mailed_links_of_account ON mailed_links (account_id, purpose, created_at, id)",
]


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="marketplace", description=DESCRIPTION)

    async def run() -> None:
        for statement in STATEMENTS:
            await execute(statement)

    manager.add_raw(run)
    return manager
