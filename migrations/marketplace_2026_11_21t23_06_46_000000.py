"""References and indexes of papers that wait: of each seller the earliest month is tried again first."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from payments.database import execute

ID = "2026-11-21T23:06:46:000000"
VERSION = "1.38.0"
DESCRIPTION = "References and indexes of papers that wait"

STATEMENTS = [
    "ALTER TABLE papers_waiting ADD CONSTRAINT papers_waiting_seller_id_exists "
    "FOREIGN KEY (seller_id) REFERENCES sellers (id)",
    "ALTER TABLE papers_waiting ADD CONSTRAINT papers_waiting_month_exists "
    "FOREIGN KEY (month) REFERENCES paper_months (month)",
    "CREATE UNIQUE INDEX papers_waiting_of_seller ON papers_waiting (seller_id, month)",
]


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="marketplace", description=DESCRIPTION)

    async def run() -> None:
        for statement in STATEMENTS:
            await execute(statement)

    manager.add_raw(run)
    return manager
