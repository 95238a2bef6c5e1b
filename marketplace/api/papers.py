"""Papers over HTTP: a seller's statements, fee invoices and credit notes, numbered and frozen."""

from typing import Annotated

from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.response import Stream

from marketplace.api.policies import admin, signed_in
from marketplace.api.principal import Principal
from marketplace.api.schemas.papers import (
    ClosingRequest,
    IssuerAnswer,
    IssuerRequest,
    PaperAnswer,
    PaperLineList,
    PaperList,
    PaperMonthAnswer,
    PaperMonthList,
    SeriesList,
)
from marketplace.api.schemas.seller_money import MovementList
from marketplace.api.seller_access import visible_seller
from marketplace.pages import paper as paper_page
from marketplace.paging import PageRequest
from marketplace.papers import issuer, months, paper_csv, reading, waiting
from marketplace.papers.drafting import Kind
from marketplace.papers.reading import PaperFilter
from marketplace.services import Services

_PAPERS = "/v1/sellers/{seller_id:str}/papers"
_PAPER = f"{_PAPERS}/{{paper_id:str}}"
_MONTHS = "/v1/admin/paper-months"
_MonthName = Annotated[str | None, QueryParameter(pattern="^20[0-9]{2}-(0[1-9]|1[0-2])$")]
_Word = Annotated[str | None, QueryParameter(max_length=40)]
_Currency = Annotated[str | None, QueryParameter(min_length=3, max_length=3)]


@get(_PAPERS, **signed_in("sellers:read"), summary="Your papers")
async def list_papers(
    seller_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    page: NamedDependency[PageRequest],
    kind: FromQuery[Kind | None] = None,
    month: _MonthName = None,
) -> PaperList:
    """Statements, fee invoices and credit notes, numbered without gaps; the newest first."""
    seller = await visible_seller(seller_id, services, principal)
    wanted = PaperFilter(seller_id=seller.id, kind=kind, month=month)
    return PaperList.of(await reading.papers(wanted, page))


@get(_PAPER, **signed_in("sellers:read"), summary="One paper")
async def read_paper(
    seller_id: FromPath[str],
    paper_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> PaperAnswer:
    """As it was issued: it never changes. What was learned later is on a later paper."""
    seller = await visible_seller(seller_id, services, principal)
    return PaperAnswer.of(await reading.require(seller.id, paper_id))


@get(f"{_PAPER}/lines", **signed_in("sellers:read"), summary="What an invoice is made of")
async def list_paper_lines(
    seller_id: FromPath[str],
    paper_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    page: NamedDependency[PageRequest],
) -> PaperLineList:
    """Every fee taken or returned, by rate of tax; a statement has movements instead."""
    seller = await visible_seller(seller_id, services, principal)
    return PaperLineList.of(await reading.lines(await reading.require(seller.id, paper_id), page))


@get(f"{_PAPER}/movements", **signed_in("sellers:read"), summary="What a statement is made of")
async def list_paper_movements(
    seller_id: FromPath[str],
    paper_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    page: NamedDependency[PageRequest],
) -> MovementList:
    """Every movement between the opening and the closing balance; an invoice has lines instead."""
    seller = await visible_seller(seller_id, services, principal)
    paper = await reading.require(seller.id, paper_id)
    return MovementList.of(await reading.movements(paper, page))


@get(
    f"{_PAPER}/csv",
    **signed_in("sellers:read"),
    media_type="text/csv",
    summary="A paper as a CSV file",
)
async def download_paper(
    seller_id: FromPath[str],
    paper_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> Stream:
    """The paper as a CSV file, sent while it is read."""
    seller = await visible_seller(seller_id, services, principal)
    paper = await reading.require(seller.id, paper_id)
    if paper.kind == "statement":
        pieces = paper_csv.statement(paper, reading.every_movement(paper))
    else:
        pieces = paper_csv.invoice(paper, reading.every_line(paper))
    headers = {"Content-Disposition": f'attachment; filename="{paper.name}.csv"'}
    return Stream(pieces, media_type="text/csv", headers=headers)


@get(
    f"{_PAPER}/print",
    **signed_in("sellers:read"),
    media_type="text/html",
    summary="A paper, to be printed",
)
async def print_paper(
    seller_id: FromPath[str],
    paper_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> Stream:
    """The paper as a page to be printed, sent while it is read."""
    seller = await visible_seller(seller_id, services, principal)
    paper = await reading.require(seller.id, paper_id)
    if paper.kind == "statement":
        pieces = paper_page.statement(paper, reading.every_movement(paper))
    else:
        pieces = paper_page.invoice(paper, reading.every_line(paper))
    headers = {"Content-Security-Policy": paper_page.POLICY}
    return Stream(pieces, media_type="text/html", headers=headers)


@get("/v1/admin/papers", **admin("admin:read"), summary="Everybody's papers")
async def list_all_papers(
    page: NamedDependency[PageRequest],
    seller_id: _Word = None,
    kind: FromQuery[Kind | None] = None,
    month: _MonthName = None,
    currency: _Currency = None,
    name: _Word = None,
) -> PaperList:
    """Those that fit, the newest first; `name` is the number as printed."""
    wanted = PaperFilter(seller_id=seller_id, kind=kind, month=month, currency=currency, name=name)
    return PaperList.of(await reading.papers(wanted, page))


@get("/v1/admin/paper-series", **admin("admin:read"), summary="Series of numbers")
async def list_paper_series() -> SeriesList:
    """Each kind's last number of each year: every number up to it is on one paper."""
    return SeriesList.of(await reading.series())


@get("/v1/admin/paper-issuer", **admin("admin:read"), summary="Who issues papers")
async def read_paper_issuer() -> IssuerAnswer:
    """While nobody is named nothing is issued."""
    return IssuerAnswer.of(await issuer.current())


@put("/v1/admin/paper-issuer", **admin("admin:write"), summary="Name who issues papers")
async def name_paper_issuer(
    data: JSONBody[IssuerRequest],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> IssuerAnswer:
    """On every paper from now on; those that were issued keep the name they have."""
    record = await issuer.name(
        data.told(),
        papers_from=data.papers_from,
        actor=principal.account_id,
        now=services.clock(),
    )
    return IssuerAnswer.of(record)


@get(_MONTHS, **admin("admin:read"), summary="Closed months")
async def list_paper_months(page: NamedDependency[PageRequest]) -> PaperMonthList:
    """The newest first, and whether all their papers are issued."""
    found = await months.closed(page)
    return PaperMonthList.of(found, await waiting.of_months([one.month for one in found.data]))


@post(_MONTHS, **admin("admin:write"), status_code=202, summary="Issue a month's papers now")
async def close_paper_month(
    data: JSONBody[ClosingRequest],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> PaperMonthAnswer:
    """Without waiting for the worker's day. What the papers cover is fixed at once; they are issued within
    minutes, and each seller is told."""
    month = await services.papers.close_month(
        data.month, actor=principal.account_id, now=services.clock()
    )
    return PaperMonthAnswer.of(month, (await waiting.of_months([month.month]))[month.month])


@post(
    "/v1/admin/sellers/{seller_id:str}/papers",
    **admin("admin:write"),
    status_code=200,
    summary="Issue a seller's papers of a month now",
)
async def issue_seller_papers(
    seller_id: FromPath[str],
    data: JSONBody[ClosingRequest],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> PaperList:
    """Closes the month for everybody, and issues this seller's papers first. Asked again: the same papers."""
    seller = await services.sellers.require(seller_id)
    await services.papers.issue_of(
        seller.id, data.month, actor=principal.account_id, now=services.clock()
    )
    wanted = PaperFilter(seller_id=seller.id, month=data.month)
    return PaperList.of(await reading.papers(wanted, PageRequest(limit=100)))


ROUTES: list[HTTPRouteHandler] = [
    list_papers,
    read_paper,
    list_paper_lines,
    list_paper_movements,
    download_paper,
    print_paper,
    list_all_papers,
    list_paper_series,
    read_paper_issuer,
    name_paper_issuer,
    list_paper_months,
    close_paper_month,
    issue_seller_papers,
]
