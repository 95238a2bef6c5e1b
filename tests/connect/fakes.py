"""Stripe's connected accounts in memory, behind connect's port. Held to Stripe's by the contract tests."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from connect.gateway import AccountDraft, DashboardLink, OnboardingLink
from connect.snapshot import AccountSnapshot, CapabilitySeen, Requirement, StatusDetail
from payments.database import in_transaction
from payments.errors import OutcomeUnknown, PaymentError, StripeRejected, TransactionOpen
from payments.ids import ConnectedAccountId, IdempotencyKey

ACTIVE = CapabilitySeen("active")
RESTRICTED = CapabilitySeen(
    "restricted", (StatusDetail("requirements_past_due", resolution="provide_info"),)
)
PERSON = Requirement(
    description="identity.individual.given_name",
    awaiting_action_from="user",
    deadline_status="past_due",
)


class FakeAccountGateway:
    """Remembers accounts and keys; falls silent, loses answers and hesitates when told to."""

    def __init__(self) -> None:
        self.accounts: dict[ConnectedAccountId, AccountSnapshot] = {}
        self.sellers: dict[str, ConnectedAccountId] = {}
        # Everything asked: method, subject, key.
        self.asked: list[tuple[str, str, str | None]] = []
        # Raised instead of any answer, before anything is done.
        self.silence: PaymentError | None = None
        # Raised once, after the next request was carried out.
        self.lost_answer: PaymentError | None = None
        # Raised instead of opening an account.
        self.refusal: StripeRejected | None = None
        # Reads wait for it.
        self.open_door = asyncio.Event()
        self.open_door.set()
        # Set when a read has been heard.
        self.reading = asyncio.Event()
        self._by_key: dict[str, ConnectedAccountId] = {}
        self._links = 0

    # The port

    async def create_account(self, draft: AccountDraft, key: IdempotencyKey) -> AccountSnapshot:
        self._hear("create_account", draft.seller_id, key)
        if self.refusal is not None:
            raise self.refusal
        if key not in self._by_key:
            self._by_key[key] = self._open(draft)
        self._maybe_lose()
        return self.accounts[self._by_key[key]]

    async def retrieve_account(self, account_id: ConnectedAccountId) -> AccountSnapshot:
        self._hear("retrieve_account", account_id, None)
        read = self._existing(account_id)
        self.reading.set()
        await self.open_door.wait()
        return read

    async def find_account(self, draft: AccountDraft) -> AccountSnapshot | None:
        self._hear("find_account", draft.seller_id, None)
        account_id = self.sellers.get(draft.seller_id)
        return None if account_id is None else self.accounts[account_id]

    async def create_onboarding_link(
        self,
        account_id: ConnectedAccountId,
        *,
        return_url: str,
        refresh_url: str,
        key: IdempotencyKey,
    ) -> OnboardingLink:
        self._hear("create_onboarding_link", account_id, key)
        if self._existing(account_id).closed:
            raise StripeRejected("account_closed")
        return OnboardingLink(self._new_url("onboarding"), datetime.now(UTC) + timedelta(minutes=5))

    async def create_dashboard_link(
        self, account_id: ConnectedAccountId, key: IdempotencyKey
    ) -> DashboardLink:
        self._hear("create_dashboard_link", account_id, key)
        account = self._existing(account_id)
        if account.closed or PERSON in account.requirements:
            raise StripeRejected("invalid_request_error")
        return DashboardLink(self._new_url("dashboard"))

    # What happens at Stripe

    def onboard(self, account_id: ConnectedAccountId) -> None:
        """The seller gives everything Stripe wants; both capabilities become active."""
        self.change(account_id, requirements=(), transfers=ACTIVE, payouts=ACTIVE)
        self.change(account_id, deadline_status=None)

    def change(self, account_id: ConnectedAccountId, **changes: Any) -> None:
        """Anything that moves at Stripe, in the words of the snapshot."""
        self.accounts[account_id] = msgspec.structs.replace(self.accounts[account_id], **changes)

    def hold_reads(self) -> None:
        """Reads see the account as it is when asked, and answer when `open_door` is set."""
        self.open_door.clear()
        self.reading.clear()

    def forget(self, account_id: ConnectedAccountId) -> None:
        """The platform may not see the account any more."""
        del self.accounts[account_id]

    def count(self, method: str) -> int:
        """How often a method was called."""
        return sum(asked[0] == method for asked in self.asked)

    def _open(self, draft: AccountDraft) -> ConnectedAccountId:
        account_id = ConnectedAccountId(f"acct_{len(self.accounts) + 1}{draft.seller_id[-12:]}")
        self.sellers[draft.seller_id] = account_id
        self.accounts[account_id] = AccountSnapshot(
            id=account_id,
            country=draft.country,
            default_currency=draft.currency,
            recipient=True,
            transfers=RESTRICTED,
            payouts=RESTRICTED,
            requirements=(PERSON,),
            future_requirements=(),
            deadline_status="past_due",
            deadline=None,
            closed=False,
            request_id=f"req_{len(self.asked)}",
        )
        return account_id

    def _hear(self, method: str, subject: str, key: str | None) -> None:
        if in_transaction():
            raise TransactionOpen(method)
        self.asked.append((method, subject, key))
        if self.silence is not None:
            raise self.silence

    def _maybe_lose(self) -> None:
        if self.lost_answer is not None:
            lost, self.lost_answer = self.lost_answer, None
            raise lost

    def _existing(self, account_id: ConnectedAccountId) -> AccountSnapshot:
        if account_id not in self.accounts:
            raise StripeRejected("not_found", http_status=404, request_id="req_404")
        return self.accounts[account_id]

    def _new_url(self, what: str) -> str:
        self._links += 1
        return f"https://connect.invalid/{what}/{self._links}"


SILENT = OutcomeUnknown("timeout")
