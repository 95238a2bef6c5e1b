"""Papers read: a seller's own, and everybody's for admins."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final

import asyncpg
import msgspec

from marketplace.books.statements import Movement
from marketplace.paging import PAGE_LIMIT, Page, PageRequest
from marketplace.papers.covering import COVERED, LEG, arguments
from marketplace.papers.drafting import Kind, KindLine, RateLine
from marketplace.papers.errors import PaperNotFound
from marketplace.papers.issuer import Issuer
from marketplace.papers.months import find as find_month
from marketplace.papers.parties import Party
from payments.database import row, rows


class PaperFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What was frozen beside the figures."""

    issuer: Issuer
    seller: Party
    by_kind: tuple[KindLine, ...] = ()
    by_rate: tuple[RateLine, ...] = ()


class Paper(msgspec.Struct, frozen=True, kw_only=True):
    """A paper as it was issued. Minor units. A credit note's total is what is given back."""

    id: str
    kind: Kind
    name: str
    seller_id: str
    currency: str
    month: str
    issued_at: datetime
    opening: int | None
    total: int
    closing: int | None
    fee_net: int | None
    fee_tax: int | None
    service_fee: int | None
    postings: int
    facts: PaperFacts


class PaperLine(msgspec.Struct, frozen=True, kw_only=True):
    """A fee on an invoice or credit note, under one rate of tax; below zero: returned."""

    id: str
    posting_id: str
    order_id: str
    tax_basis_points: int
    amount: int
    fee_net: int
    fee_tax: int
    service_fee: int
    corrects: str | None
    occurred_at: datetime


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """A series of numbers and how far it is: 1 to `last_number`, none of them missing."""

    kind: Kind
    year: int
    last_number: int


class PaperFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which papers; None means any."""

    seller_id: str | None = None
    kind: Kind | None = None
    month: str | None = None
    currency: str | None = None
    name: str | None = None


_PIECE: Final = 5_000
_COLUMNS: Final = ", ".join(Paper.__struct_fields__)
_FITS: Final = (
    "($1::text IS NULL OR seller_id = $1) AND ($2::text IS NULL OR kind = $2) "
    "AND ($3::text IS NULL OR month = $3) AND ($4::text IS NULL OR currency = $4) "
    "AND ($5::text IS NULL OR name = $5)"
)


async def papers(wanted: PaperFilter, page: PageRequest) -> Page[Paper]:
    """Those that fit, the newest first."""
    found = await rows(
        f"SELECT {_COLUMNS} FROM papers WHERE {_FITS} AND ($6::text IS NULL OR id < $6) "
        f"ORDER BY id DESC LIMIT {page.fetched}",
        *msgspec.structs.astuple(wanted),
        page.starting_after,
    )
    return Page.cut([_paper(each) for each in found], page)


async def require(seller_id: str, paper_id: str) -> Paper:
    """The seller's paper. Raises PaperNotFound."""
    found = await row(
        f"SELECT {_COLUMNS} FROM papers WHERE id = $1 AND seller_id = $2", paper_id, seller_id
    )
    if found is None:
        raise PaperNotFound(paper_id)
    return _paper(found)


async def series() -> list[Series]:
    """Every series, the newest year first."""
    found = await rows("SELECT kind, year, last_number FROM paper_series ORDER BY year DESC, kind")
    return [Series(**each) for each in found]


async def lines(paper: Paper, page: PageRequest) -> Page[PaperLine]:
    """What an invoice or credit note is the sum of, in the order of its postings."""
    found = await rows(
        f"SELECT {', '.join(_LINE)} FROM paper_fee_lines l LEFT JOIN papers c ON c.id = l.corrects "
        "WHERE l.paper_id = $1 AND ($2::text IS NULL OR l.id > $2) "
        f"ORDER BY l.id LIMIT {page.fetched}",
        paper.id,
        page.starting_after,
    )
    return Page.cut([PaperLine(**each) for each in found], page)


async def movements(paper: Paper, page: PageRequest) -> Page[Movement]:
    """What a statement is the sum of, in the order in which it was written down; nothing of another kind."""
    return Page.cut(await _movements(paper, page.starting_after, page.fetched), page)


async def _movements(paper: Paper, after: str | None, limit: int) -> list[Movement]:
    month = await find_month(paper.month)
    if month is None or paper.kind != "statement":
        return []
    found = await rows(
        f"SELECT id, kind, {LEG} AS amount, currency, split_part(cause, ':', 1) AS reference, "
        "order_id, occurred_at, recorded_at, (SELECT m.cause FROM transfer_movements m "
        f"WHERE m.id = split_part(p.cause, ':', 1)) AS because FROM {COVERED} AS p "
        f"WHERE currency = $6 AND ($7::text IS NULL OR ({_PLACE}) > "
        f"(SELECT {_PLACE} FROM postings p WHERE id = $7)) ORDER BY {_PLACE} LIMIT $8",
        *arguments([paper.seller_id], month),
        paper.currency,
        after,
        limit,
    )
    return [Movement(**each) for each in found]


async def every_line(paper: Paper) -> AsyncIterator[PaperLine]:
    """All of an invoice's lines, read page by page as they are asked for."""
    after: str | None = None
    while True:
        found = await lines(paper, PageRequest(limit=PAGE_LIMIT, starting_after=after))
        for line in found.data:
            yield line
        if not found.has_more:
            return
        after = found.data[-1].id


async def every_movement(paper: Paper) -> AsyncIterator[Movement]:
    """All of a statement's movements, read piece by piece as they are asked for."""
    after: str | None = None
    while True:
        found = await _movements(paper, after, _PIECE)
        for movement in found:
            yield movement
        if len(found) < _PIECE:
            return
        after = found[-1].id


# What came in goes before what it paid for: a sale before its fee.
_PLACE: Final = "recorded_at, source = 'seller:' || seller_id, id"
_LINE: Final = [
    "c.name AS corrects" if name == "corrects" else f"l.{name}"
    for name in PaperLine.__struct_fields__
]


def _paper(found: asyncpg.Record) -> Paper:
    told: dict[str, Any] = dict(found.items())
    told["facts"] = msgspec.json.decode(told["facts"], type=PaperFacts)
    return Paper(**told)
