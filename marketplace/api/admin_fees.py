"""Fees and the ledger over HTTP, for admins."""

from datetime import UTC, date, datetime, time
from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, QueryParameter

from marketplace.api.policies import admin
from marketplace.api.schemas.fees import (
    BalanceAnswer,
    BalanceList,
    FeeAnswer,
    FeeList,
    FeeSummaryAnswer,
    FeeSummaryList,
    PostingAnswer,
    PostingList,
)
from marketplace.books import ledger_review
from marketplace.books.fee_review import FeeFilter, GroupBy
from marketplace.books.ledger_review import PostingFilter
from marketplace.paging import PageRequest
from marketplace.services import Services

_Word = Annotated[str | None, QueryParameter(max_length=80)]
_Currency = Annotated[str | None, QueryParameter(min_length=3, max_length=3)]
_From = Annotated[date | None, QueryParameter(name="from", description="The first day, UTC.")]
_To = Annotated[date | None, QueryParameter(name="to", description="The day after the last, UTC.")]


@get("/v1/admin/fees", **admin("fees:read"), summary="Every application fee")
async def list_fees(
    services: NamedDependency[Services],
    page: NamedDependency[PageRequest],
    seller_id: _Word = None,
    currency: _Currency = None,
    since: _From = None,
    until: _To = None,
) -> FeeList:
    """One for each captured payment: the rule that made it, what was returned, what is left of it."""
    wanted = _filter(seller_id, currency, since, until)
    found = await services.fee_review.list(wanted, page)
    return FeeList(data=[FeeAnswer.of(fee) for fee in found.data], has_more=found.has_more)


@get("/v1/admin/fees/summary", **admin("fees:read"), summary="Fees per day or per seller")
async def summarize_fees(
    services: NamedDependency[Services],
    page: NamedDependency[PageRequest],
    group_by: FromQuery[GroupBy],
    seller_id: _Word = None,
    currency: _Currency = None,
    since: _From = None,
    until: _To = None,
) -> FeeSummaryList:
    """Sums over the ledger, per currency. What is returned lessens the day it is returned on."""
    wanted = _filter(seller_id, currency, since, until)
    found = await services.fee_review.summary(group_by, wanted, page)
    return FeeSummaryList(
        data=[FeeSummaryAnswer.of(summary) for summary in found.data], has_more=found.has_more
    )


@get("/v1/admin/ledger", **admin("admin:read"), summary="The ledger")
async def list_postings(
    page: NamedDependency[PageRequest], order_id: _Word = None, account: _Word = None
) -> PostingList:
    """Every posting, the newest first; `account` is either side of it."""
    found = await ledger_review.postings(PostingFilter(order_id=order_id, account=account), page)
    return PostingList(
        data=[PostingAnswer.of(posting) for posting in found.data], has_more=found.has_more
    )


@get("/v1/admin/ledger/balances", **admin("admin:read"), summary="Balances of all accounts")
async def list_balances(page: NamedDependency[PageRequest]) -> BalanceList:
    """What each account holds, from its postings. They sum to zero in every currency."""
    found = await ledger_review.balances(page)
    return BalanceList(
        data=[BalanceAnswer.of(balance) for balance in found.data], has_more=found.has_more
    )


def _filter(
    seller_id: str | None, currency: str | None, since: date | None, until: date | None
) -> FeeFilter:
    return FeeFilter(
        seller_id=seller_id, currency=currency, since=_midnight(since), until=_midnight(until)
    )


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), UTC)


ROUTES: list[HTTPRouteHandler] = [
    list_fees,
    summarize_fees,
    list_postings,
    list_balances,
]
