"""A year's report as CSV (RFC 4180): a line for each seller, activity and currency, written while it is read.

Amounts are decimals of the line's currency. The last line counts the lines: a file without it was cut off.
Personal data: for admins with the scope only.
"""

import csv
import io
from collections.abc import AsyncIterator
from typing import Final

from marketplace.books.statement_csv import in_decimals, safe
from marketplace.tax.details import TaxDetails
from marketplace.tax.figures import ActivityFigures
from marketplace.tax.reports import SellerReport

_QUARTERS: Final = range(1, 5)
_PERSON: Final = (
    *(
        "seller_kind",
        "first_name",
        "last_name",
        "legal_name",
        "line1",
        "line2",
        "postal_code",
        "city",
    ),
    *("vat_number", "registration_number", "birth_date", "birth_place", "birth_country", "iban"),
    "account_holder",
)
HEADER: Final = (
    *("year", "as_of", "seller_id", "shop", "country", "reportable", "excluded", "missing"),
    *_PERSON,
    *("tins", "connected_account", "activity", "currency"),
    *(
        f"{what}_q{quarter}"
        for what in ("activities", "consideration", "fees", "service_fees", "taxes")
        for quarter in _QUARTERS
    ),
    *("activities", "consideration", "fees"),
)


async def lines(reports: AsyncIterator[SellerReport]) -> AsyncIterator[str]:
    """The file, in pieces."""
    count = 0
    yield _line(HEADER)
    async for report in reports:
        for activity in report.activities:
            count += 1
            yield _line((*_about(report), *_figures(activity)))
    yield _line((f"{count} lines",))


def _about(report: SellerReport) -> tuple[str, ...]:
    details = report.details
    return (
        str(report.year),
        report.as_of.isoformat(),
        report.seller_id,
        safe(report.shop),
        report.country,
        _word(report.reportable),
        _word(report.excluded),
        " ".join(report.missing),
        *_person(details),
        report.connected_account or "",
    )


def _person(details: TaxDetails | None) -> tuple[str, ...]:
    told = [None if details is None else getattr(details, name) for name in _PERSON]
    tins = () if details is None else details.tins
    return (
        *(safe("" if one is None else str(one)) for one in told),
        "; ".join(f"{tin.issued_by}:{tin.number}" for tin in tins),
    )


def _figures(one: ActivityFigures) -> tuple[str, ...]:
    unit = one.currency
    return (
        one.activity,
        unit.upper(),
        *(str(each.activities) for each in one.quarters),
        *(in_decimals(each.consideration, unit) for each in one.quarters),
        *(in_decimals(each.fees, unit) for each in one.quarters),
        *(in_decimals(each.service_fees, unit) for each in one.quarters),
        *(in_decimals(each.taxes, unit) for each in one.quarters),
        str(one.activities),
        in_decimals(one.consideration, unit),
        in_decimals(one.fees, unit),
    )


def _word(holds: bool | None) -> str:
    return {True: "yes", False: "no", None: "unknown"}[holds]


def _line(cells: tuple[str, ...]) -> str:
    told = io.StringIO()
    csv.writer(told).writerow(cells)
    return told.getvalue()
