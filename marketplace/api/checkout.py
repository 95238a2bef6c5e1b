"""From a cart to money over HTTP, for an order's buyer: change it, pay it, confirm it, go back."""

from litestar import delete, patch, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from marketplace.api.actors import reading
from marketplace.api.idempotency import repeatable
from marketplace.api.policies import signed_in
from marketplace.api.principal import Principal
from marketplace.api.schemas.checkout import (
    CheckoutAnswer,
    CheckoutRequest,
    ConfirmationRequest,
    OrderChange,
)
from marketplace.api.schemas.orders import OrderAnswer
from marketplace.orders.checkout import Buyer
from marketplace.services import Services


@patch("/v1/orders/{order_id:str}", **signed_in("orders:write"), summary="Change a cart")
async def change_order(
    order_id: FromPath[str],
    data: JSONBody[OrderChange],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> OrderAnswer:
    """Lines, quantities and the shipping address, until it is confirmed; priced anew by us.

    An open PaymentIntent follows in one update. Where Stripe gives no answer the change stays on its
    way (`change`), and nothing can be paid until it is known.
    """
    view = await services.changes.change(
        order_id,
        principal.account_id,
        wanted=data.wanted(),
        shipping=data.sent_to(),
        now=services.clock(),
    )
    return OrderAnswer.of(view, reading(principal))


@post(
    "/v1/orders/{order_id:str}/checkout",
    **signed_in("orders:write"),
    **repeatable(),
    status_code=200,
    summary="Pay an order",
)
async def begin_checkout(
    order_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    data: JSONBody[CheckoutRequest | None] = None,
) -> CheckoutAnswer:
    """The order's one PaymentIntent, to be confirmed by the buyer's browser at Stripe.

    Asked again it is the same one. A seller who cannot be paid is refused here, before Stripe is asked;
    who just bought the same is asked first. An expired order begins anew while its prices hold.
    """
    wishes = (data or CheckoutRequest()).wishes()
    buyer = Buyer(principal.account_id, principal.email)
    intent = await services.checkout.begin(order_id, buyer, services.clock(), wishes)
    return CheckoutAnswer.of(order_id, intent, services.settings.stripe_publishable_key)


@post(
    "/v1/orders/{order_id:str}/confirmation",
    **signed_in("orders:write"),
    **repeatable(),
    status_code=200,
    summary="Confirm what was shown",
)
async def confirm_order(
    order_id: FromPath[str],
    data: JSONBody[ConfirmationRequest],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> CheckoutAnswer:
    """Freezes the cart at the total you showed; another total is refused with the one it has now.

    Without `card_id` the buyer's browser confirms next with the client secret. With a saved card it is
    paid at once; a decline says what to do. Call it right before `stripe.confirmPayment`.
    """
    intent = await services.confirmation.begin(
        order_id,
        Buyer(principal.account_id, principal.email),
        data.shown(),
        services.clock(),
        card_id=data.card_id,
        wishes=data.wishes(),
    )
    return CheckoutAnswer.of(order_id, intent, services.settings.stripe_publishable_key)


@delete(
    "/v1/orders/{order_id:str}/confirmation",
    **signed_in("orders:write"),
    status_code=200,
    summary="Go back to the cart",
)
async def end_confirmation(
    order_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> OrderAnswer:
    """Stripe is asked first: what is being paid cannot be gone back on.

    Where the bank still shows its page, that PaymentIntent is canceled; the next checkout makes another.
    """
    view = await services.confirmation.end(order_id, principal.account_id, services.clock())
    return OrderAnswer.of(view, reading(principal))


@post(
    "/v1/orders/{order_id:str}/refresh",
    **signed_in("orders:write"),
    **repeatable(),
    status_code=200,
    summary="Ask Stripe how the payment stands",
)
async def refresh_order(
    order_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> OrderAnswer:
    """For a browser that has just paid and does not want to wait for Stripe's webhook."""
    actor = reading(principal)
    return OrderAnswer.of(await services.checkout.refresh(order_id, actor), actor)


ROUTES: list[HTTPRouteHandler] = [
    change_order,
    begin_checkout,
    confirm_order,
    end_confirmation,
    refresh_order,
]
