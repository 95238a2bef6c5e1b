"""Verifying a book against its chain: names every row that was altered, removed or slipped in.

A link is compared with what the link before it and its row, as it stands now, must give; so the first row
that differs is named, and one altered row does not make those after it suspect. Everything is read in pieces,
each a statement of its own, while the program runs: what is sealed never changes.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final, Literal

import msgspec

from payments.database import row, rows, value
from payments.ledger_chain import Book, content, link

PIECE: Final = 5000
"""Rows that are read at once."""
GRACE: Final = timedelta(hours=1)
"""How much later than the moment it names a row may be committed: a sweep over many names its start."""

Fault = Literal["altered", "removed", "link_removed", "slipped_in", "backdated", "anchor_differs"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A row that is not as it was sealed.

    `altered`: its content, or its link; `removed`: there is no such row any more; `link_removed`: its place
    in the chain is empty (`row_id` is then the row after it); `slipped_in`: written past the trigger, it
    neither has a place nor waits for one; `backdated`: it claims a moment before which all was sealed long
    before it was written; `anchor_differs`: the chain is not the one whose head was kept elsewhere.
    """

    fault: Fault
    row_id: str
    position: int | None = None


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """A head that was kept elsewhere: the link at this position had this hash."""

    position: int
    hash: bytes


Progress = Callable[[int, int], None]
"""Told how many rows were compared so far, and of how many."""


async def verify(
    book: Book,
    *,
    anchors: Sequence[Anchor] = (),
    progress: Progress = lambda _done, _all: None,
    latest: int | None = None,
) -> AsyncIterator[Finding]:
    """Every finding: along the chain first, then rows that are not in it, by id.

    `latest` looks at so many links only, and at rows not older than the first of them.
    """
    for anchor in anchors:
        if anchor.hash != await _hash_at(book, anchor.position):
            yield Finding(fault="anchor_differs", row_id="", position=anchor.position)
    start = await _start(book, latest)
    async for finding in _along(book, start, progress):
        yield finding
    for lost in await rows(_NEVER_SEALED.format(table=book.table), book.table):
        yield Finding(fault="removed", row_id=lost["row_id"])
    async for row_id in _outside(book, start.row_id):
        yield Finding(fault="slipped_in", row_id=row_id)


class _Place(msgspec.Struct):
    """Where the comparison stands: the last link, and the moment at which nothing older was left to seal."""

    position: int
    hash: bytes
    sealed_at: datetime | None = None
    caught_up: bool = False
    clear_at: datetime | None = None
    row_id: str = ""


def _findings(place: _Place, found: Any, moment: str) -> list[Finding]:
    """What is wrong with the next link; steps to it."""
    faults: list[Fault] = []
    # After an empty place nothing can be said of the link that followed it, but that it is gone.
    follows = found["link_position"] == place.position + 1
    if not follows:
        faults.append("link_removed")
    if found["id"] is None:
        faults.append("removed")
    elif follows and found["link_hash"] != link(
        place.hash, content(islice(found.items(), _PLACES, None))
    ):
        faults.append("altered")
    _step(place, found)
    if not faults and place.clear_at is not None and found[moment] < place.clear_at - GRACE:
        faults.append("backdated")
    return [
        Finding(fault=fault, row_id=found["sealed_row_id"], position=place.position)
        for fault in faults
    ]


def _step(place: _Place, found: Any) -> None:
    if place.caught_up and found["link_sealed_at"] != place.sealed_at:
        place.clear_at = place.sealed_at
    place.position, place.hash = found["link_position"], found["link_hash"]
    place.sealed_at, place.caught_up = found["link_sealed_at"], found["link_caught_up"]


_PLACES: Final = 5
"""So many columns of a stretch are of the link; then come the row's own."""


async def _start(book: Book, latest: int | None) -> _Place:
    """Before the first link that is to be compared: what is stored there is believed."""
    found = None
    if latest is not None:
        found = await row(
            "SELECT position, hash, row_id, sealed_at, caught_up FROM chain_links WHERE book = $1 "
            "ORDER BY position DESC OFFSET $2 LIMIT 1",
            book.table,
            latest,
        )
    return _Place(0, book.genesis) if found is None else _Place(**found)


async def _along(book: Book, place: _Place, progress: Progress) -> AsyncIterator[Finding]:
    last = await value("SELECT max(position) FROM chain_links WHERE book = $1", book.table) or 0
    place = msgspec.structs.replace(place)
    for done in range(place.position, last, PIECE):
        progress(done, last)
        upto = min(done + PIECE, last)
        for found in await rows(_STRETCH.format(table=book.table), book.table, done, upto):
            for finding in _findings(place, found, book.moment):
                yield finding
    progress(last, last)


async def _outside(book: Book, after: str) -> AsyncIterator[str]:
    while True:
        piece = await row(_OUTSIDE.format(table=book.table), after, 2 * PIECE)
        if piece is None or piece["last"] is None:
            return
        for row_id in piece["outside"] or ():
            yield row_id
        after = piece["last"]


async def _hash_at(book: Book, position: int) -> bytes | None:
    found: bytes | None = await value(
        "SELECT hash FROM chain_links WHERE book = $1 AND position = $2", book.table, position
    )
    return book.genesis if position == 0 else found


# Row by row on purpose (OFFSET 0): tables that were never analyzed must not be read whole for each piece.
_STRETCH = """
SELECT l.row_id AS sealed_row_id, l.position AS link_position, l.hash AS link_hash,
       l.sealed_at AS link_sealed_at, l.caught_up AS link_caught_up, t.*
FROM chain_links l LEFT JOIN LATERAL (SELECT * FROM {table} WHERE id = l.row_id OFFSET 0) AS t ON true
WHERE l.book = $1 AND l.position > $2 AND l.position <= $3 ORDER BY l.position
"""
# One statement sees a row together with its link or its waiting, never between the two.
_OUTSIDE = """
SELECT max(p.id) AS last, array_agg(p.id ORDER BY p.id) FILTER (
    WHERE NOT EXISTS (SELECT FROM chain_links l WHERE l.row_id = p.id)
    AND NOT EXISTS (SELECT FROM chain_waiting w WHERE w.row_id = p.id)) AS outside
FROM (SELECT id FROM {table} WHERE id > $1 ORDER BY id LIMIT $2) AS p
"""
_NEVER_SEALED = """
SELECT w.row_id FROM chain_waiting w
WHERE w.book = $1 AND NOT EXISTS (SELECT FROM {table} t WHERE t.id = w.row_id) ORDER BY w.row_id
"""
