"""The fee review over HTTP, for admins."""

from datetime import date
from typing import Annotated

from litestar import delete, get, post
from litestar.di import NamedDependency, Provide
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.response import Stream
from msgspec.structs import replace

from marketplace.api.policies import admin
from marketplace.api.principal import Principal
from marketplace.api.schemas.fees import (
    FeeAnomalyList,
    FeeAnswer,
    FeeList,
    FeeNoteAnswer,
    FeeNoteList,
    FeeSeen,
    FeeSummaryList,
    NewFeeNote,
)
from marketplace.books.fees import fee_csv, notes
from marketplace.books.fees.assessing import AnomalyCode
from marketplace.books.fees.listing import (
    Captured,
    Direction,
    FeeFilter,
    FeeSort,
    Returned,
    SortBy,
)
from marketplace.books.fees.totals import GroupBy, SummaryFilter
from marketplace.paging import PageRequest
from marketplace.services import Services

_Word = Annotated[str | None, QueryParameter(max_length=80)]
_Currency = Annotated[str | None, QueryParameter(min_length=3, max_length=3)]
_From = Annotated[date | None, QueryParameter(name="from", description="The first day, UTC.")]
_To = Annotated[date | None, QueryParameter(name="to", description="The day after the last, UTC.")]
_Version = Annotated[int | None, QueryParameter(ge=1, le=2**31 - 1)]
_Anomaly = Annotated[
    str | None, QueryParameter(max_length=40, description="A code, `any` or `none`.")
]
_Reason = Annotated[str, QueryParameter(min_length=1, max_length=500)]
_FEES = "/v1/admin/fees"
_FEE = f"{_FEES}/{{payment_id:str}}"


# The period is each handler's own: a parameter by another name is only told of by it there.
def fee_filter(
    order_id: _Word = None,
    seller_id: _Word = None,
    category: _Word = None,
    rule_id: _Word = None,
    schedule_version: _Version = None,
    currency: _Currency = None,
    captured: FromQuery[Captured | None] = None,
    returned: FromQuery[Returned | None] = None,
    anomaly: _Anomaly = None,
    reviewed: FromQuery[bool | None] = None,
) -> FeeFilter:
    """Which fees, as the query says."""
    return FeeFilter(
        order_id=order_id,
        seller_id=seller_id,
        category=category,
        rule_id=rule_id,
        schedule_version=schedule_version,
        currency=currency,
        captured=captured,
        returned=returned,
        anomaly=anomaly,
        reviewed=reviewed,
    )


def fee_sort(sort: FromQuery[SortBy] = "time", direction: FromQuery[Direction] = "desc") -> FeeSort:
    """In which order, as the query says."""
    return FeeSort(by=sort, direction=direction)


def summary_filter(
    seller_id: _Word = None,
    category: _Word = None,
    rule_id: _Word = None,
    currency: _Currency = None,
) -> SummaryFilter:
    """What to sum up, as the query says."""
    return SummaryFilter(seller_id=seller_id, category=category, rule_id=rule_id, currency=currency)


_FILTERED = {
    "wanted": Provide(fee_filter, sync_to_thread=False),
    "sorted_by": Provide(fee_sort, sync_to_thread=False),
}


@get(_FEES, **admin("fees:read"), dependencies=_FILTERED, summary="Every application fee")
async def list_fees(
    services: NamedDependency[Services],
    page: NamedDependency[PageRequest],
    wanted: NamedDependency[FeeFilter],
    sorted_by: NamedDependency[FeeSort],
    since: _From = None,
    until: _To = None,
) -> FeeList:
    """One for each captured payment: the rules that made it, what was returned, what is left of it, what is
    odd about it. Sorted by an amount, the list is of one currency."""
    wanted = replace(wanted, since=since, until=until)
    return FeeList.of(await services.fee_review.list(wanted, page, sorted_by), sorted_by)


@get(
    f"{_FEES}/summary",
    **admin("fees:read"),
    dependencies={"wanted": Provide(summary_filter, sync_to_thread=False)},
    summary="Sums of fees",
)
async def summarize_fees(
    services: NamedDependency[Services],
    page: NamedDependency[PageRequest],
    wanted: NamedDependency[SummaryFilter],
    group_by: FromQuery[GroupBy],
    since: _From = None,
    until: _To = None,
) -> FeeSummaryList:
    """Per day, week, month, seller, category, rule or currency; never over two currencies. What is returned
    lessens the day it is returned on."""
    wanted = replace(wanted, since=since, until=until)
    return FeeSummaryList.of(await services.fee_review.summary(group_by, wanted, page))


@get(
    f"{_FEES}/csv",
    **admin("fees:read"),
    dependencies=_FILTERED,
    media_type="text/csv",
    summary="Every application fee, as a file",
)
async def download_fees(
    services: NamedDependency[Services],
    wanted: NamedDependency[FeeFilter],
    sorted_by: NamedDependency[FeeSort],
    since: _From = None,
    until: _To = None,
) -> Stream:
    """The same fees as a CSV file, sent while they are read."""
    wanted = replace(wanted, since=since, until=until)
    pieces = await services.fee_review.every(wanted, sorted_by)
    return Stream(
        fee_csv.lines(pieces),
        media_type="text/csv",
        headers={"Content-Disposition": 'attachment; filename="fees.csv"'},
    )


@get(f"{_FEES}/anomalies", **admin("fees:read"), summary="What is odd about fees")
async def list_fee_anomalies(
    page: NamedDependency[PageRequest],
    code: FromQuery[AnomalyCode | None] = None,
    payment_id: _Word = None,
) -> FeeAnomalyList:
    """What is odd now, the latest found first."""
    return FeeAnomalyList.of(await notes.open_anomalies(code, payment_id, page))


@get(_FEE, **admin("fees:read"), summary="One application fee")
async def read_fee(payment_id: FromPath[str], services: NamedDependency[Services]) -> FeeAnswer:
    """Of one captured payment."""
    return FeeAnswer.of(await services.fee_review.find(payment_id))


@get(f"{_FEE}/notes", **admin("fees:read"), summary="Notes about a fee")
async def list_fee_notes(
    payment_id: FromPath[str], page: NamedDependency[PageRequest]
) -> FeeNoteList:
    """The newest first."""
    return FeeNoteList.of(await notes.notes(payment_id, page))


@post(f"{_FEE}/notes", **admin("admin:write"), summary="Write a note about a fee")
async def note_fee(
    payment_id: FromPath[str],
    data: JSONBody[NewFeeNote],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> FeeNoteAnswer:
    """What is written stays written."""
    written = await notes.note(
        payment_id, text=data.text, author=principal.account_id, now=services.clock()
    )
    return FeeNoteAnswer.of(written)


@post(f"{_FEE}/review", **admin("admin:write"), status_code=200, summary="Mark a fee as reviewed")
async def review_fee(
    payment_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    data: JSONBody[FeeSeen | None] = None,
) -> FeeAnswer:
    """As it stands, or as you saw it: when its figures change afterwards, it is not reviewed any more."""
    seen = None if data is None else data.seen
    reviewed = await notes.review(
        payment_id, actor=principal.account_id, now=services.clock(), seen=seen
    )
    return FeeAnswer.of(reviewed)


@delete(f"{_FEE}/review", **admin("admin:write"), status_code=200, summary="Take a review back")
async def unreview_fee(
    payment_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    reason: _Reason,
) -> FeeAnswer:
    """The fee waits for its review again."""
    open_again = await notes.take_back_review(
        payment_id, actor=principal.account_id, reason=reason, now=services.clock()
    )
    return FeeAnswer.of(open_again)


ROUTES: list[HTTPRouteHandler] = [
    list_fees,
    summarize_fees,
    download_fees,
    list_fee_anomalies,
    read_fee,
    list_fee_notes,
    note_fee,
    review_fee,
    unreview_fee,
]
