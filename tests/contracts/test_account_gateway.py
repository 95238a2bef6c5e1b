"""What connect may rely on from its gateway, whoever answers it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, Protocol

import httpx
import msgspec
import pytest

from connect.capability import AccountState, CapabilityPolicy, state_of
from connect.gateway import AccountDraft, AccountGateway, OnboardingLink
from connect.snapshot import AccountSnapshot
from connect.stripe_accounts import StripeAccounts
from payments.errors import NotSent, OutcomeUnknown, StripeRejected
from payments.ids import ConnectedAccountId, IdempotencyKey, OperationId, SellerId, new_id
from payments.stripe_client import StripeApi
from stripe_sandbox.server import RunningSandbox
from tests.connect.fakes import FakeAccountGateway

URLS = {"return_url": "https://shop.example/return", "refresh_url": "https://shop.example/refresh"}


class AccountWorld(Protocol):
    """A gateway, and what happens to accounts at Stripe."""

    gateway: AccountGateway

    async def onboard(self, account_id: ConnectedAccountId, link: OnboardingLink) -> None:
        """The seller opens the link and gives everything."""
        ...

    async def close(self, account_id: ConnectedAccountId) -> None:
        """The account is closed at Stripe."""
        ...

    async def lose_next_answer(self) -> None:
        """The next request is carried out, its answer never arrives."""
        ...

    async def be_busy(self) -> None:
        """The next request is refused for its rate."""
        ...


class FakeAccounts:
    """The fake, told directly."""

    def __init__(self) -> None:
        self.fake = FakeAccountGateway()
        self.gateway: AccountGateway = self.fake

    async def onboard(self, account_id: ConnectedAccountId, link: OnboardingLink) -> None:
        self.fake.onboard(account_id)

    async def close(self, account_id: ConnectedAccountId) -> None:
        self.fake.change(account_id, closed=True)

    async def lose_next_answer(self) -> None:
        self.fake.lost_answer = OutcomeUnknown("reset")

    async def be_busy(self) -> None:
        self.fake.silence = NotSent("rate_limit")


class SandboxAccounts:
    """The adapter over HTTP; sellers walk through the hosted page."""

    def __init__(self, api: StripeApi, http: httpx.AsyncClient) -> None:
        self.gateway: AccountGateway = StripeAccounts(api)
        self._api, self._http = api, http

    async def onboard(self, account_id: ConnectedAccountId, link: OnboardingLink) -> None:
        page = await self._http.get(link.url)
        assert page.status_code == 200
        done = await self._http.post(link.url, data={"outcome": "complete"})
        assert done.headers["location"] == URLS["return_url"]

    async def close(self, account_id: ConnectedAccountId) -> None:
        await self._api.request(
            "post",
            f"/v2/core/accounts/{account_id}/close",
            {"applied_configurations": ["recipient"]},
            key=new_id("key"),
        )

    async def lose_next_answer(self) -> None:
        await self._fault("lost_after")

    async def be_busy(self) -> None:
        await self._fault("rate_limit")

    async def _fault(self, fault: str) -> None:
        body = {"fault": fault, "method": "POST", "path": "/v2/*"}
        answer = await self._http.post("/_sandbox/faults", json=body)
        assert answer.status_code == 200, answer.text


@pytest.fixture(params=["fake", "adapter over the sandbox"])
async def accounts(
    request: pytest.FixtureRequest, stripe: RunningSandbox, api: StripeApi
) -> AsyncIterator[AccountWorld]:
    if request.param == "fake":
        yield FakeAccounts()
        return
    stripe.sandbox.reset()
    async with httpx.AsyncClient(base_url=stripe.base_url, trust_env=False) as http:
        yield SandboxAccounts(api, http)


def key() -> IdempotencyKey:
    return IdempotencyKey(new_id("key"))


def draft(**changes: Any) -> AccountDraft:
    made = AccountDraft(
        operation_id=OperationId(new_id("op")),
        seller_id=SellerId(new_id("sel")),
        country="DE",
        currency="eur",
        email="coach@sellers.test",
        display_name="Coach Ada",
    )
    return msgspec.structs.replace(made, **changes)


def state(snapshot: AccountSnapshot) -> AccountState:
    return state_of(snapshot, CapabilityPolicy())


def without_request(snapshot: AccountSnapshot | None) -> AccountSnapshot:
    assert snapshot is not None
    return msgspec.structs.replace(snapshot, request_id=None, requirements=())


class TestAccountGateway:
    async def test_a_new_account_waits_for_onboarding(self, accounts: AccountWorld) -> None:
        opened = await accounts.gateway.create_account(draft(), key())
        assert opened.id.startswith("acct_")
        assert (opened.country, opened.default_currency) == ("DE", "eur")
        assert opened.recipient
        assert not opened.closed
        assert opened.transfers.status == opened.payouts.status == "restricted"
        assert opened.transfers.details[0].resolution == "provide_info"
        assert all(each.awaiting_action_from == "user" for each in opened.requirements)
        assert opened.requirements
        assert opened.deadline_status == "past_due"
        assert opened.request_id
        assert state(opened) is AccountState.INCOMPLETE

    async def test_an_account_reads_as_it_was_opened(self, accounts: AccountWorld) -> None:
        opened = await accounts.gateway.create_account(draft(), key())
        read = await accounts.gateway.retrieve_account(opened.id)
        assert without_request(read) == without_request(opened)
        assert read.requirements == opened.requirements

    async def test_the_same_key_answers_the_same_account(self, accounts: AccountWorld) -> None:
        wanted, same = draft(), key()
        first = await accounts.gateway.create_account(wanted, same)
        again = await accounts.gateway.create_account(wanted, same)
        other = await accounts.gateway.create_account(draft(), key())
        assert first.id == again.id != other.id

    async def test_a_lost_answer_is_found_again_by_key_or_by_seller(
        self, accounts: AccountWorld
    ) -> None:
        wanted, same = draft(), key()
        await accounts.lose_next_answer()
        with pytest.raises(OutcomeUnknown):
            await accounts.gateway.create_account(wanted, same)
        found = await accounts.gateway.find_account(wanted)
        again = await accounts.gateway.create_account(wanted, same)
        assert found is not None
        assert found.id == again.id

    async def test_an_account_nobody_opened_is_not_found(self, accounts: AccountWorld) -> None:
        await accounts.gateway.create_account(draft(), key())
        assert await accounts.gateway.find_account(draft()) is None

    async def test_too_many_requests_are_certainly_not_done(self, accounts: AccountWorld) -> None:
        wanted = draft()
        await accounts.be_busy()
        with pytest.raises(NotSent):
            await accounts.gateway.create_account(wanted, key())

    async def test_onboarding_makes_both_capabilities_active(self, accounts: AccountWorld) -> None:
        opened = await accounts.gateway.create_account(draft(), key())
        link = await accounts.gateway.create_onboarding_link(opened.id, **URLS, key=key())
        await accounts.onboard(opened.id, link)
        read = await accounts.gateway.retrieve_account(opened.id)
        assert read.transfers.status == read.payouts.status == "active"
        assert read.transfers.details == ()
        assert state(read) is AccountState.READY

    async def test_links_are_new_each_time_and_end_soon(self, accounts: AccountWorld) -> None:
        opened = await accounts.gateway.create_account(draft(), key())
        first = await accounts.gateway.create_onboarding_link(opened.id, **URLS, key=key())
        second = await accounts.gateway.create_onboarding_link(opened.id, **URLS, key=key())
        assert first.url != second.url
        assert 0 < (first.expires_at - datetime.now(UTC)).total_seconds() < 3600

    async def test_the_dashboard_is_for_the_onboarded(self, accounts: AccountWorld) -> None:
        opened = await accounts.gateway.create_account(draft(), key())
        with pytest.raises(StripeRejected):
            await accounts.gateway.create_dashboard_link(opened.id, key())
        link = await accounts.gateway.create_onboarding_link(opened.id, **URLS, key=key())
        await accounts.onboard(opened.id, link)
        dashboard = await accounts.gateway.create_dashboard_link(opened.id, key())
        assert dashboard.url.startswith("http")

    async def test_a_closed_account_says_so_and_gets_no_link(self, accounts: AccountWorld) -> None:
        opened = await accounts.gateway.create_account(draft(), key())
        await accounts.close(opened.id)
        read = await accounts.gateway.retrieve_account(opened.id)
        assert read.closed
        assert state(read) is AccountState.CLOSED
        with pytest.raises(StripeRejected):
            await accounts.gateway.create_onboarding_link(opened.id, **URLS, key=key())

    async def test_an_account_we_may_not_see_is_a_definite_no(self, accounts: AccountWorld) -> None:
        with pytest.raises(StripeRejected) as refused:
            await accounts.gateway.retrieve_account(ConnectedAccountId("acct_somebodyelses1"))
        assert refused.value.http_status == 404
