from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns.column_types import Varchar

ID = "2026-11-21T19:34:42:898442"
VERSION = "1.38.0"
DESCRIPTION = "cases of transfers that stripe refused"


async def forwards():
    manager = MigrationManager(
        migration_id=ID, app_name="marketplace", description=DESCRIPTION
    )

    manager.alter_column(
        table_class_name="Case",
        tablename="cases",
        column_name="last_run_id",
        db_column_name="last_run_id",
        params={"null": True},
        old_params={"null": False},
        column_class=Varchar,
        old_column_class=Varchar,
        schema=None,
    )

    return manager
