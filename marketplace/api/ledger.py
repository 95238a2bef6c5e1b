"""The ledger over HTTP, for admins: postings, balances of any moment, the chains' heads, adjustments."""

from datetime import datetime
from typing import Annotated

from litestar import get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from marketplace.api.moments import aware
from marketplace.api.policies import admin
from marketplace.api.principal import Principal
from marketplace.api.schemas.debts import ApprovalAnswer
from marketplace.api.schemas.ledger import (
    AccountEntryList,
    AdjustmentRequest,
    BalanceAnswer,
    BalanceList,
    ChainAnswer,
    ChainList,
    PostingAnswer,
    PostingList,
)
from marketplace.books import account_balances, chains, ledger_review
from marketplace.books.account_balances import BalanceFilter
from marketplace.books.ledger_review import PostingFilter, PostingKind
from marketplace.paging import PageRequest
from marketplace.services import Services

_Word = Annotated[str | None, QueryParameter(max_length=80)]
_Currency = Annotated[str | None, QueryParameter(pattern="^[a-z]{3}$")]
_Accounts = Annotated[
    str | None,
    QueryParameter(
        max_length=64,
        description="An address, or the beginning of addresses when it ends in a colon: `seller:`.",
    ),
]
_Since = Annotated[
    datetime | None,
    QueryParameter(name="from", description="Recorded then or later: RFC 3339."),
]
_Until = Annotated[
    datetime | None, QueryParameter(name="to", description="Recorded before this moment.")
]
_At = Annotated[
    datetime | None,
    QueryParameter(
        description="As recorded before this moment: RFC 3339; UTC where it does not say."
    ),
]


@get("/v1/admin/ledger", **admin("admin:read"), summary="The ledger")
async def list_postings(
    page: NamedDependency[PageRequest],
    order_id: _Word = None,
    account: _Word = None,
    payment_id: _Word = None,
    seller_id: _Word = None,
    kind: FromQuery[PostingKind | None] = None,
    currency: _Currency = None,
    since: _Since = None,
    until: _Until = None,
) -> PostingList:
    """Every posting, the newest first; `account` is either side of it."""
    wanted = PostingFilter(
        order_id=order_id,
        account=account,
        payment_id=payment_id,
        seller_id=seller_id,
        kind=kind,
        currency=currency,
        since=aware(since),
        until=aware(until),
    )
    found = await ledger_review.postings(wanted, page)
    return PostingList(
        data=[PostingAnswer.of(posting) for posting in found.data], has_more=found.has_more
    )


@get("/v1/admin/ledger/balances", **admin("admin:read"), summary="Balances of all accounts")
async def list_balances(
    page: NamedDependency[PageRequest],
    account: _Accounts = None,
    currency: _Currency = None,
    at: _At = None,
) -> BalanceList:
    """What each account holds, now or at a moment of the past. They sum to zero in every currency."""
    wanted = BalanceFilter(account=account, currency=currency, at=aware(at))
    found = await account_balances.balances(page, wanted)
    return BalanceList(
        data=[BalanceAnswer.of(balance) for balance in found.data], has_more=found.has_more
    )


@get(
    "/v1/admin/ledger/accounts/{account:str}/postings",
    **admin("admin:read"),
    summary="One account of the ledger",
)
async def list_account_entries(
    account: FromPath[str],
    page: NamedDependency[PageRequest],
    currency: Annotated[str, QueryParameter(pattern="^[a-z]{3}$")],
) -> AccountEntryList:
    """Its postings in one currency, the latest recorded first, with what it held after each."""
    return AccountEntryList.of(await account_balances.entries(account, currency, page))


@get("/v1/admin/ledger/chain", **admin("admin:read"), summary="The heads of the chains")
async def list_chains() -> ChainList:
    """Kept elsewhere, they show any later change of the past, even by who owns the database."""
    return ChainList(data=[ChainAnswer.of(head) for head in await chains.heads()])


@post(
    "/v1/admin/adjustments",
    **admin("admin:write"),
    status_code=202,
    summary="Ask for an adjustment of the books",
)
async def ask_for_adjustment(
    data: JSONBody[AdjustmentRequest],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> ApprovalAnswer:
    """Nothing happens yet: it is posted when another admin approves it."""
    approval = await services.adjustments.ask(
        data.told(), reason=data.reason, asked_by=principal.account_id, now=services.clock()
    )
    return ApprovalAnswer.of(approval)


ROUTES: list[HTTPRouteHandler] = [
    list_postings,
    list_balances,
    list_account_entries,
    list_chains,
    ask_for_adjustment,
]
