"""A `CardGateway` in memory: Customers, SetupIntents and saved cards, for tests that need no network.

`save` stands for the buyer's browser; `forget` and `delete_customer` for Stripe's Dashboard.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count

import msgspec

from payments.card_gateway import (
    CardSnapshot,
    CustomerDraft,
    CustomerSnapshot,
    DetachDraft,
    SetupDraft,
    SetupSnapshot,
)
from payments.errors import StripeRejected
from payments.gateway import DeclineSeen
from payments.ids import IdempotencyKey
from tests.fake_keys import AnsweredOnce

_NUMBERS = count(1)


class FakeCards(AnsweredOnce):
    """Stripe's keeping of cards, in memory."""

    def __init__(self, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__()
        self.clock = clock or (lambda: datetime.now(UTC))
        self._customers: dict[str, CustomerSnapshot] = {}
        self._setups: dict[str, SetupSnapshot] = {}
        self._cards: dict[str, list[CardSnapshot]] = {}
        self._made_by: dict[str, str] = {}

    # ------------------------------------------------------------------ what tests make it do

    def save(self, setup_id: str, card: str = "pm_card_visa") -> CardSnapshot | None:
        """The buyer's browser gives a card; None when the bank does not want it kept."""
        setup = self._setup(setup_id)
        if "Declined" in card:
            seen = DeclineSeen(
                reference=f"{card}:card_declined",
                code="card_declined",
                decline_code="generic_decline",
                advice_code=None,
                card=None,
                payment_method_id=card,
            )
            self._setups[setup.id] = msgspec.structs.replace(setup, decline=seen)
            return None
        self._setups[setup.id] = msgspec.structs.replace(setup, status="succeeded", decline=None)
        return self.attach(setup.customer_id or "")

    def attach(
        self,
        customer_id: str,
        *,
        expiry_year: int = 2034,
        payment_method_id: str | None = None,
        fingerprint: str | None = None,
    ) -> CardSnapshot:
        """The Customer keeps one more card: by a payment, or by hand in the Dashboard."""
        card = CardSnapshot(
            payment_method_id=payment_method_id or self._id("pm"),
            brand="visa",
            last4="4242",
            expiry_month=2,
            expiry_year=expiry_year,
            fingerprint=fingerprint or self._id("fp"),
            created_at=self._now(),
        )
        self._cards[customer_id].insert(0, card)
        return card

    def forget(self, payment_method_id: str) -> None:
        """Somebody detaches a card in the Dashboard."""
        for cards in self._cards.values():
            cards[:] = [one for one in cards if one.payment_method_id != payment_method_id]

    def delete_customer(self, customer_id: str) -> None:
        """Somebody deletes a Customer in the Dashboard."""
        self._customers[customer_id] = CustomerSnapshot(id=customer_id, deleted=True)
        del self._cards[customer_id]

    def cancel_setup(self, setup_id: str) -> None:
        """Somebody cancels a SetupIntent in the Dashboard."""
        setup = self._setup(setup_id)
        self._setups[setup.id] = msgspec.structs.replace(setup, status="canceled")

    # ------------------------------------------------------------------------------- the port

    async def create_customer(self, draft: CustomerDraft, key: IdempotencyKey) -> CustomerSnapshot:
        return self.once("create_customer", draft, key, lambda: self._create_customer(draft))

    async def find_customer(self, draft: CustomerDraft) -> CustomerSnapshot | None:
        return self._customers.get(self._made_by.get(draft.operation_id, ""))

    async def retrieve_customer(self, customer_id: str) -> CustomerSnapshot:
        return self._customers[customer_id]

    async def create_setup(self, draft: SetupDraft, key: IdempotencyKey) -> SetupSnapshot:
        return self.once("create_setup", draft, key, lambda: self._create_setup(draft))

    async def find_setup(self, draft: SetupDraft) -> SetupSnapshot | None:
        made = (one for one in self._setups.values() if one.setup_id == draft.setup_id)
        return next(made, None)

    async def retrieve_setup(self, stripe_setup_id: str) -> SetupSnapshot:
        return self._setups[stripe_setup_id]

    async def detach_card(self, draft: DetachDraft, key: IdempotencyKey) -> CardSnapshot:
        return self.once("detach_card", draft, key, lambda: self._detach(draft))

    async def cards_of(self, customer_id: str) -> list[CardSnapshot]:
        if customer_id not in self._cards:
            raise StripeRejected("resource_missing", http_status=404)
        return list(self._cards[customer_id])

    # ------------------------------------------------------------------------ what Stripe does

    def _create_customer(self, draft: CustomerDraft) -> CustomerSnapshot:
        customer = CustomerSnapshot(id=self._id("cus"), deleted=False, request_id=self._id("req"))
        self._made_by[draft.operation_id] = customer.id
        self._customers[customer.id] = customer
        self._cards[customer.id] = []
        return customer

    def _create_setup(self, draft: SetupDraft) -> SetupSnapshot:
        if draft.customer_id not in self._cards:
            raise StripeRejected("resource_missing")
        id = self._id("seti")
        self._setups[id] = SetupSnapshot(
            id=id,
            setup_id=draft.setup_id,
            status="requires_payment_method",
            customer_id=draft.customer_id,
            client_secret=f"{id}_secret_{self._id('cs')}",
            decline=None,
            request_id=self._id("req"),
        )
        return self._setups[id]

    def _detach(self, draft: DetachDraft) -> CardSnapshot:
        for card in self._cards.get(draft.customer_id, []):
            if card.payment_method_id == draft.payment_method_id:
                self.forget(card.payment_method_id)
                return card
        raise StripeRejected("invalid_request_error")

    def _setup(self, setup_id: str) -> SetupSnapshot:
        return next(one for one in self._setups.values() if setup_id in (one.id, one.setup_id))

    def _id(self, prefix: str) -> str:
        return f"{prefix}_fake{next(_NUMBERS)}"

    def _now(self) -> datetime:
        return self.clock().replace(microsecond=0)
