"""The fee review as CSV (RFC 4180), written in pieces while it is read: any number in constant memory.

Spreadsheets run a cell that begins like a formula, so text that does is quoted with an apostrophe (OWASP,
CSV injection); numbers stay numbers. The last line says that the file is whole, and how many fees it has.
"""

import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence

from marketplace.books.fees.listing import ReviewedFee
from marketplace.books.statement_csv import safe

HEADER = (
    "payment_id",
    "order_id",
    "seller_id",
    "captured_at",
    "currency",
    "gross",
    "captured",
    "refunded",
    "fee_taken",
    "fee_expected",
    "fee_returned",
    "processing_cost",
    "net",
    "rate_basis_points",
    "rule_ids",
    "categories",
    "schedule_id",
    "schedule_version",
    "anomalies",
    "reviewed_at",
    "reviewed_by",
)


async def lines(pieces: AsyncIterator[Sequence[ReviewedFee]]) -> AsyncIterator[str]:
    """The file, a piece for each piece that was read. Amounts are minor units of the line's currency."""
    yield _written([HEADER])
    count = 0
    async for fees in pieces:
        count += len(fees)
        yield _written(map(_cells, fees))
    yield _written([("end", count)])


def _cells(fee: ReviewedFee) -> tuple[object, ...]:
    return (
        fee.payment_id,
        fee.order_id,
        fee.seller_id,
        fee.captured_at.isoformat(),
        fee.currency.upper(),
        fee.gross,
        fee.captured,
        fee.refunded,
        fee.fee_taken,
        fee.fee_expected,
        fee.fee_returned,
        fee.processing_cost,
        fee.net,
        fee.rate_basis_points,
        safe(" ".join(fee.rule_ids)),
        safe("; ".join(fee.categories)),
        fee.schedule_id,
        fee.schedule_version,
        " ".join(fee.anomalies),
        fee.reviewed_at.isoformat() if fee.reviewed_at else "",
        safe(fee.reviewed_by or ""),
    )


def _written(cells: Iterable[Iterable[object]]) -> str:
    told = io.StringIO()
    csv.writer(told).writerows(cells)
    return told.getvalue()
