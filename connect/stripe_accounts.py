"""The adapter: connect's port answered by Stripe's Accounts v2 (login links are still v1's).

Sellers are `recipient` accounts with Stripe's Express dashboard; the platform pays Stripe's fees
and answers for losses, which Express demands. Whether the seller is a person or a company is left
out: the hosted onboarding asks. Fields that Stripe leaves null without `include` are always asked
for, because null does not mean "not active".
"""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from connect.gateway import AccountDraft, DashboardLink, OnboardingLink
from connect.snapshot import AccountSnapshot
from connect.stripe_wire import (
    AccountLinkObject,
    AccountObject,
    AccountPage,
    LoginLinkObject,
    account_snapshot,
)
from payments.ids import ConnectedAccountId, IdempotencyKey
from payments.stripe_client import Answer, StripeApi

_CREATE_INCLUDES = ["configuration.recipient", "defaults", "identity", "requirements"]
_READ_INCLUDES = [*_CREATE_INCLUDES, "future_requirements"]


class StripeAccounts:
    """`connect.gateway.AccountGateway` over Stripe's API."""

    def __init__(self, api: StripeApi) -> None:
        self._api = api

    async def create_account(self, draft: AccountDraft, key: IdempotencyKey) -> AccountSnapshot:
        """POST /v2/core/accounts."""
        answer = await self._api.request(
            "post", "/v2/core/accounts", _account_parameters(draft), key=key
        )
        return _snapshot(answer)

    async def retrieve_account(self, account_id: ConnectedAccountId) -> AccountSnapshot:
        """GET /v2/core/accounts/{id} with everything the verdict reads."""
        answer = await self._api.request(
            "get", f"/v2/core/accounts/{account_id}", {"include": _READ_INCLUDES}
        )
        return _snapshot(answer)

    async def find_account(self, draft: AccountDraft) -> AccountSnapshot | None:
        """Walk the list of accounts: it has no filter by metadata, and this is asked almost never.

        (A v2 key lives for 30 days and never does a thing twice, so sending again nearly always
        answers.)
        """
        page: dict[str, Any] = {}
        while True:
            answer = await self._api.request(
                "get",
                "/v2/core/accounts",
                {"applied_configurations": ["recipient"], "limit": 100, **page},
            )
            listed = answer.read(AccountPage)
            for account in listed.data:
                if (account.metadata or {}).get("seller_id") == draft.seller_id:
                    return await self.retrieve_account(ConnectedAccountId(account.id))
            if listed.next_page_url is None:
                return None
            page = {"page": _page_token(listed.next_page_url)}

    async def create_onboarding_link(
        self,
        account_id: ConnectedAccountId,
        *,
        return_url: str,
        refresh_url: str,
        key: IdempotencyKey,
    ) -> OnboardingLink:
        """POST /v2/core/account_links: everything Stripe will want is collected in one go."""
        onboarding = {
            "refresh_url": refresh_url,
            "return_url": return_url,
            "collection_options": {"fields": "eventually_due", "future_requirements": "include"},
        }
        answer = await self._api.request(
            "post",
            "/v2/core/account_links",
            {
                "account": account_id,
                "use_case": {"type": "account_onboarding", "account_onboarding": onboarding},
            },
            key=key,
        )
        link = answer.read(AccountLinkObject)
        return OnboardingLink(link.url, link.expires_at)

    async def create_dashboard_link(
        self, account_id: ConnectedAccountId, key: IdempotencyKey
    ) -> DashboardLink:
        """POST /v1/accounts/{id}/login_links."""
        answer = await self._api.request("post", f"/v1/accounts/{account_id}/login_links", key=key)
        return DashboardLink(answer.read(LoginLinkObject).url)


def _account_parameters(draft: AccountDraft) -> dict[str, Any]:
    """A pure function of the draft: what is sent again is what was sent first."""
    return {
        "display_name": draft.display_name,
        "contact_email": draft.email,
        "dashboard": "express",
        "identity": {"country": draft.country.lower()},
        "defaults": {
            "currency": draft.currency,
            "responsibilities": {
                "fees_collector": "application",
                "losses_collector": "application",
            },
        },
        "configuration": {
            "recipient": {
                "capabilities": {"stripe_balance": {"stripe_transfers": {"requested": True}}}
            }
        },
        "include": _CREATE_INCLUDES,
        "metadata": {"seller_id": draft.seller_id, "operation_id": draft.operation_id},
    }


def _snapshot(answer: Answer) -> AccountSnapshot:
    return account_snapshot(answer.read(AccountObject), answer.request_id)


def _page_token(next_page_url: str) -> str:
    return parse_qs(urlsplit(next_page_url).query)["page"][0]
