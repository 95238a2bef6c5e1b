"""Papers as CSV (RFC 4180), written line by line while they are read; text that a spreadsheet would run is
quoted. Amounts are decimals for people and minor units for programs. The last line is the total: a file
without it was cut off."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

from marketplace.books.months import Month
from marketplace.books.statement_csv import in_decimals, safe
from marketplace.books.statements import Movement
from marketplace.books.words import words_for
from marketplace.papers.reading import Paper, PaperLine

STATEMENT: Final = (
    *("paper", "recorded_at", "occurred_at", "kind", "description", "order_id", "reference"),
    *("posting_id", "currency", "amount", "balance", "amount_minor_units", "balance_minor_units"),
)
INVOICE: Final = (
    *("paper", "occurred_at", "description", "order_id", "posting_id", "corrects", "currency"),
    *("tax_percent", "fee_net", "fee_tax", "service_fee", "amount", "amount_minor_units"),
)


class _Decimal(str):
    """A number that stays one: `-12.30` is no formula."""


async def statement(paper: Paper, movements: AsyncIterator[Movement]) -> AsyncIterator[str]:
    """A statement from its opening to its closing balance."""
    yield _line(STATEMENT)
    held, month = paper.opening or 0, Month.named(paper.month)
    yield _balance(paper, "opening_balance", "Opening balance", held, month.first)
    async for one in movements:
        held += one.amount
        yield _line(
            (
                paper.name,
                one.recorded_at.isoformat(),
                one.occurred_at.isoformat(),
                one.kind,
                words_for(one.kind, one.because),
                one.order_id or "",
                one.reference,
                one.id,
                paper.currency.upper(),
                *_numbers(paper, one.amount, held),
                one.amount,
                held,
            )
        )
    yield _balance(paper, "closing_balance", "Closing balance", held, month.until)


async def invoice(paper: Paper, lines: AsyncIterator[PaperLine]) -> AsyncIterator[str]:
    """An invoice or credit note; what is returned is below zero, the total of a credit note is not."""
    yield _line(INVOICE)
    async for one in lines:
        yield _line(
            (
                paper.name,
                one.occurred_at.isoformat(),
                "Application fee" if one.amount >= 0 else "Application fee returned",
                one.order_id,
                one.posting_id,
                one.corrects or "",
                paper.currency.upper(),
                percent(one.tax_basis_points),
                *_numbers(paper, one.fee_net, one.fee_tax, one.service_fee, one.amount),
                one.amount,
            )
        )
    sums = (paper.fee_net or 0, paper.fee_tax or 0, paper.service_fee or 0, paper.total)
    total = (paper.name, paper.issued_at.isoformat(), "Total", "", "", "", paper.currency.upper())
    yield _line((*total, "", *_numbers(paper, *sums), paper.total))


def percent(basis_points: int) -> str:
    """`20.00` of 2,000 basis points."""
    return f"{basis_points // 100}.{basis_points % 100:02d}"


def _balance(paper: Paper, kind: str, words: str, held: int, at: datetime) -> str:
    moment = at.isoformat()
    about = (paper.name, moment, moment, kind, words, "", "", "", paper.currency.upper())
    return _line((*about, *_numbers(paper, 0, held), 0, held))


def _numbers(paper: Paper, *amounts: int) -> tuple[_Decimal, ...]:
    return tuple(_Decimal(in_decimals(amount, paper.currency)) for amount in amounts)


def _line(cells: tuple[str | int, ...]) -> str:
    told = io.StringIO()
    csv.writer(told).writerow(
        [cell if isinstance(cell, int | _Decimal) else safe(cell) for cell in cells]
    )
    return told.getvalue()
