"""Tax details and yearly reports over HTTP: a seller's own, and all of them for admins who may."""

from datetime import datetime
from typing import Annotated

from litestar import get, put
from litestar.di import NamedDependency, Provide
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.response import Stream

from marketplace.api.moments import aware
from marketplace.api.policies import admin, signed_in
from marketplace.api.principal import Principal
from marketplace.api.schemas.tax import (
    TaxDetailsAnswer,
    TaxDetailsRequest,
    TaxReportAnswer,
    TaxReportList,
)
from marketplace.pages import tax_report as tax_page
from marketplace.paging import PageRequest
from marketplace.papers import issuer
from marketplace.services import Services
from marketplace.tax import exporting, keeping, report_csv, report_json, reports
from marketplace.tax.reports import Asked

_DETAILS = "/v1/sellers/{seller_id:str}/tax-details"
_REPORT = "/v1/sellers/{seller_id:str}/tax-reports/{year:str}"
_OF_SELLER = "/v1/admin/sellers/{seller_id:str}/tax-details"
_REPORTS = "/v1/admin/tax-reports/{year:str}"
_AsOf = Annotated[
    datetime | None, QueryParameter(description="As it was known at that moment; now without it.")
]
_Since = Annotated[
    datetime | None,
    QueryParameter(description="Only sellers whose figures or tax details changed since."),
]


def asked_for(
    year: FromPath[str],
    services: NamedDependency[Services],
    as_of: _AsOf = None,
    changed_since: _Since = None,
) -> Asked:
    """Which report, as path and query say."""
    return reports.asked(
        year, services.clock(), as_of=aware(as_of), changed_since=aware(changed_since)
    )


_ASKED = {"wanted": Provide(asked_for, sync_to_thread=False)}


@get(_DETAILS, **signed_in("tax:read"), summary="Your tax details")
async def read_tax_details(
    seller_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> TaxDetailsAnswer:
    """What you told, and what is missing. Nobody sees it but you and admins who may."""
    seller = await services.sellers.require_own(seller_id, principal.account_id)
    return TaxDetailsAnswer.of(await keeping.find(seller.id))


@put(_DETAILS, **signed_in("tax:write"), summary="Tell your tax details")
async def tell_tax_details(
    seller_id: FromPath[str],
    data: JSONBody[TaxDetailsRequest],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> TaxDetailsAnswer:
    """They replace what you told before; papers that were issued keep what they say."""
    seller = await services.sellers.require_own(seller_id, principal.account_id)
    kept = await keeping.keep(
        seller.id, data.told(), actor=principal.account_id, now=services.clock()
    )
    return TaxDetailsAnswer.of(kept)


@get(_REPORT, **signed_in("tax:read"), dependencies=_ASKED, summary="What is reported of you")
async def read_tax_report(
    seller_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    wanted: NamedDependency[Asked],
) -> TaxReportAnswer:
    """Of a year: who you are, and what you got in each quarter, per activity and currency."""
    seller = await services.sellers.require_own(seller_id, principal.account_id)
    return TaxReportAnswer.of(await reports.of_seller(seller.id, wanted))


@get(
    f"{_REPORT}/print",
    **signed_in("tax:read"),
    dependencies=_ASKED,
    media_type="text/html",
    summary="What is reported of you, to be printed",
)
async def print_tax_report(
    seller_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    wanted: NamedDependency[Asked],
) -> Stream:
    """The same as a page to be printed."""
    seller = await services.sellers.require_own(seller_id, principal.account_id)
    page = tax_page.page(await reports.of_seller(seller.id, wanted))
    headers = {"Content-Security-Policy": tax_page.POLICY}
    return Stream(iter([page]), media_type="text/html", headers=headers)


@get(_OF_SELLER, **admin("admin:tax"), summary="A seller's tax details")
async def read_sellers_tax_details(
    seller_id: FromPath[str], services: NamedDependency[Services]
) -> TaxDetailsAnswer:
    """What they told, and what is missing."""
    seller = await services.sellers.require(seller_id)
    return TaxDetailsAnswer.of(await keeping.find(seller.id))


@put(_OF_SELLER, **admin("admin:tax"), summary="Write down a seller's tax details")
async def tell_sellers_tax_details(
    seller_id: FromPath[str],
    data: JSONBody[TaxDetailsRequest],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> TaxDetailsAnswer:
    """For a seller who told them otherwise. On record, by the names of the fields."""
    kept = await keeping.keep(
        seller_id, data.told(), actor=principal.account_id, now=services.clock()
    )
    return TaxDetailsAnswer.of(kept)


@get(_REPORTS, **admin("admin:tax"), dependencies=_ASKED, summary="A year's report of sellers")
async def list_tax_reports(
    page: NamedDependency[PageRequest], wanted: NamedDependency[Asked]
) -> TaxReportList:
    """Everybody who sold anything in the year. With `changed_since`, the moment of a report that was filed:
    those whose figures or tax details are not what they were, as after a refund."""
    return TaxReportList.of(await reports.page_of(wanted, page))


@get(
    f"{_REPORTS}/csv",
    **admin("admin:tax"),
    dependencies=_ASKED,
    media_type="text/csv",
    summary="A year's report as a CSV file",
)
async def export_tax_report_csv(
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    wanted: NamedDependency[Asked],
) -> Stream:
    """The report as a CSV file, sent while it is read. Taking it out is on record."""
    await exporting.note(wanted, "csv", actor=principal.account_id, now=services.clock())
    name = f"tax-report-{wanted.year.number}.csv"
    return Stream(
        report_csv.lines(reports.every(wanted)),
        media_type="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@get(
    f"{_REPORTS}/json",
    **admin("admin:tax"),
    dependencies=_ASKED,
    include_in_schema=False,
)
async def export_tax_report_json(
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    wanted: NamedDependency[Asked],
) -> Stream:
    """The report as one document, nested as DAC7 has it. Taking it out is on record."""
    await exporting.note(wanted, "json", actor=principal.account_id, now=services.clock())
    name = f"tax-report-{wanted.year.number}.json"
    return Stream(
        report_json.document(wanted, await issuer.current(), reports.every(wanted)),
        media_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


ROUTES: list[HTTPRouteHandler] = [
    read_tax_details,
    tell_tax_details,
    read_tax_report,
    print_tax_report,
    read_sellers_tax_details,
    tell_sellers_tax_details,
    list_tax_reports,
    export_tax_report_csv,
    export_tax_report_json,
]
