"""Bringing a database to the newest schema, safely when several processes try at once.

Piccolo's own `forwards` takes no lock and records a migration outside the transaction that ran
it, so two runs at once or a crash in between leave a history that cannot go on. Here each
migration and its record are one transaction under one advisory lock.
"""

import contextlib
import importlib.util
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import asyncpg
from piccolo.apps.migrations.tables import Migration

from payments import database
from piccolo_conf import APP_CONFIG

# Any constant will do, as long as nothing else in the database uses it.
_LOCK = 0x6D61726B6574


class MigrationFailed(Exception):
    """A migration raised; nothing of it was kept. `migration_id` names it, the cause says why."""

    def __init__(self, migration_id: str, reason: str) -> None:
        super().__init__(f"migration {migration_id} failed: {reason}")
        self.migration_id = migration_id
        self.reason = reason


@dataclass(frozen=True)
class MigrationState:
    """What a database has and lacks. `unknown` were applied by a newer version of the program."""

    applied: tuple[str, ...]
    pending: tuple[str, ...]
    unknown: tuple[str, ...]


async def migrate(dsn: str) -> tuple[str, ...]:
    """Apply every pending migration in order and answer the ids that this call applied.

    Raises MigrationFailed, or payments.errors.DatabaseUnavailable when there is no server.
    """
    modules = _modules()
    async with _engine_at(dsn):
        async with _locked():
            if not await Migration.table_exists().run():
                await Migration.create_table().run()
        return tuple([name for name in modules if await _apply(name, modules[name])])


async def migration_state(dsn: str) -> MigrationState:
    """Compare the database with the program, changing nothing.

    Raises payments.errors.DatabaseUnavailable when there is no server.
    """
    known = tuple(_modules())
    async with _engine_at(dsn):
        ran = await _applied() if await Migration.table_exists().run() else set()
    return MigrationState(
        applied=tuple(name for name in known if name in ran),
        pending=tuple(name for name in known if name not in ran),
        unknown=tuple(sorted(ran - set(known))),
    )


async def _apply(name: str, module: ModuleType) -> bool:
    """Run one migration unless another process has done so while we waited for the lock."""
    async with _locked():
        if name in await _applied():
            return False
        try:
            # Piccolo tells its progress on standard output; ours is told by the command.
            with contextlib.redirect_stdout(io.StringIO()):
                manager: Any = await module.forwards()
                manager.wrap_in_transaction = False  # ours is open and holds the record as well
                await manager.run()
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise MigrationFailed(name, str(error)) from error
        await Migration.insert(Migration(name=name, app_name=APP_CONFIG.app_name)).run()
        return True


async def _applied() -> set[str]:
    return set(await Migration.get_migrations_which_ran(app_name=APP_CONFIG.app_name))


@contextlib.asynccontextmanager
async def _locked() -> AsyncIterator[None]:
    async with database.transaction():
        # Waiting for another process's migrations, and building an index, take their time.
        await database.execute("SET LOCAL statement_timeout = 0")
        await database.execute("SET LOCAL lock_timeout = 0")
        await database.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        # But a lock that stands behind a long transaction blocks every reader after it.
        await database.execute("SET LOCAL lock_timeout = '10s'")
        yield


@contextlib.asynccontextmanager
async def _engine_at(dsn: str) -> AsyncIterator[None]:
    engine = database.engine()
    # Building an index takes as long as it takes.
    await engine.start(dsn, pool_size=1, answer_seconds=None)
    try:
        yield
    finally:
        await engine.stop()


def _modules() -> dict[str, ModuleType]:
    """The migrations by id, in order, loaded by their path: no folder joins `sys.path`."""
    found = {}
    for path in sorted(Path(APP_CONFIG.resolved_migrations_folder_path).glob("*.py")):
        spec = importlib.util.spec_from_file_location(f"migrations.{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        if hasattr(module, "ID"):
            found[str(module.ID)] = module
    return dict(sorted(found.items()))
