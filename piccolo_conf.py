"""Where Piccolo finds the engine and the one history of migrations.

Three Piccolo apps sharing a flat folder would each run every file, so the tables of all packages are one
app (docs/decisions/0003). `DATABASE_URL` is read here only for Piccolo's own command line; the program
passes its address to `DB.start`.
"""

import os
from pathlib import Path

from piccolo.conf.apps import AppConfig, AppRegistry, table_finder

from payments.database import Engine

DB = Engine(config={"dsn": os.environ.get("DATABASE_URL", "")})

TABLE_MODULES = [
    "payments.tables",
    "payments.book_tables",
    "payments.dispute_tables",
    "payments.card_tables",
    "payments.event_tables",
    "connect.tables",
    "marketplace.people.tables",
    "marketplace.sellers.tables",
    "marketplace.catalog.tables",
    "marketplace.orders.tables",
    "marketplace.fees.tables",
    "marketplace.books.tables",
    "marketplace.papers.tables",
    "marketplace.tax.tables",
    "marketplace.oversight.tables",
    "marketplace.messages.tables",
    "marketplace.api.tables",
]

APP_CONFIG = AppConfig(
    app_name="marketplace",
    migrations_folder_path=str(Path(__file__).parent / "migrations"),
    table_classes=table_finder(modules=TABLE_MODULES, exclude_imported=True),
)

APP_REGISTRY = AppRegistry(apps=["piccolo_conf"])
