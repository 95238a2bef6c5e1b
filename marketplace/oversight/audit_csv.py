"""The audit log as CSV (RFC 4180), written line by line while it is read.

Spreadsheets run a cell that begins like a formula, so text that does is quoted with an apostrophe (OWASP,
CSV injection). The last line says that the file is whole, and how many entries it has.
"""

import csv
import io
from collections.abc import AsyncIterator, Iterable
from typing import Any

import msgspec

from marketplace.books.statement_csv import safe
from marketplace.oversight.audit import AuditRecord

HEADER = (
    "id",
    "occurred_at",
    "actor",
    "action",
    "subject",
    "reason",
    "request_id",
    "before",
    "after",
    "api_key_id",
)


async def lines(entries: AsyncIterator[AuditRecord]) -> AsyncIterator[str]:
    """The file, in pieces."""
    yield _line(HEADER)
    count = 0
    async for entry in entries:
        count += 1
        yield _line(_cells(entry))
    yield _line(("end", count))


def _cells(entry: AuditRecord) -> list[str]:
    return [
        entry.id,
        entry.occurred_at.isoformat(),
        safe(entry.actor),
        safe(entry.action),
        safe(entry.subject),
        safe(entry.reason or ""),
        safe(entry.request_id or ""),
        _written(entry.before),
        _written(entry.after),
        entry.api_key_id or "",
    ]


def _written(facts: dict[str, Any] | None) -> str:
    return "" if facts is None else msgspec.json.encode(facts).decode()


def _line(cells: Iterable[object]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue()
