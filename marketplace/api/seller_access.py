"""Whose seller a caller may look into."""

from marketplace.api.principal import Principal
from marketplace.sellers.profile import SellerProfile
from marketplace.services import Services


async def visible_seller(seller_id: str, services: Services, principal: Principal) -> SellerProfile:
    """The caller's own seller, or anybody's for admins. Raises SellerNotFound."""
    if principal.is_admin and principal.may("admin:read"):
        return await services.sellers.require(seller_id)
    return await services.sellers.require_own(seller_id, principal.account_id)
