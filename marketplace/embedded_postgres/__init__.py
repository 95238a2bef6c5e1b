"""A PostgreSQL server of our own, for a machine that has none.

Decides where the server's programs come from, under which identity it runs, and that it lives
exactly as long as we do. Imports the standard library only: it starts before everything else.

`guard.py` is not imported but run, as the process between us and the server.
"""

from marketplace.embedded_postgres.binaries import Binaries, find_binaries
from marketplace.embedded_postgres.errors import (
    DataDirectoryInUse,
    DataDirectoryRefused,
    EmbeddedPostgresFailed,
    PostgresDidNotStart,
    PostgresNotFound,
)
from marketplace.embedded_postgres.server import EmbeddedPostgres

__all__ = [
    "Binaries",
    "DataDirectoryInUse",
    "DataDirectoryRefused",
    "EmbeddedPostgres",
    "EmbeddedPostgresFailed",
    "PostgresDidNotStart",
    "PostgresNotFound",
    "find_binaries",
]
