"""The gate before money moves: connect's verdict together with the platform's decision."""

from datetime import datetime

import msgspec

from connect.accounts import Accounts
from connect.capability import PayoutCapability
from marketplace.sellers import records
from marketplace.sellers.errors import SellerNotPayable
from marketplace.sellers.profile import SellerProfile
from payments.ids import ConnectedAccountId


class Vouched(msgspec.Struct, frozen=True, kw_only=True):
    """A seller with the verdict about them at one moment."""

    seller: SellerProfile
    verdict: PayoutCapability

    @property
    def account_id(self) -> ConnectedAccountId | None:
        """Where the seller's money goes; None while there is no connected account."""
        return self.verdict.account_id

    def require_payable(self) -> ConnectedAccountId:
        """Where to send the money. Raises SellerNotPayable with every reason against it."""
        if not self.verdict.payable or self.verdict.account_id is None:
            seller, verdict = self.seller, self.verdict
            raise SellerNotPayable(seller.id, seller.account_id, verdict.reasons, verdict.missing)
        return self.verdict.account_id


class Vouching:
    """Asked twice around a payment: outside any transaction, then again under the order's lock."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def vouch(self, seller_id: str, now: datetime) -> Vouched:
        """The verdict, after asking Stripe where the snapshot is older than a minute or stale.

        Outside any transaction. Raises SellerNotFound; silence of Stripe is a reason, not an error.
        """
        seller = await records.require(seller_id)
        verdict = await self._accounts.vouch(seller.id, seller.standing, now)
        return Vouched(seller=seller, verdict=verdict)

    async def verdict_now(self, seller_id: str, now: datetime) -> Vouched:
        """The verdict by the database alone.

        For use inside a transaction. Raises SellerNotFound.
        """
        seller = await records.require(seller_id)
        verdict = await self._accounts.verdict_now(seller.id, seller.standing, now)
        return Vouched(seller=seller, verdict=verdict)

    async def require_payable(self, seller_id: str, now: datetime) -> ConnectedAccountId:
        """`vouch`, and the account to pay. Raises SellerNotFound, SellerNotPayable."""
        return (await self.vouch(seller_id, now)).require_payable()

    async def require_payable_now(self, seller_id: str, now: datetime) -> ConnectedAccountId:
        """`verdict_now`, and the account to pay. Raises SellerNotFound, SellerNotPayable."""
        return (await self.verdict_now(seller_id, now)).require_payable()

    async def doubt(self, destination: str) -> None:
        """Stripe refused to pay this account: it is read again before money moves, and by the sweep.

        Raises connect's AccountNotFound for one that is not ours.
        """
        await self._accounts.mark_stale(ConnectedAccountId(destination))
