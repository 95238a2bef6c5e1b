"""The chain of a book: every row sealed by a hash of itself and of all before it (docs/decisions/0030).

Whoever writes a row waits for nobody: a trigger notes in the row's own transaction that it waits
(`chain_waiting`), and `seal` gives it its place (`chain_links`) within seconds. The order of a chain is the
order of sealing, so it does not matter in which order transactions commit: a row that commits late is sealed
late, and no row is ever missed, because a row and its waiting are committed together.

The link of a row is SHA-256 of the link before it (32 bytes; before the first: SHA-256 of the book's name)
followed by the row's `content`. Books are append-only, and get no column but nullable ones, which leave the
content of older rows as it was.
"""

import hashlib
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
import msgspec

from payments.account_days import count_in
from payments.database import execute, row, rows, transaction, value

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_written = msgspec.json.Encoder(order="sorted").encode


class Book(msgspec.Struct, frozen=True):
    """An append-only table with an `id`. `moment` is the column that says when a row was written.

    `sealed` is told the ids of rows, in the transaction that seals them.
    """

    table: str
    moment: str
    sealed: Callable[[list[str]], Awaitable[None]] | None = None

    @property
    def genesis(self) -> bytes:
        """What stands before the first link."""
        return hashlib.sha256(self.table.encode()).digest()


POSTINGS: Final = Book("postings", "recorded_at", count_in)


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a chain: with it kept elsewhere, not even who owns the database can rewrite the past.

    `position` is how many rows are sealed, `waiting` how many will be next; `sealed_at` is None of none.
    """

    book: str
    position: int
    hash: bytes
    sealed_at: datetime | None
    waiting: int = 0


def content(columns: Iterable[tuple[str, Any]]) -> bytes:
    """A row as it is hashed: the JSON object of its columns, sorted by name, without spaces and nulls.

    In UTF-8, with nothing escaped that need not be; moments are microseconds since 1970 in UTC.
    """
    given = {
        name: (each - _EPOCH) // _MICROSECOND if isinstance(each, datetime) else each
        for name, each in columns
        if each is not None
    }
    return _written(given)


def link(previous: bytes, written: bytes) -> bytes:
    """The hash of a row's content and of everything before it."""
    return hashlib.sha256(previous + written).digest()


async def seal(book: Book, now: datetime, limit: int) -> int:
    """Seal rows that wait, at most `limit`; answers how many. One at a time: a second one finds nothing."""
    async with transaction():
        if not await _alone(book):
            return 0
        waiting = await rows(_WAITING.format(table=book.table), book.table, limit)
        if not waiting:
            return 0
        head = await _last(book)
        sealed = [each["id"] for each in waiting]
        await execute("DELETE FROM chain_waiting WHERE row_id = ANY($1::text[])", sealed)
        await execute(
            _LINK,
            sealed,
            _hashes(head.hash, waiting),
            book.table,
            head.position,
            now,
            # Everything that was committed when we looked: what is sealed later was committed later.
            len(sealed) < limit,
        )
        if book.sealed is not None:
            await book.sealed(sealed)
    return len(sealed)


async def head_of(book: Book) -> Head:
    """Where the chain ends now."""
    waiting = await value("SELECT count(*) FROM chain_waiting WHERE book = $1", book.table)
    return msgspec.structs.replace(await _last(book), waiting=waiting)


def _hashes(previous: bytes, waiting: Iterable[asyncpg.Record]) -> list[bytes]:
    hashes = []
    for each in waiting:
        previous = link(previous, content(each.items()))
        hashes.append(previous)
    return hashes


async def _alone(book: Book) -> bool:
    """Until this transaction ends. The statements after it see all that the sealer before us wrote."""
    got: bool = await value(
        "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))", f"chain:{book.table}"
    )
    return got


async def _last(book: Book) -> Head:
    found = await row(
        "SELECT book, position, hash, sealed_at FROM chain_links WHERE book = $1 "
        "ORDER BY position DESC LIMIT 1",
        book.table,
    )
    if found is None:
        return Head(book=book.table, position=0, hash=book.genesis, sealed_at=None)
    return Head(**found)


# A row that has its place already never gets a second one, whatever was done to the tables. Row by row on
# purpose (OFFSET 0): after a long standstill the planner knows nothing of what the last passes did.
_WAITING = """
SELECT t.* FROM chain_waiting w
CROSS JOIN LATERAL (SELECT * FROM {table} WHERE id = w.row_id OFFSET 0) AS t
LEFT JOIN LATERAL (SELECT l.row_id FROM chain_links l WHERE l.row_id = w.row_id OFFSET 0) AS s ON true
WHERE w.book = $1 AND s.row_id IS NULL ORDER BY w.row_id LIMIT $2
"""
_LINK = """
INSERT INTO chain_links (row_id, book, position, hash, sealed_at, caught_up)
SELECT n.row_id, $3::text, $4::bigint + n.place, n.hash, $5::timestamptz, $6::boolean
FROM unnest($1::text[], $2::bytea[]) WITH ORDINALITY AS n (row_id, hash, place)
"""
