"""Two worlds that answer the same port: the fake in memory, and the adapter over the sandbox."""

from collections.abc import Callable
from typing import Any, Protocol

import httpx

from payments.card_gateway import CardGateway, CardSnapshot, SetupSnapshot
from payments.gateway import IntentSnapshot, PaymentGateway
from payments.ids import ConnectedAccountId
from payments.stripe_cards import StripeCards
from payments.stripe_client import StripeApi
from payments.stripe_gateway import StripePaymentGateway
from stripe_sandbox.server import RunningSandbox
from tests.fake_cards import FakeCards
from tests.fake_keys import AnsweredOnce
from tests.fakes import FakeGateway

PUBLISHABLE_KEY = "pk_test_contracts"
SECRET_KEY = "sk_test_contracts"
SELLER = {
    "display_name": "Ada's workshop",
    "contact_email": "ada@sellers.test",
    "dashboard": "express",
    "identity": {"country": "us", "entity_type": "individual"},
    "defaults": {
        "currency": "usd",
        "responsibilities": {"fees_collector": "application", "losses_collector": "application"},
    },
    "configuration": {
        "recipient": {"capabilities": {"stripe_balance": {"stripe_transfers": {"requested": True}}}}
    },
}


class World(Protocol):
    """A gateway, and what happens around it: sellers, buyers, failures."""

    gateway: PaymentGateway
    cards: CardGateway
    seller: ConnectedAccountId

    async def pay(self, intent: IntentSnapshot, card: str = "pm_card_visa") -> None:
        """The buyer's browser confirms."""
        ...

    async def pass_challenge(self, intent: IntentSnapshot) -> None:
        """The buyer shows themself to their bank."""
        ...

    async def days_pass(self) -> None:
        """Long enough for banks to decide about debits."""
        ...

    async def save(self, setup: SetupSnapshot, card: str = "pm_card_visa") -> None:
        """The buyer's browser gives a card to keep."""
        ...

    async def delete_customer(self, customer_id: str) -> None:
        """Somebody deletes the Customer in Stripe's Dashboard."""
        ...

    async def stop_seller(self) -> None:
        """The seller's account can receive no more transfers."""
        ...

    async def fail(self, fault: str) -> None:
        """The next mutating request fails.

        `lost_before`, `lost_after`, `rate_limit`, `error_500`.
        """
        ...

    async def fail_cards(self, fault: str) -> None:
        """The next mutating request about cards fails."""
        ...


class FakeWorld:
    """The fake, told directly."""

    def __init__(self) -> None:
        self.fake = FakeGateway()
        self.gateway: PaymentGateway = self.fake
        self.fake_cards = FakeCards()
        self.cards: CardGateway = self.fake_cards
        self.seller = ConnectedAccountId("acct_fake")

    async def pay(self, intent: IntentSnapshot, card: str = "pm_card_visa") -> None:
        self.fake.pay(intent.id, card)

    async def pass_challenge(self, intent: IntentSnapshot) -> None:
        self.fake.pass_challenge(intent.id)

    async def days_pass(self) -> None:
        self.fake.days_pass()

    async def save(self, setup: SetupSnapshot, card: str = "pm_card_visa") -> None:
        saved: CardSnapshot | None = self.fake_cards.save(setup.id, card)
        if saved is not None:
            self.fake.saved[saved.payment_method_id] = card

    async def delete_customer(self, customer_id: str) -> None:
        self.fake_cards.delete_customer(customer_id)

    async def stop_seller(self) -> None:
        self.fake.closed_destinations.add(self.seller)

    async def fail(self, fault: str) -> None:
        _fail(self.fake, fault)

    async def fail_cards(self, fault: str) -> None:
        _fail(self.fake_cards, fault)


def _fail(fake: AnsweredOnce, fault: str) -> None:
    faults: dict[str, Callable[[], None]] = {
        "lost_before": fake.lose_answer_before,
        "lost_after": fake.lose_answer_after,
        "rate_limit": fake.be_busy,
        "error_500": lambda: fake.store_500(executed=False),
        "error_500_after": lambda: fake.store_500(executed=True),
    }
    faults[fault]()


class SandboxWorld:
    """The adapter over HTTP, told through the sandbox's control surface and Stripe's own API."""

    def __init__(self, api: StripeApi, http: httpx.AsyncClient, seller: ConnectedAccountId) -> None:
        self.gateway: PaymentGateway = StripePaymentGateway(api)
        self.cards: CardGateway = StripeCards(api)
        self._api = api
        self.seller = seller
        self._http = http

    @classmethod
    async def opened(
        cls, running: RunningSandbox, api: StripeApi, http: httpx.AsyncClient
    ) -> "SandboxWorld":
        """A world on an emptied sandbox with one seller who can be paid."""
        running.sandbox.reset()
        account = await api.request("post", "/v2/core/accounts", SELLER, key="seller")
        world = cls(api, http, ConnectedAccountId(account.data["id"]))
        await world._control(f"accounts/{world.seller}", {"stripe_transfers": "active"})
        return world

    async def pay(self, intent: IntentSnapshot, card: str = "pm_card_visa") -> None:
        answer = await self._http.post(
            f"/v1/payment_intents/{intent.id}/confirm",
            data={"client_secret": intent.client_secret, "payment_method": card},
            headers={"Authorization": f"Bearer {PUBLISHABLE_KEY}"},
        )
        assert answer.status_code in (200, 402), answer.text

    async def pass_challenge(self, intent: IntentSnapshot) -> None:
        await self._see_the_bank(intent.id)

    async def _see_the_bank(self, id: str) -> None:
        answer = await self._http.post(f"/3ds/{id}", data={"outcome": "complete"})
        assert answer.status_code in (200, 303), answer.text

    async def days_pass(self) -> None:
        await self._control("clock", {"advance": 5 * 86_400})

    async def save(self, setup: SetupSnapshot, card: str = "pm_card_visa") -> None:
        answer = await self._http.post(
            f"/v1/setup_intents/{setup.id}/confirm",
            data={"client_secret": setup.client_secret, "payment_method": card},
            headers={"Authorization": f"Bearer {PUBLISHABLE_KEY}"},
        )
        assert answer.status_code in (200, 402), answer.text
        if answer.json().get("status") == "requires_action":
            await self._see_the_bank(setup.id)

    async def delete_customer(self, customer_id: str) -> None:
        await self._api.request("delete", f"/v1/customers/{customer_id}")

    async def stop_seller(self) -> None:
        await self._control(f"accounts/{self.seller}", {"stripe_transfers": "restricted"})

    async def fail(self, fault: str) -> None:
        await self._control("faults", {"fault": fault, "method": "POST", "path": "/v1/*"})

    async def fail_cards(self, fault: str) -> None:
        await self.fail(fault)

    async def _control(self, path: str, body: dict[str, Any]) -> None:
        answer = await self._http.post(f"/_sandbox/{path}", json=body)
        assert answer.status_code == 200, answer.text
