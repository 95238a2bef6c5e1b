"""What sellers owe, over HTTP: seen and agreed to by the seller, watched and given up by admins."""

from typing import Annotated

from litestar import delete, get, post, put
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from marketplace.api.policies import admin, signed_in
from marketplace.api.principal import Principal
from marketplace.api.schemas.debts import (
    ApprovalAnswer,
    DebtAnswer,
    DebtConsentAnswer,
    DebtConsentRequest,
    DebtList,
    DecisionReason,
)
from marketplace.api.seller_access import visible_seller
from marketplace.paging import PageRequest
from marketplace.services import Services
from payments.debts import DebtFilter

_Id = Annotated[str | None, QueryParameter(max_length=64)]
_Days = Annotated[
    int | None,
    QueryParameter(ge=0, le=36_500, description="Opened longer ago than so many days."),
]


@get("/v1/sellers/{seller_id:str}/debts", **signed_in("sellers:read"), summary="What you owe")
async def list_seller_debts(
    seller_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    page: NamedDependency[PageRequest],
    is_open: Annotated[bool | None, QueryParameter(name="open")] = None,
) -> DebtList:
    """Money that was given back for your sales and could not be taken back from you, with its age."""
    seller = await visible_seller(seller_id, services, principal)
    return await _listed(DebtFilter(seller_id=seller.id, is_open=is_open), services, page)


@get(
    "/v1/sellers/{seller_id:str}/debt-consent",
    **signed_in("sellers:read"),
    summary="What you let be kept back",
)
async def read_debt_consent(
    seller_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> DebtConsentAnswer:
    """How much of each new order is kept back for what you owe."""
    seller = await visible_seller(seller_id, services, principal)
    return DebtConsentAnswer.of(await services.debts.consent(seller.id))


@put(
    "/v1/sellers/{seller_id:str}/debt-consent",
    **signed_in("sellers:write"),
    summary="Let debts be kept back",
)
async def give_debt_consent(
    seller_id: FromPath[str],
    data: JSONBody[DebtConsentRequest],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> DebtConsentAnswer:
    """Of each order that is paid from now on, this much is kept back until nothing is owed any more."""
    agreed = await services.debts.agree(
        seller_id, principal.account_id, data.basis_points, services.clock()
    )
    return DebtConsentAnswer.of(agreed)


@delete(
    "/v1/sellers/{seller_id:str}/debt-consent",
    **signed_in("sellers:write"),
    status_code=200,
    summary="Keep debts from being kept back",
)
async def withdraw_debt_consent(
    seller_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> DebtConsentAnswer:
    """Nothing more is kept back; what you owe stays owed."""
    agreed = await services.debts.agree(seller_id, principal.account_id, None, services.clock())
    return DebtConsentAnswer.of(agreed)


@get("/v1/admin/debts", **admin("admin:read"), summary="What sellers owe")
async def list_all_debts(
    services: NamedDependency[Services],
    page: NamedDependency[PageRequest],
    seller_id: _Id = None,
    currency: Annotated[str | None, QueryParameter(pattern="^[a-z]{3}$")] = None,
    is_open: Annotated[bool | None, QueryParameter(name="open")] = None,
    older_than_days: _Days = None,
) -> DebtList:
    """Debts of all sellers, with what is left of them by currency and age."""
    wanted = DebtFilter(
        seller_id=seller_id, currency=currency, is_open=is_open, older_than_days=older_than_days
    )
    return await _listed(wanted, services, page)


@post(
    "/v1/admin/debts/{debt_id:str}/another-try",
    **admin("admin:write"),
    status_code=200,
    summary="Try again to take a debt back",
)
async def try_debt_again(
    debt_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> DebtAnswer:
    """From the order it is of: Stripe refused, but the seller may have money by now."""
    now = services.clock()
    debt = await services.debts.take_again(debt_id, actor=principal.account_id, now=now)
    return DebtAnswer.of(debt, now)


@post(
    "/v1/admin/debts/{debt_id:str}/write-off",
    **admin("admin:write"),
    summary="Ask to give a debt up",
)
async def ask_for_write_off(
    debt_id: FromPath[str],
    data: JSONBody[DecisionReason],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> ApprovalAnswer:
    """Nothing happens yet: another admin has to approve it."""
    approval = await services.debts.ask_write_off(
        debt_id, reason=data.reason, asked_by=principal.account_id, now=services.clock()
    )
    return ApprovalAnswer.of(approval)


async def _listed(wanted: DebtFilter, services: Services, page: PageRequest) -> DebtList:
    now = services.clock()
    found = await services.debts.page(wanted, page, now)
    return DebtList.of(found, await services.debts.debts.totals(wanted, now), now)


ROUTES: list[HTTPRouteHandler] = [
    list_seller_debts,
    read_debt_consent,
    give_debt_consent,
    withdraw_debt_consent,
    list_all_debts,
    try_debt_again,
    ask_for_write_off,
]
