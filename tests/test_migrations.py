"""Migrations and tables agree, and the database itself refuses what must never be."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio
from piccolo.columns import Array, Column, Serial
from piccolo.table import Table

from marketplace.migrating import migrate, migration_state
from piccolo_conf import APP_CONFIG

TABLES = APP_CONFIG.table_classes


@pytest_asyncio.fixture(loop_scope="session")
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(database_url)
    yield opened
    await opened.close()


def _kind(column: Column) -> str:
    if isinstance(column, Array):
        return "array"
    # A serial is an integer that the database counts up.
    return column.column_type.lower().split("(")[0].replace("serial", "int")


# Columns that came later, with what was true of the rows that were there before.
_MEANT = {
    "payments.transfer_reversed",
    "payments.transfer_restored",
    "sellers.at_deadline",
    "fee_schedules.fee_on_refund",
    "orders.cart_version",
    "orders.again",
    "orders.deadline_stage",
    "order_lines.quantity_refunded",
    "refunds.transfer_amount",
    "refunds.fee_amount",
    "reconciliation_runs.read",
    "reconciliation_runs.compared",
    "cases.reopened",
    "orders.service_fee",
    "orders.fee_credit",
    "fee_schedule_drafts.fee_on_refund",
    "fee_schedule_drafts.revision",
    "fee_replays.orders_done",
    "seller_fee_credits.used",
    "webhook_deliveries.tries",
    "account_days.movements",
}

_TYPES = {
    "bigint": "bigint",
    "boolean": "boolean",
    "bytea": "bytea",
    "date": "date",
    "integer": "integer",
    "text": "text",
    "timestamp with time zone": "timestamptz",
    "character varying": "varchar",
    "ARRAY": "array",
}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table._meta.tablename)
async def test_every_column_is_as_its_table_says(
    connection: asyncpg.Connection, table: type[Table]
) -> None:
    found = await connection.fetch(
        "SELECT column_name, data_type, character_maximum_length, is_nullable "
        "FROM information_schema.columns WHERE table_name = $1",
        table._meta.tablename,
    )
    ours = {
        column._meta.db_column_name: (_kind(column), column._meta.null)
        for column in table._meta.columns
    }
    theirs = {
        record["column_name"]: (_TYPES[record["data_type"]], record["is_nullable"] == "YES")
        for record in found
    }
    assert {name: kind for name, (kind, _) in ours.items()} == {
        name: kind for name, (kind, _) in theirs.items()
    }
    assert {name: null for name, (_, null) in ours.items()} == {
        name: null for name, (_, null) in theirs.items()
    }


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table._meta.tablename)
async def test_every_constraint_of_a_table_is_in_the_database(
    connection: asyncpg.Connection, table: type[Table]
) -> None:
    names = {
        record["conname"]
        for record in await connection.fetch(
            "SELECT conname FROM pg_constraint WHERE conrelid = $1::regclass", table._meta.tablename
        )
    }
    assert {constraint._meta.name for constraint in table._meta.constraints} <= names


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table._meta.tablename)
def test_no_column_has_an_invented_default(table: type[Table]) -> None:
    """Piccolo would give the database zeros, empty strings and random ids of its own."""
    invented = {
        f"{table._meta.tablename}.{column._meta.name}"
        for column in table._meta.columns
        if getattr(column, "default", None) is not None and not isinstance(column, Serial)
    }
    assert invented <= _MEANT


async def test_every_amount_is_a_bigint(connection: asyncpg.Connection) -> None:
    """Money is an integer of minor units wherever it is stored."""
    found = await connection.fetch(
        "SELECT table_name, column_name, data_type FROM information_schema.columns "
        "WHERE table_schema = 'public' AND column_name ~ '(amount|total|_cost$|^fee_captured|^fee_refunded)' "
        "AND data_type <> 'bigint' AND udt_name <> '_int8'"
    )
    assert [tuple(record) for record in found] == []


async def test_migrating_twice_changes_nothing(empty_database_url: str) -> None:
    first = await migrate(empty_database_url)
    assert len(first) >= 2
    assert await migrate(empty_database_url) == ()
    state = await migration_state(empty_database_url)
    assert (state.pending, state.unknown) == ((), ())


@pytest.mark.parametrize("table", ["postings", "order_steps", "audit_log", "fee_schedules"])
@pytest.mark.parametrize(
    "statement", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {} CASCADE"]
)
async def test_the_books_are_append_only(
    connection: asyncpg.Connection, table: str, statement: str
) -> None:
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("SET session_replication_role = replica")
    await connection.execute(_ONE_ROW[table])
    await connection.execute("SET session_replication_role = origin")
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="append-only"):
        await connection.execute(statement.format(table))
    await transaction.rollback()


_ONE_ROW = {
    "postings": "INSERT INTO postings VALUES ('pst_1', 'c', 'capture', 'a', 'b', 1, 'eur', 'o', 'p', 's', "
    "now(), now())",
    "order_steps": "INSERT INTO order_steps VALUES ('stp_1', 'o', 0, 'authorized', 'checkout', 'authorized', "
    "'stripe', NULL, now())",
    "audit_log": "INSERT INTO audit_log VALUES ('aud_1', 'a', 'b', 'c', NULL, NULL, NULL, NULL, now())",
    "fee_schedules": "INSERT INTO fee_schedules (id, version, rules, effective_from, created_at, created_by) "
    "VALUES ('fsc_1', 1, '[]', now(), now(), 'test')",
}
