"""Listings over HTTP: read by anyone, written by their sellers."""

from typing import Annotated

from litestar import delete, get, patch, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from marketplace.api.policies import anyone, signed_in
from marketplace.api.principal import Principal
from marketplace.api.schemas.listings import (
    ListingAnswer,
    ListingList,
    ListingOffer,
    ListingPatch,
    OwnListingAnswer,
    OwnListingList,
)
from marketplace.catalog.listings import Kind, ListingFilter
from marketplace.paging import PageRequest
from marketplace.services import Services

_Text = Annotated[str | None, QueryParameter(min_length=1, max_length=100)]
_Word = Annotated[str | None, QueryParameter(max_length=64)]


@get("/v1/listings", **anyone(), summary="What is for sale")
async def list_listings(
    services: NamedDependency[Services],
    page: NamedDependency[PageRequest],
    kind: FromQuery[Kind | None] = None,
    category: _Word = None,
    seller_id: _Word = None,
    q: _Text = None,
) -> ListingList:
    """Listings, the newest first. `q` is looked for in titles, whatever the case."""
    wanted = ListingFilter(kind=kind, category=category, seller_id=seller_id, text=q)
    found = await services.catalog.list_public(wanted, page)
    return ListingList(
        data=[ListingAnswer.of(listing) for listing in found.data], has_more=found.has_more
    )


@get("/v1/listings/{listing_id:str}", **anyone(), summary="One listing")
async def read_listing(
    listing_id: FromPath[str], services: NamedDependency[Services]
) -> ListingAnswer:
    """A listing that is for sale."""
    return ListingAnswer.of(await services.catalog.find(listing_id))


@get(
    "/v1/sellers/{seller_id:str}/listings",
    **signed_in("sellers:read"),
    summary="Your listings",
)
async def list_own_listings(
    seller_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    page: NamedDependency[PageRequest],
) -> OwnListingList:
    """Everything you ever listed, archived ones included, with its stock."""
    seller = await services.sellers.require_own(seller_id, principal.account_id)
    found = await services.catalog.list_own(seller.account_id, page)
    return OwnListingList(
        data=[OwnListingAnswer.of(listing) for listing in found.data], has_more=found.has_more
    )


@post("/v1/listings", **signed_in("listings:write"), summary="Publish a listing")
async def publish_listing(
    data: JSONBody[ListingOffer],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> OwnListingAnswer:
    """It is for sale at once, in your currency. A product needs its stock; a session has none."""
    listing = await services.catalog.create(principal.account_id, data.told(), services.clock())
    return OwnListingAnswer.of(listing)


@patch("/v1/listings/{listing_id:str}", **signed_in("listings:write"), summary="Change a listing")
async def change_listing(
    listing_id: FromPath[str],
    data: JSONBody[ListingPatch],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> OwnListingAnswer:
    """Your own. Kind and currency stay; stock cannot fall below what orders have set aside."""
    listing = await services.catalog.update(
        principal.account_id, listing_id, data.told(), services.clock()
    )
    return OwnListingAnswer.of(listing)


@delete("/v1/listings/{listing_id:str}", **signed_in("listings:write"), summary="End a listing")
async def archive_listing(
    listing_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> None:
    """Take your own listing off the market. Orders that have it keep it."""
    await services.catalog.archive(principal.account_id, listing_id, services.clock())


ROUTES: list[HTTPRouteHandler] = [
    list_listings,
    read_listing,
    list_own_listings,
    publish_listing,
    change_listing,
    archive_listing,
]
