"""A year's report of sellers, shaped as DAC7 has it: who they are, and what they got, quarter by quarter.

Council Directive (EU) 2021/514, Annex V, section III.B. The shape is the directive's; it is not the official
XML and was not checked against its schema.
"""

import re
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Final

import msgspec

from marketplace.books.months import CLOSES_AFTER
from marketplace.paging import Page, PageRequest
from marketplace.tax.details import TaxDetails, is_reportable, missing
from marketplace.tax.errors import AsOfRefused, TaxYearRefused
from marketplace.tax.figures import ActivityFigures, Year, figures, sellers_of
from payments.database import rows

FEW_SALES: Final = 30
SMALL_CONSIDERATION: Final = 200_000
"""2,000 EUR, in cents: who sells goods, less often than `FEW_SALES` and for not more than that, is no
reportable seller (Annex V, section I.B.4.d)."""
_PIECE: Final = 20
_YEAR: Final = re.compile("20[0-9]{2}")


class SellerReport(msgspec.Struct, frozen=True, kw_only=True):
    """One seller's year.

    `reportable` is whether they live in the Union or have a tax number of it, by what they said or else by
    where Stripe opened their account. `excluded` is a hint: True where only few goods were sold for
    little; None where that is in another currency than the euro, so nobody can say without a rate.
    `missing` is what nobody told.
    """

    seller_id: str
    shop: str
    year: int
    as_of: datetime
    country: str
    reportable: bool
    excluded: bool | None
    details: TaxDetails | None
    details_told_at: datetime | None
    missing: tuple[str, ...]
    # Stripe's account, through which they are paid out; the bank's number is told by the seller only.
    connected_account: str | None
    activities: tuple[ActivityFigures, ...]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which report: of a year, as it was known at a moment; only those that changed since another."""

    year: Year
    as_of: datetime
    changed_since: datetime | None = None


def asked(
    year: str,
    now: datetime,
    *,
    as_of: datetime | None = None,
    changed_since: datetime | None = None,
) -> Asked:
    """What is asked for. Raises TaxYearRefused, AsOfRefused."""
    if _YEAR.fullmatch(year) is None or int(year) > now.year:
        raise TaxYearRefused(year[:40])
    until = now if as_of is None else as_of
    if until > now:
        raise AsOfRefused(until)
    if changed_since is not None and changed_since >= until:
        raise AsOfRefused(changed_since)
    return Asked(year=Year(int(year)), as_of=until, changed_since=changed_since)


async def of_seller(seller_id: str, wanted: Asked) -> SellerReport:
    """What will be reported of this seller; without activities where they sold nothing."""
    [report] = await _reports([seller_id], wanted)
    return report


async def page_of(wanted: Asked, page: PageRequest) -> Page[SellerReport]:
    """Sellers who sold anything in the year, by id."""
    found: list[SellerReport] = []
    async for report in every(wanted, after=page.starting_after):
        found.append(report)
        if len(found) == page.fetched:
            break
    return Page.cut(found, page)


async def every(wanted: Asked, *, after: str | None = None) -> AsyncIterator[SellerReport]:
    """All of them, however many: read some sellers at a time."""
    while True:
        sellers = await sellers_of(wanted.year, wanted.as_of, after, _PIECE)
        reports = await _reports(sellers, wanted)
        if wanted.changed_since is not None:
            reports = await _changed(reports, wanted.year, wanted.changed_since - CLOSES_AFTER)
        for report in reports:
            yield report
        if len(sellers) < _PIECE:
            return
        after = sellers[-1]


async def _changed(
    reports: Sequence[SellerReport], year: Year, since: datetime
) -> list[SellerReport]:
    """Those with other figures or details than before. What was being written down when a report was
    filed was not in it though it is older: so an hour more, and a seller too many rather than one too few."""
    before = await figures([one.seller_id for one in reports], year, since)
    return [
        one
        for one in reports
        if one.activities != before.get(one.seller_id, ())
        or (one.details_told_at is not None and one.details_told_at >= since)
    ]


async def _reports(sellers: Sequence[str], wanted: Asked) -> list[SellerReport]:
    known = await figures(sellers, wanted.year, wanted.as_of)
    found = await rows(
        "SELECT s.id, s.display_name, s.country, t.details, t.updated_at, a.account_id FROM sellers s "
        "LEFT JOIN seller_tax_details t ON t.seller_id = s.id "
        "LEFT JOIN connected_accounts a ON a.seller_id = s.id "
        "WHERE s.id = ANY($1::text[]) ORDER BY s.id",
        list(sellers),
    )
    reports = []
    for each in found:
        told = each["details"]
        details = None if told is None else msgspec.json.decode(told, type=TaxDetails)
        country = each["country"] if details is None else details.country
        activities = known.get(each["id"], ())
        reports.append(
            SellerReport(
                seller_id=each["id"],
                shop=each["display_name"],
                year=wanted.year.number,
                as_of=wanted.as_of,
                country=country,
                reportable=is_reportable(country, details),
                excluded=excluded(activities),
                details=details,
                details_told_at=each["updated_at"],
                missing=missing(details),
                connected_account=each["account_id"],
                activities=activities,
            )
        )
    return reports


def excluded(activities: Sequence[ActivityFigures]) -> bool | None:
    """Whether a seller of goods sold too little to be reported; None where it depends on a rate."""
    if any(one.activity != "sale_of_goods" for one in activities):
        return False
    if sum(one.activities for one in activities) >= FEW_SALES:
        return False
    euros = sum(one.consideration for one in activities if one.currency == "eur")
    if euros > SMALL_CONSIDERATION:
        return False
    others = any(one.consideration > 0 and one.currency != "eur" for one in activities)
    return None if others else True
