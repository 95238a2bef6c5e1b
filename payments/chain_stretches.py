"""Comparing a whole stretch of a chain inside the database: it answers only whether all of it is as sealed.

It computes what `payments.ledger_chain.content` and `link` do, in SQL, several times as fast as reading every
row here; a stretch that is not clean is then looked at row by row, by the code that names what is wrong.
"""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from payments.database import row, rows
from payments.ledger_chain import Book

_TEXT: Final = "to_json(t.{0})::text"
_WHOLE: Final = "t.{0}::text"
_WRITTEN: Final = {
    "character varying": _TEXT,
    "text": _TEXT,
    "bigint": _WHOLE,
    "integer": _WHOLE,
    "boolean": _WHOLE,
    "timestamp with time zone": "(extract(epoch FROM t.{0}) * 1000000)::bigint::text",
}
"""How a column of each type is written in the content of a row."""


class Clean(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch in which every row is as it was sealed: its last link, and the last moment in it at which
    nothing older was left to seal (None: none of it tells)."""

    position: int
    hash: bytes
    sealed_at: datetime
    caught_up: bool
    clear_at: datetime | None


async def columns_of(book: Book) -> dict[str, str] | None:
    """The columns of a book's rows and how each is written, by name; None where one has a type that only
    the row by row comparison knows."""
    found = await rows(
        "SELECT column_name AS name, data_type FROM information_schema.columns "
        'WHERE table_schema = current_schema() AND table_name = $1 ORDER BY column_name COLLATE "C"',
        book.table,
    )
    if any(each["data_type"] not in _WRITTEN for each in found):
        return None
    return {each["name"]: _WRITTEN[each["data_type"]].format(each["name"]) for each in found}


async def clean_stretch(
    book: Book, columns: dict[str, str], done: int, upto: int, grace: timedelta
) -> Clean | None:
    """The links after position `done` up to `upto`, when all of them are there and as they were sealed."""
    cells = ", ".join(f"'\"{name}\":' || {written}" for name, written in columns.items())
    found = await row(
        _STRETCH.format(table=book.table, moment=book.moment, cells=cells),
        book.table,
        done,
        upto,
        book.genesis,
        grace,
    )
    assert found is not None
    if not found["clean"] or found["links"] != upto - done:
        return None
    last = await row(
        "SELECT position, hash, sealed_at, caught_up FROM chain_links WHERE book = $1 AND position = $2",
        book.table,
        upto,
    )
    cleared = found["cleared"] or [None]
    return None if last is None else Clean(**last, clear_at=cleared[-1])


# Row by row on purpose (OFFSET 0): tables that were never analyzed must not be read whole for each stretch.
# What was clear before the stretch is not known here, but it was no later than the sealing of the link before
# it: at worst a clean stretch is looked at twice.
_STRETCH = """
WITH stretch AS (
    SELECT l.position, l.hash, l.sealed_at, l.caught_up, t.moment, t.content
    FROM chain_links l LEFT JOIN LATERAL (
        SELECT t.{moment} AS moment, convert_to('{{' || concat_ws(',', {cells}) || '}}', 'UTF8') AS content
        FROM {table} t WHERE t.id = l.row_id OFFSET 0) AS t ON true
    WHERE l.book = $1 AND l.position >= $2 AND l.position <= $3
), placed AS (
    SELECT position, hash, moment, content, lag(position, 1, 0::bigint) OVER along AS position_before,
        lag(hash, 1, $4::bytea) OVER along AS hash_before,
        CASE WHEN lag(caught_up) OVER along AND sealed_at <> lag(sealed_at) OVER along
            THEN lag(sealed_at) OVER along END AS cleared,
        CASE WHEN $2 > 0 THEN first_value(sealed_at) OVER along END AS began
    FROM stretch WINDOW along AS (ORDER BY position)
), judged AS (
    SELECT *, greatest(max(cleared) OVER (ORDER BY position), began) AS clear_at FROM placed
)
SELECT count(*) AS links, coalesce(bool_and(
        content IS NOT NULL AND position = position_before + 1 AND hash = sha256(hash_before || content)
        AND (clear_at IS NULL OR moment >= clear_at - $5::interval)), true) AS clean,
    array_agg(cleared) FILTER (WHERE cleared IS NOT NULL) AS cleared
FROM judged WHERE position > $2
"""
