"""Sellers' money over HTTP: balance, payouts, earnings and monthly statements."""

from datetime import UTC, date, datetime, time
from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter
from litestar.response import Stream

from marketplace.api.policies import signed_in
from marketplace.api.principal import Principal
from marketplace.api.schemas.seller_money import (
    CarriedList,
    EarningsList,
    MovementList,
    PayoutAnswer,
    PayoutList,
    SellerBalanceList,
    StatementAnswer,
    StatementMonthList,
)
from marketplace.api.seller_access import visible_seller
from marketplace.books import balance, earnings, statement_csv, statements
from marketplace.books.earnings import EarningsFilter
from marketplace.books.months import Month
from marketplace.pages import statement as statement_page
from marketplace.paging import PageRequest
from marketplace.sellers import payouts
from marketplace.services import Services

_Currency = Annotated[str | None, QueryParameter(min_length=3, max_length=3)]
_From = Annotated[date | None, QueryParameter(name="from", description="The first day, UTC.")]
_To = Annotated[date | None, QueryParameter(name="to", description="The day after the last, UTC.")]


@get("/v1/sellers/{seller_id:str}/balance", **signed_in("sellers:read"), summary="Your balance")
async def read_seller_balance(
    seller_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> SellerBalanceList:
    """What Stripe holds for you now, asked for now, and what you owe. 503 when Stripe does not answer."""
    seller = await visible_seller(seller_id, services, principal)
    return SellerBalanceList.of(await balance.balance(services.payouts, seller.id))


@get("/v1/sellers/{seller_id:str}/payouts", **signed_in("sellers:read"), summary="Your payouts")
async def list_payouts(
    seller_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    page: NamedDependency[PageRequest],
) -> PayoutList:
    """What went to your bank, when it arrives, and why it did not; the newest first."""
    seller = await visible_seller(seller_id, services, principal)
    return PayoutList.of(await payouts.payouts(seller.id, page))


@get(
    "/v1/sellers/{seller_id:str}/payouts/{payout_id:str}",
    **signed_in("sellers:read"),
    summary="One payout",
)
async def read_payout(
    seller_id: FromPath[str],
    payout_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> PayoutAnswer:
    """As Stripe last said; `.../movements` says what it carried."""
    seller = await visible_seller(seller_id, services, principal)
    return PayoutAnswer.of(await payouts.require(seller.id, payout_id))


@get(
    "/v1/sellers/{seller_id:str}/payouts/{payout_id:str}/movements",
    **signed_in("sellers:read"),
    summary="What a payout carried",
)
async def list_payout_movements(
    seller_id: FromPath[str],
    payout_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    page: NamedDependency[PageRequest],
) -> CarriedList:
    """The movements of your balance in it, with their orders. Stripe tells them of automatic payouts only,
    some hours after they were made."""
    seller = await visible_seller(seller_id, services, principal)
    payout = await payouts.require(seller.id, payout_id)
    return CarriedList.of(await payouts.carried(payout.id, page))


@get("/v1/sellers/{seller_id:str}/earnings", **signed_in("sellers:read"), summary="Your earnings")
async def list_earnings(
    seller_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    page: NamedDependency[PageRequest],
    currency: _Currency = None,
    since: _From = None,
    until: _To = None,
) -> EarningsList:
    """Per order: gross, fee, refunds and what is left. Movements count on the day they happened."""
    seller = await visible_seller(seller_id, services, principal)
    wanted = EarningsFilter(currency=currency, since=_midnight(since), until=_midnight(until))
    found = await earnings.earnings(seller.id, wanted, page)
    return EarningsList.of(found, await earnings.totals(seller.id, wanted))


@get(
    "/v1/sellers/{seller_id:str}/statements",
    **signed_in("sellers:read"),
    summary="Your statements",
)
async def list_statements(
    seller_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    page: NamedDependency[PageRequest],
) -> StatementMonthList:
    """The months in which your money moved, the newest first."""
    seller = await visible_seller(seller_id, services, principal)
    return StatementMonthList.of(await statements.months(seller.id, page, services.clock()))


@get(
    "/v1/sellers/{seller_id:str}/statements/{month:str}",
    **signed_in("sellers:read"),
    summary="A month's statement",
)
async def read_statement(
    seller_id: FromPath[str],
    month: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> StatementAnswer:
    """Opening balance, what moved, closing balance. A closed month never changes: what became known later
    is on the next one."""
    seller, now = await visible_seller(seller_id, services, principal), services.clock()
    found = await statements.statement(seller.id, Month.begun(month, now), now)
    return StatementAnswer.of(found)


@get(
    "/v1/sellers/{seller_id:str}/statements/{month:str}/movements",
    **signed_in("sellers:read"),
    summary="A statement's movements",
)
async def list_statement_movements(
    seller_id: FromPath[str],
    month: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    page: NamedDependency[PageRequest],
    currency: _Currency = None,
) -> MovementList:
    """Every movement between the opening and the closing balance, the first one first."""
    seller = await visible_seller(seller_id, services, principal)
    begun = Month.begun(month, services.clock())
    return MovementList.of(await statements.movements(seller.id, begun, page, currency=currency))


@get(
    "/v1/sellers/{seller_id:str}/statements/{month:str}/csv",
    **signed_in("sellers:read"),
    media_type="text/csv",
    summary="A month's statement, as a file",
)
async def download_statement(
    seller_id: FromPath[str],
    month: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> Stream:
    """The statement as a CSV file, sent while it is read."""
    seller, now = await visible_seller(seller_id, services, principal), services.clock()
    found = await statements.statement(seller.id, Month.begun(month, now), now)
    lines = statement_csv.lines(found, statements.every_movement(seller.id, found.month))
    name = f"statement-{found.month.name}.csv"
    return Stream(
        lines,
        media_type="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@get(
    "/v1/sellers/{seller_id:str}/statements/{month:str}/print",
    **signed_in("sellers:read"),
    media_type="text/html",
    summary="A month's statement, to be printed",
)
async def print_statement(
    seller_id: FromPath[str],
    month: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> Stream:
    """The statement as a page to be printed, sent while it is read."""
    seller, now = await visible_seller(seller_id, services, principal), services.clock()
    found = await statements.statement(seller.id, Month.begun(month, now), now)
    page = statement_page.page(
        found,
        seller.display_name,
        lambda currency: statements.every_movement(seller.id, found.month, currency=currency),
        now,
    )
    headers = {"Content-Security-Policy": statement_page.POLICY}
    return Stream(page, media_type="text/html", headers=headers)


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), UTC)


ROUTES: list[HTTPRouteHandler] = [
    read_seller_balance,
    list_payouts,
    read_payout,
    list_payout_movements,
    list_earnings,
    list_statements,
    read_statement,
    list_statement_movements,
    download_statement,
    print_statement,
]
