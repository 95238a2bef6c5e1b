"""The books that are sealed, the sweep that seals them, and the heads that are told to the world outside."""

from datetime import datetime
from typing import Final

import structlog

from payments.ledger_chain import POSTINGS, Book, Head, head_of, seal

AUDIT_LOG: Final = Book("audit_log", "occurred_at")
BOOKS: Final = {book.table: book for book in (POSTINGS, AUDIT_LOG)}

_log = structlog.get_logger("marketplace.books.chains")


async def seal_due(now: datetime, limit: int) -> int:
    """The sweep: seal what was written since, at most `limit` rows of each book; answers the most it sealed
    of one, so that a full pass is followed by the next."""
    return max([await seal(book, now, limit) for book in BOOKS.values()])


async def heads() -> list[Head]:
    """Where each chain ends now."""
    return [await head_of(book) for book in BOOKS.values()]


async def tell_heads(now: datetime, limit: int) -> int:
    """The daily sweep: log every chain's head, so that the logs of each day hold what `marketplace verify
    --anchor` takes; answers nothing to do next."""
    for head in await heads():
        _log.info(
            "head of a chain",
            book=head.book,
            anchor=anchor_of(head),
            sealed_at=head.sealed_at,
            waiting=head.waiting,
        )
    return 0


def anchor_of(head: Head) -> str:
    """The head as it is kept elsewhere: `book:position:hash`."""
    return f"{head.book}:{head.position}:{head.hash.hex()}"
