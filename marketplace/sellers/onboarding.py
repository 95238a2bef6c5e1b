"""A seller's way to Stripe's own pages and back.

Coming back proves nothing: the account is re-read.
"""

from connect.accounts import Accounts
from connect.gateway import DashboardLink, OnboardingLink
from marketplace.sellers.profile import SellerProfile
from marketplace.sellers.sellers import Sellers


class Onboarding:
    """Links for the seller's owner, and for nobody else."""

    def __init__(self, sellers: Sellers, accounts: Accounts, public_url: str) -> None:
        self._sellers, self._accounts = sellers, accounts
        self._public_url = public_url.rstrip("/")

    async def onboarding_link(
        self, seller_id: str, *, account_id: str, email: str
    ) -> OnboardingLink:
        """A new link to the hosted onboarding; the first one opens the connected account.

        Raises SellerNotFound, AccountNotOpened, AccountIsClosed, LinkRefused, PaymentsUnavailable.
        """
        seller = await self._sellers.require_own(seller_id, account_id)
        await self._accounts.open_account(
            seller.id,
            country=seller.country,
            currency=seller.currency,
            email=email,
            display_name=seller.display_name,
        )
        return await self._accounts.onboarding_link(
            seller.id,
            return_url=self._address(seller, "return"),
            refresh_url=self._address(seller, "refresh"),
        )

    async def dashboard_link(self, seller_id: str, *, account_id: str) -> DashboardLink:
        """A new link into the seller's Stripe dashboard.

        Raises SellerNotFound, AccountNotFound, AccountIsClosed, OnboardingIncomplete, LinkRefused,
        PaymentsUnavailable.
        """
        seller = await self._sellers.require_own(seller_id, account_id)
        return await self._accounts.dashboard_link(seller.id)

    def _address(self, seller: SellerProfile, where: str) -> str:
        """Built from our configuration alone: no caller says where Stripe sends people."""
        return f"{self._public_url}/v1/sellers/{seller.id}/onboarding/{where}"
