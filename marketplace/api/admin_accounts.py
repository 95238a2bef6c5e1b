"""Whose id is it: people as admins look them up."""

from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, QueryParameter

from marketplace.api.policies import admin
from marketplace.api.schemas.people import AccountAnswer, AccountList
from marketplace.paging import PageRequest
from marketplace.people.directory import find_account, list_accounts

_Email = Annotated[
    str | None, QueryParameter(max_length=320, description="The whole address, in any case.")
]


@get("/v1/admin/accounts", **admin("admin:read"), summary="All accounts")
async def list_all_accounts(
    page: NamedDependency[PageRequest],
    email: _Email = None,
    is_admin: FromQuery[bool | None] = None,
) -> AccountList:
    """Buyers, sellers and admins, the newest first: by an e-mail address, or the admins alone."""
    found = await list_accounts(page, email=email, is_admin=is_admin)
    return AccountList(
        data=[AccountAnswer.of(each) for each in found.data], has_more=found.has_more
    )


@get("/v1/admin/accounts/{account_id:str}", **admin("admin:read"), summary="One account")
async def read_account(account_id: FromPath[str]) -> AccountAnswer:
    """Who a `buyer_id`, an `actor` or an `owner` is."""
    return AccountAnswer.of(await find_account(account_id))


ROUTES: list[HTTPRouteHandler] = [list_all_accounts, read_account]
