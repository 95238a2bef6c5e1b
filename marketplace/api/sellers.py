"""Sellers over HTTP: the profile, the way to Stripe's pages, and the verdict."""

from litestar import Response, get, patch, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from litestar.response import Redirect

from connect.gateway import OnboardingLink
from marketplace.api.guard import any_query
from marketplace.api.idempotency import repeatable
from marketplace.api.onboarding_page import PAGE
from marketplace.api.policies import anyone, signed_in
from marketplace.api.principal import Principal
from marketplace.api.schemas.sellers import (
    DashboardLinkAnswer,
    OnboardingLinkAnswer,
    PayoutCapabilityAnswer,
    SellerAnswer,
    SellerOpening,
    SellerPatch,
)
from marketplace.pages.frame import POLICY
from marketplace.sellers.profile import SellerProfile
from marketplace.services import Services


@post("/v1/sellers", **signed_in("sellers:write"), summary="Become a seller")
async def open_seller(
    data: JSONBody[SellerOpening],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> SellerAnswer:
    """Open your seller profile; an account has one. It waits for approval by the platform.

    Next: `POST /v1/sellers/{id}/onboarding-link`. Approval and onboarding do not wait for each other.
    """
    profile = await services.sellers.open_profile(
        principal.account_id, data.told(), services.clock()
    )
    return SellerAnswer.of(profile)


@get("/v1/sellers/me", **signed_in("sellers:read"), summary="Your seller profile")
async def own_seller(
    services: NamedDependency[Services], principal: NamedDependency[Principal]
) -> SellerAnswer:
    """The seller that you are; 404 if you are none."""
    return SellerAnswer.of(await services.sellers.require_of_account(principal.account_id))


@get("/v1/sellers/{seller_id:str}", **signed_in("sellers:read"), summary="A seller profile")
async def read_seller(
    seller_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> SellerAnswer:
    """Your own profile; admins see everybody's."""
    return SellerAnswer.of(await _visible(seller_id, services, principal))


@patch("/v1/sellers/{seller_id:str}", **signed_in("sellers:write"), summary="Change your profile")
async def change_seller(
    seller_id: FromPath[str],
    data: JSONBody[SellerPatch],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> SellerAnswer:
    """Country and currency are fixed once onboarding began, the currency also by your listings."""
    profile = await services.sellers.update(
        seller_id, principal.account_id, data.told(), services.clock()
    )
    return SellerAnswer.of(profile)


@post(
    "/v1/sellers/{seller_id:str}/onboarding-link",
    **signed_in("sellers:write"),
    **repeatable(),
    summary="Get an onboarding link",
)
async def make_onboarding_link(
    seller_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> OnboardingLinkAnswer:
    """A link to Stripe's own pages, where you say who you are and where to be paid.

    Make one for each click. The first one opens your connected account at Stripe.
    """
    link = await _onboarding_link(seller_id, services, principal)
    return OnboardingLinkAnswer(url=link.url, expires_at=link.expires_at)


@get(
    "/v1/sellers/{seller_id:str}/onboarding/refresh",
    **signed_in("sellers:write"),
    status_code=303,
    summary="Go on with onboarding",
)
async def refresh_onboarding(
    seller_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> Redirect:
    """Where Stripe sends your browser when a link was used or has expired: on to a new one."""
    link = await _onboarding_link(seller_id, services, principal)
    return Redirect(link.url, status_code=303)


@get(
    "/v1/sellers/{seller_id:str}/onboarding/return",
    **anyone(),
    **any_query(),
    include_in_schema=False,
    media_type="text/html",
    sync_to_thread=False,
)
def return_from_onboarding(seller_id: FromPath[str]) -> Response[str]:
    """Where Stripe sends the browser afterwards. It proves nothing, and tells nobody anything."""
    return Response(PAGE, headers={"Content-Security-Policy": POLICY})


@post(
    "/v1/sellers/{seller_id:str}/dashboard-link",
    **signed_in("sellers:write"),
    **repeatable(),
    summary="Get a link to your Stripe dashboard",
)
async def make_dashboard_link(
    seller_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> DashboardLinkAnswer:
    """Your payouts and details at Stripe, once onboarding is done. Make one for each click."""
    link = await services.sellers.dashboard_link(seller_id, account_id=principal.account_id)
    return DashboardLinkAnswer(url=link.url)


@get(
    "/v1/sellers/{seller_id:str}/payout-capability",
    **signed_in("sellers:read"),
    summary="May this seller be paid?",
)
async def read_payout_capability(
    seller_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> PayoutCapabilityAnswer:
    """The verdict that checkout asks for; Stripe is asked when a minute has passed since last time."""
    seller = await _visible(seller_id, services, principal)
    return PayoutCapabilityAnswer.of(await services.vouching.vouch(seller.id, services.clock()))


async def _visible(
    seller_id: FromPath[str], services: Services, principal: Principal
) -> SellerProfile:
    """The caller's own seller, or anybody's for admins. Raises SellerNotFound."""
    if principal.is_admin and principal.may("admin:read"):
        return await services.sellers.require(seller_id)
    return await services.sellers.require_own(seller_id, principal.account_id)


async def _onboarding_link(
    seller_id: FromPath[str], services: Services, principal: Principal
) -> OnboardingLink:
    """Stripe sends people back to addresses made of our configuration: no caller names one."""
    base = services.settings.frontend_url or f"{services.settings.public_url}/v1"
    here = f"{base}/sellers/{seller_id}/onboarding"
    return await services.sellers.onboarding_link(
        seller_id,
        account_id=principal.account_id,
        email=principal.email,
        return_url=f"{here}/return",
        refresh_url=f"{here}/refresh",
        now=services.clock(),
    )


ROUTES: list[HTTPRouteHandler] = [
    open_seller,
    own_seller,
    read_seller,
    change_seller,
    make_onboarding_link,
    refresh_onboarding,
    return_from_onboarding,
    make_dashboard_link,
    read_payout_capability,
]
