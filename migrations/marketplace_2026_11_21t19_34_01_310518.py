from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns.column_types import Varchar
from piccolo.columns.indexes import IndexMethod
from piccolo.constraints import Check

ID = "2026-11-21T19:34:01:310518"
VERSION = "1.38.0"
DESCRIPTION = "Who approved a fee credit"


async def forwards():
    manager = MigrationManager(
        migration_id=ID, app_name="marketplace", description=DESCRIPTION
    )

    manager.add_column(
        table_class_name="FeeCredit",
        tablename="seller_fee_credits",
        column_name="approved_by",
        db_column_name="approved_by",
        column_class_name="Varchar",
        column_class=Varchar,
        params={
            "length": 60,
            "default": None,
            "null": True,
            "primary_key": False,
            "unique": False,
            "index": False,
            "index_method": IndexMethod.btree,
            "choices": None,
            "db_column_name": None,
            "secret": False,
        },
        schema=None,
    )

    manager.add_constraint(
        table_class_name="FeeCredit",
        tablename="seller_fee_credits",
        constraint_name="seller_fee_credits_by_two",
        constraint_class=Check,
        params={"condition": "approved_by <> granted_by"},
        schema=None,
    )

    return manager
