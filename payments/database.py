"""The one way to PostgreSQL: Piccolo's engine with its transaction mended, and short SQL calls.

Piccolo 1.38 never returns a connection to its pool when COMMIT or BEGIN raises, and leaves its context
variable set, so that the task's next "transaction" silently runs outside any (docs/decisions/0003).
`Transaction` below mends that and refuses nesting.

Piccolo's query builder is used where it says a read or write as plainly; SQL text goes through `rows`,
`row`, `value` and `execute`, which join the task's open transaction when there is one.
"""

import functools
from collections.abc import Sequence
from typing import Any, Literal

import asyncpg
from piccolo.engine.finder import engine_finder
from piccolo.engine.postgres import PostgresEngine, PostgresTransaction

from payments.errors import DatabaseUnavailable, NoTransaction

_SESSION_SETTINGS = {
    # A statement that needs longer than this is a bug or an attack, not a report (those have their own).
    "statement_timeout": "5s",
    # Less than the statement's: waiting for a lock is told apart from working.
    "lock_timeout": "3s",
    # A transaction that waits for us holds locks others need; nothing of ours waits inside one.
    "idle_in_transaction_session_timeout": "10s",
    "timezone": "UTC",
    "application_name": "marketplace",
}


async def _nothing_to_reset(_: object) -> None:
    """Sessions are never changed (settings are SET LOCAL, locks end with their transaction), so asking the
    server to reset one at each release would only cost a round trip. asyncpg itself still rolls back."""


ACQUIRE_SECONDS = 3.0
"""How long a statement waits for a free connection: longer means that none will come soon."""

ANSWER_SECONDS = 7.0
"""How long a statement may take as we see it: the server ends it sooner, unless it, or the way to it, is
gone without a word. asyncpg by itself would wait for ever, even when the task is cancelled."""

LOST = (
    OSError,  # TimeoutError too, and whatever a socket can say
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # asyncpg's word for a connection that ends in the midst of an answer
    DatabaseUnavailable,
)
"""What a statement may raise when the server or the way to it fails."""


class Pool(asyncpg.Pool):
    """A pool in whose line nobody waits for ever."""

    def acquire(self, *, timeout: float | None = None) -> Any:
        """A connection. Raises TimeoutError when none was free for ACQUIRE_SECONDS."""
        # A deadline costs a task on older Pythons, so only who has to wait gets one.
        if timeout is None and self.get_idle_size() == 0:
            timeout = ACQUIRE_SECONDS
        return super().acquire(timeout=timeout)


class Transaction(PostgresTransaction):
    """Piccolo's transaction that always gives its connection back and never nests."""

    async def __aenter__(self) -> "Transaction":
        self.connection = await self.get_connection()
        try:
            self.transaction = self.connection.transaction()
            await self.begin()
        except BaseException:
            await self._give_back()
            raise
        self.context = self.engine.current_transaction.set(self)
        return self

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> Literal[False]:
        try:
            if error is not None:
                if not self._rolled_back:
                    await self.rollback()
            elif not self._committed and not self._rolled_back:
                await self.commit()
        finally:
            self.engine.current_transaction.reset(self.context)
            await self._give_back()
        return False

    async def _give_back(self) -> None:
        pool = self.engine.pool
        if pool is not None:
            await pool.release(self.connection)
        else:
            await self.connection.close()


class Engine(PostgresEngine):
    """Piccolo's PostgreSQL engine, started on purpose rather than by importing a module."""

    async def check_version(self) -> None:
        """Nothing on import: the embedded server may not be up yet; `start` is the first contact."""

    async def prep_database(self) -> None:
        """No extensions are needed."""

    async def start(
        self, dsn: str, *, pool_size: int = 10, answer_seconds: float | None = ANSWER_SECONDS
    ) -> None:
        """Point the engine at `dsn` and open a pool of `pool_size` connections.

        A statement without an answer for `answer_seconds` raises TimeoutError and its connection is given
        up; None waits as long as it takes. Raises DatabaseUnavailable when the server cannot be reached.
        """
        assert self.pool is None, "already started"
        self.config = {
            "dsn": dsn,
            "server_settings": dict(_SESSION_SETTINGS),
            "command_timeout": answer_seconds,
        }
        try:
            self.pool = await Pool(
                min_size=1,
                max_size=pool_size,
                max_queries=50_000,
                max_inactive_connection_lifetime=300,
                setup=None,
                init=None,
                reset=_nothing_to_reset,
                loop=None,
                connection_class=asyncpg.Connection,
                record_class=asyncpg.Record,
                timeout=10,
                **self.config,
            )
        except (OSError, asyncpg.PostgresError) as error:
            raise DatabaseUnavailable(type(error).__name__) from error

    async def stop(self) -> None:
        """Close the pool, waiting for connections in use."""
        if self.pool is not None:
            await self.close_connection_pool()

    def transaction(self, allow_nested: bool = False) -> Transaction:
        """Begin a transaction; a second one inside it raises Piccolo's TransactionError."""
        return Transaction(engine=self, allow_nested=False)


@functools.cache
def engine() -> Engine:
    """The engine that `piccolo_conf.py` declares and every table uses.

    Looked up once: Piccolo's finder reads the environment and imports at every call.
    """
    found = engine_finder()
    assert isinstance(found, Engine), "piccolo_conf.py must declare payments.database.Engine"
    return found


def transaction() -> Transaction:
    """A transaction for `async with`: short, never nested, never around a call to Stripe."""
    return engine().transaction()


def in_transaction() -> bool:
    """Whether this task has a transaction open: the Stripe adapters refuse to call out then."""
    return engine().transaction_exists()


def require_transaction() -> None:
    """Raise NoTransaction unless one is open: for steps that are only right together with others."""
    if not in_transaction():
        raise NoTransaction


def _there() -> Any:
    """What runs a statement: the open transaction's connection, else the pool."""
    found = engine()
    current = found.current_transaction.get()
    if current is not None:
        return current.connection
    if found.pool is None:
        raise DatabaseUnavailable("pool not started")
    return found.pool


async def rows(sql: str, *arguments: Any) -> list[asyncpg.Record]:
    """Every row of a statement with `$1`-style arguments."""
    found: list[asyncpg.Record] = await _there().fetch(sql, *arguments)
    return found


async def row(sql: str, *arguments: Any) -> asyncpg.Record | None:
    """The first row, or None."""
    found: asyncpg.Record | None = await _there().fetchrow(sql, *arguments)
    return found


async def value(sql: str, *arguments: Any) -> Any:
    """The first column of the first row, or None."""
    return await _there().fetchval(sql, *arguments)


async def execute(sql: str, *arguments: Any) -> int:
    """Run a statement and tell how many rows it touched."""
    tag: str = await _there().execute(sql, *arguments)
    last = tag.rsplit(" ", 1)[-1]
    return int(last) if last.isdigit() else 0


async def execute_many(sql: str, arguments: Sequence[Sequence[Any]]) -> None:
    """Run one statement for each tuple of arguments, in one round trip."""
    await _there().executemany(sql, arguments)


async def lock_order(order_id: str) -> None:
    """Serialize everything that moves one order's money or status until this transaction ends.

    An advisory transaction lock on the order's id, so that `payments` (which has no orders table) and
    `marketplace` take the same lock in the same place and cannot deadlock (docs/decisions/0004).
    Always the first lock of a transaction: order, then payment, then stock rows by listing id.
    """
    require_transaction()
    await execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", order_id)
