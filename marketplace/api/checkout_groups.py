"""Carts with several sellers over HTTP: one order and one payment each, paid in one go."""

from litestar import get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from marketplace.api.actors import reading
from marketplace.api.idempotency import key_required, repeatable
from marketplace.api.policies import signed_in
from marketplace.api.principal import Principal
from marketplace.api.schemas.checkout_groups import (
    CheckoutGroupAnswer,
    CheckoutGroupList,
    GroupAbandonment,
    GroupCheckoutRequest,
    GroupConfirmationRequest,
    NewCheckoutGroup,
)
from marketplace.orders.checkout import Buyer
from marketplace.paging import PageRequest
from marketplace.services import Services


@post(
    "/v1/checkout-groups",
    **signed_in("orders:write"),
    **key_required(),
    summary="Buy of several sellers",
)
async def place_group(
    data: JSONBody[NewCheckoutGroup],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    idempotency_key: NamedDependency[str],
) -> CheckoutGroupAnswer:
    """One order for each seller, currency and way to capture; all of them or none."""
    grouped = await services.groups.place(
        principal.account_id, data.wanted(), idempotency_key, services.clock(), data.sent_to()
    )
    return CheckoutGroupAnswer.of(grouped.view)


@get("/v1/checkout-groups", **signed_in("orders:read"), summary="Your carts of several sellers")
async def list_groups(
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    page: NamedDependency[PageRequest],
) -> CheckoutGroupList:
    """The newest first, each with its orders."""
    return CheckoutGroupList.of(await services.groups.list(principal.account_id, page))


@get(
    "/v1/checkout-groups/{group_id:str}",
    **signed_in("orders:read"),
    summary="One cart of several sellers",
)
async def read_group(
    group_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> CheckoutGroupAnswer:
    """How each order stands, and what its buyer can do about it."""
    actor = reading(principal)
    return CheckoutGroupAnswer.of(await services.groups.find(group_id, actor), reader=actor)


@post(
    "/v1/checkout-groups/{group_id:str}/checkout",
    **signed_in("orders:write"),
    **repeatable(),
    status_code=200,
    summary="Pay a cart of several sellers",
)
async def begin_group_checkout(
    group_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    data: JSONBody[GroupCheckoutRequest | None] = None,
) -> CheckoutGroupAnswer:
    """Sets everything aside and makes each order's PaymentIntent before any is paid.

    An order that cannot be paid says why. `confirm_next` is what the buyer's browser confirms first; it
    keeps the card, so that the next confirmation pays the others with it.
    """
    progress = await services.group_payment.begin(
        group_id,
        Buyer(principal.account_id, principal.email),
        services.clock(),
        (data or GroupCheckoutRequest()).wishes(),
    )
    return CheckoutGroupAnswer.after(progress, services.settings.stripe_publishable_key)


@post(
    "/v1/checkout-groups/{group_id:str}/confirmation",
    **signed_in("orders:write"),
    **repeatable(),
    status_code=200,
    summary="Confirm a cart of several sellers",
)
async def confirm_group(
    group_id: FromPath[str],
    data: JSONBody[GroupConfirmationRequest],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> CheckoutGroupAnswer:
    """Pays what is unpaid with one card: a kept one you name, or the one that paid the first order.

    It stops at the bank's first no, and where the bank wants to see the buyer (`confirm_next`); asked
    again it goes on. What succeeded stays paid: `partly_paid` is told as it is.
    """
    progress = await services.group_payment.confirm(
        group_id,
        Buyer(principal.account_id, principal.email),
        data.shown(),
        services.clock(),
        card_id=data.card_id,
        wishes=data.wishes(),
    )
    return CheckoutGroupAnswer.after(progress, services.settings.stripe_publishable_key)


@post(
    "/v1/checkout-groups/{group_id:str}/abandonment",
    **signed_in("orders:write"),
    **repeatable(),
    status_code=200,
    summary="Give up a cart of several sellers",
)
async def abandon_group(
    group_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    data: JSONBody[GroupAbandonment | None] = None,
) -> CheckoutGroupAnswer:
    """Cancels what is unpaid; `give_back` cancels what was paid too, by each seller's terms."""
    progress = await services.group_payment.abandon(
        group_id,
        Buyer(principal.account_id, principal.email),
        services.clock(),
        give_back=(data or GroupAbandonment()).give_back,
    )
    return CheckoutGroupAnswer.after(progress, services.settings.stripe_publishable_key)


ROUTES: list[HTTPRouteHandler] = [
    place_group,
    list_groups,
    read_group,
    begin_group_checkout,
    confirm_group,
    abandon_group,
]
