"""Saved cards over HTTP, for the buyers they belong to. Cards themselves are given to Stripe, never to us."""

from litestar import delete, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from marketplace.api.idempotency import repeatable
from marketplace.api.policies import signed_in
from marketplace.api.principal import Principal
from marketplace.api.schemas.cards import CardAnswer, CardList, SetupAnswer, SetupSecret
from marketplace.paging import PageRequest, page_of
from marketplace.services import Services


@post(
    "/v1/cards/setup",
    **signed_in("cards:write"),
    **repeatable(),
    status_code=200,
    summary="Save a card without paying",
)
async def begin_setup(
    services: NamedDependency[Services], principal: NamedDependency[Principal]
) -> SetupSecret:
    """What your browser needs to give Stripe a card to keep (`stripe.confirmSetup`).

    Asked again it is the same SetupIntent until it has succeeded or was canceled.
    """
    setup = await services.cards.begin_setup(
        principal.account_id, principal.email, services.clock()
    )
    return SetupSecret.of(setup, services.settings.stripe_publishable_key)


@get("/v1/cards/setup/{setup_id:str}", **signed_in("cards:read"), summary="How a setup stands")
async def read_setup(
    setup_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> SetupAnswer:
    """As Stripe last told us. A card that was saved is in `GET /v1/cards`."""
    return SetupAnswer.of(await services.cards.setup(principal.account_id, setup_id))


@post(
    "/v1/cards/setup/{setup_id:str}/refresh",
    **signed_in("cards:write"),
    **repeatable(),
    status_code=200,
    summary="Ask Stripe how a setup stands",
)
async def refresh_setup(
    setup_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> SetupAnswer:
    """For a browser that has just given its card and does not want to wait for Stripe's webhook."""
    seen = await services.cards.refresh_setup(principal.account_id, setup_id)
    return SetupAnswer.of(seen.record, seen.reason)


@get("/v1/cards", **signed_in("cards:read"), summary="Your saved cards")
async def list_cards(
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    page: NamedDependency[PageRequest],
) -> CardList:
    """The newest first. One of them is the default, which checkout offers first."""
    cards = await services.cards.list(principal.account_id)
    return CardList.of(page_of(cards, page), services.clock())


@post(
    "/v1/cards/refresh",
    **signed_in("cards:write"),
    **repeatable(),
    status_code=200,
    summary="Ask Stripe for your cards",
)
async def refresh_cards(
    services: NamedDependency[Services], principal: NamedDependency[Principal]
) -> CardList:
    """For a browser that has just paid with a card to be kept; the newest of them."""
    await services.cards.refresh(principal.account_id)
    cards = await services.cards.list(principal.account_id)
    return CardList.of(page_of(cards, PageRequest()), services.clock())


@get("/v1/cards/{card_id:str}", **signed_in("cards:read"), summary="One saved card")
async def read_card(
    card_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> CardAnswer:
    """What people recognise it by; its number is nowhere here."""
    card = await services.cards.require(principal.account_id, card_id)
    return CardAnswer.of(card, services.clock())


@delete("/v1/cards/{card_id:str}", **signed_in("cards:write"), summary="Remove a saved card")
async def remove_card(
    card_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> None:
    """At Stripe too, for good. Orders that were paid with it are not touched."""
    await services.cards.remove(principal.account_id, card_id, services.clock())


@post(
    "/v1/cards/{card_id:str}/default",
    **signed_in("cards:write"),
    status_code=200,
    summary="Choose the default card",
)
async def choose_default(
    card_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> CardAnswer:
    """The one that checkout offers first."""
    now = services.clock()
    card = await services.cards.make_default(principal.account_id, card_id, now)
    return CardAnswer.of(card, now)


ROUTES: list[HTTPRouteHandler] = [
    begin_setup,
    read_setup,
    refresh_setup,
    list_cards,
    refresh_cards,
    read_card,
    remove_card,
    choose_default,
]
