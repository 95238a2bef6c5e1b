"""A statement as CSV (RFC 4180), written line by line while the books are read.

Spreadsheets run a cell that begins like a formula, so text that does is quoted with an apostrophe (OWASP,
CSV injection); numbers stay numbers. Amounts are decimals for people and minor units for programs. The last
lines are the closing balances: a file without them was cut off.
"""

import csv
import io
from collections.abc import AsyncIterator
from datetime import datetime

from marketplace.books.statements import Movement, Statement
from marketplace.books.words import words_for
from payments.money import written

HEADER = (
    "recorded_at",
    "occurred_at",
    "kind",
    "description",
    "order_id",
    "reference",
    "posting_id",
    "currency",
    "amount",
    "balance",
    "amount_minor_units",
    "balance_minor_units",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


async def lines(statement: Statement, movements: AsyncIterator[Movement]) -> AsyncIterator[str]:
    """The file, in pieces. The balance of each line is the one before it and its amount."""
    yield _line(HEADER)
    held = {one.currency: one.opening for one in statement.currencies}
    begins, ends = statement.month.first, statement.month.until
    for currency, amount in held.items():
        yield _balance_line("opening_balance", "Opening balance", begins, amount, currency)
    async for movement in movements:
        held[movement.currency] = held.get(movement.currency, 0) + movement.amount
        yield _movement_line(movement, held[movement.currency])
    closing = "Closing balance" if statement.closed else "Balance so far"
    for currency, amount in held.items():
        yield _balance_line("closing_balance", closing, ends, amount, currency)


def _movement_line(movement: Movement, balance: int) -> str:
    return _line(
        (
            movement.recorded_at.isoformat(),
            movement.occurred_at.isoformat(),
            movement.kind,
            words_for(movement.kind, movement.because),
            movement.order_id or "",
            movement.reference,
            movement.id,
            movement.currency.upper(),
            *_numbers(movement.amount, balance, movement.currency),
        )
    )


def _balance_line(kind: str, words: str, at: datetime, balance: int, currency: str) -> str:
    moment = at.isoformat()
    amounts = _numbers(0, balance, currency)
    return _line((moment, moment, kind, words, "", "", "", currency.upper(), *amounts))


def _numbers(amount: int, balance: int, currency: str) -> tuple[str | int, ...]:
    return (in_decimals(amount, currency), in_decimals(balance, currency), amount, balance)


def in_decimals(amount: int, currency: str) -> str:
    """The amount in the currency's own units, without its name: `-12.30`."""
    return written(amount, currency).partition(" ")[0]


def safe(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _line(cells: tuple[str | int, ...]) -> str:
    told = io.StringIO()
    amounts_from = HEADER.index("amount")
    csv.writer(told).writerow(
        [
            cell if isinstance(cell, int) or place >= amounts_from else safe(cell)
            for place, cell in enumerate(cells)
        ]
    )
    return told.getvalue()
