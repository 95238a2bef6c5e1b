"""A seller's money that Stripe will not send is a kind of case."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from payments.database import execute

ID = "2026-11-21T19:34:43:000000"
VERSION = "1.38.0"
DESCRIPTION = "Transfers that Stripe refused are a kind of case"

KINDS = (
    "'missing_here', 'missing_there', 'amount', 'currency', 'fee', 'status', 'skipped_transfer', "
    "'dashboard_refund', 'unknown_type', 'balance', 'transfer_refused'"
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="marketplace", description=DESCRIPTION)

    async def run() -> None:
        await execute("ALTER TABLE cases DROP CONSTRAINT cases_kind_known")
        await execute(
            f"ALTER TABLE cases ADD CONSTRAINT cases_kind_known CHECK (kind IN ({KINDS}))"
        )

    manager.add_raw(run)
    return manager
