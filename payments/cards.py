"""Saved cards: Stripe keeps them, we keep what people recognise them by, and which one is the default.

Stripe's list of a Customer's cards is the truth, and is absorbed whole whenever something may have changed:
after a setup, after a payment that saved its card, when an event says so, and by a sweep. A default is ours
alone. A card of another buyer does not exist.
"""

import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from payments.card_absorption import absorb_cards, choose_default, promote
from payments.card_gateway import CardGateway, CardSnapshot, DetachDraft
from payments.card_records import CARD_COLUMNS, CardRecord, SetupRecord, find_card
from payments.card_setups import SUCCEEDED, CardSetups, SetupForBuyer, SetupSeen, require_setup
from payments.customers import Customers, customer_of, lock_buyer
from payments.database import execute, rows, transaction, value
from payments.errors import CardNotFound, PaymentError, StripeRejected
from payments.events import Clock
from payments.ids import IdempotencyKey, OperationId, new_id
from payments.journal import Operation
from payments.operations import Operations

KIND: Final = "detach_card"
PUT_OFF: Final = timedelta(minutes=5)
_AFTER_SETUP: Final = timedelta(minutes=15)
"""By then a setup is done or given up: the list is read once, whatever became of its event."""
_MISSING: Final = "resource_missing"

_SHOWN: Final = f"""
SELECT * FROM (SELECT DISTINCT ON (coalesce(fingerprint, id)) {
    CARD_COLUMNS.replace(
        "is_default",
        "bool_or(is_default) OVER (PARTITION BY coalesce(fingerprint, id)) AS is_default",
    )
} FROM cards WHERE buyer_id = $1 AND removed_at IS NULL
ORDER BY coalesce(fingerprint, id), created_at DESC, id DESC) AS newest ORDER BY created_at DESC, id DESC
"""

_log = structlog.get_logger("payments.cards")


class Cards:
    """Use cases of a buyer's saved cards. No transaction may be open."""

    def __init__(self, gateway: CardGateway, operations: Operations, clock: Clock) -> None:
        self._gateway = gateway
        self._operations = operations
        self._clock = clock
        self._customers = Customers(gateway, operations)
        self._setups = CardSetups(gateway, operations, clock)
        operations.register(KIND, DetachCard(gateway, clock))

    async def customer_of(self, buyer_id: str, email: str, now: datetime) -> str:
        """Stripe's Customer of the buyer, made when first needed.

        Raises StripeRejected, NotSent, OutcomeUnknown.
        """
        return await self._customers.of(buyer_id, email, now)

    async def begin_setup(self, buyer_id: str, email: str, now: datetime) -> SetupForBuyer:
        """What the buyer's browser needs to save a card; asked again it is the same until it is over.

        Raises StripeRejected, NotSent, OutcomeUnknown.
        """
        customer_id = await self._customers.of(buyer_id, email, now)
        setup = await self._setups.begin(buyer_id, customer_id, now)
        await execute(
            "UPDATE buyer_customers SET refresh_at = coalesce(refresh_at, $2) WHERE buyer_id = $1",
            buyer_id,
            now + _AFTER_SETUP,
        )
        return setup

    async def setup(self, buyer_id: str, setup_id: str) -> SetupRecord:
        """The buyer's own setup as it is known. Raises CardSetupNotFound."""
        return await require_setup(buyer_id, setup_id)

    async def refresh_setup(self, buyer_id: str, setup_id: str) -> SetupSeen:
        """Ask Stripe how the setup stands; one that succeeded has saved its card.

        Raises CardSetupNotFound, NotSent, OutcomeUnknown.
        """
        seen = await self._setups.refresh(await require_setup(buyer_id, setup_id))
        if seen.record.status == SUCCEEDED:
            await self.refresh(buyer_id)
        return seen

    async def list(self, buyer_id: str) -> Sequence[CardRecord]:
        """The buyer's cards, the newest first.

        The same number saved twice is one card, the newest; it is the default when any of them is.
        """
        return [CardRecord(**record) for record in await rows(_SHOWN, buyer_id)]

    async def require(self, buyer_id: str, card_id: str) -> CardRecord:
        """The buyer's own card. Raises CardNotFound for any other."""
        return await find_card(buyer_id, card_id)

    async def make_default(self, buyer_id: str, card_id: str, now: datetime) -> CardRecord:
        """The card that is offered first. Raises CardNotFound."""
        async with transaction():
            await lock_buyer(buyer_id, now)
            card = await find_card(buyer_id, card_id)
            await choose_default(buyer_id, card.id)
            return await find_card(buyer_id, card_id)

    async def remove(self, buyer_id: str, card_id: str, now: datetime) -> None:
        """Take a card away, at Stripe too; one that Stripe no longer has is gone as well.

        The same number saved more than once goes wholly: it would be back in the list. Raises CardNotFound,
        StripeRejected, NotSent, OutcomeUnknown.
        """
        async with transaction():
            await lock_buyer(buyer_id, now)
            planned = [
                (twin_id, await self._plan_removal(buyer_id, twin_id, now))
                for twin_id in await _twins(await find_card(buyer_id, card_id))
            ]
        for twin_id, operation_id in planned:
            await self._detach(buyer_id, twin_id, operation_id)

    async def let_go(self, buyer_id: str, card_id: str, now: datetime) -> None:
        """Take away what was kept for a while; the same number that the buyer saved besides stays.

        Raises what `remove` raises.
        """
        async with transaction():
            operation_id = await self._plan_removal(buyer_id, card_id, now)
        await self._detach(buyer_id, card_id, operation_id)

    async def refresh(self, buyer_id: str, claimed: datetime | None = None) -> None:
        """Read Stripe's list of the buyer's cards and absorb it.

        `claimed` is the sweep's mark, which is taken off when it was done. Raises StripeRejected, NotSent,
        OutcomeUnknown.
        """
        customer_id = await customer_of(buyer_id)
        if customer_id is None:
            return
        asked_at = self._clock()
        listed = await self._listed(buyer_id, customer_id)
        if listed is None:
            return
        async with transaction():
            if await lock_buyer(buyer_id, asked_at) == customer_id:
                await absorb_cards(buyer_id, listed, asked_at, self._clock())
                await execute(
                    "UPDATE buyer_customers SET refresh_at = NULL "
                    "WHERE buyer_id = $1 AND refresh_at = $2",
                    buyer_id,
                    claimed,
                )

    async def refresh_due(self, now: datetime, limit: int = 50) -> int:
        """The sweep: read the lists that may have changed; answers how many were tried."""
        claimed = now + PUT_OFF
        due = await rows(
            "UPDATE buyer_customers SET refresh_at = $2 WHERE buyer_id IN ("
            "  SELECT buyer_id FROM buyer_customers WHERE refresh_at <= $1 "
            "  ORDER BY refresh_at LIMIT $3 FOR UPDATE SKIP LOCKED) RETURNING buyer_id",
            now,
            claimed,
            limit,
        )
        for record in due:
            try:
                await self.refresh(record["buyer_id"], claimed)
            except PaymentError as error:
                _log.warning("cards could not be refreshed", error=type(error).__name__)
            except Exception:  # noqa: BLE001 - one buyer's cards must not stop the others
                _log.exception("cards could not be absorbed", alarm=True)
        return len(due)

    async def forget_if_deleted(self, buyer_id: str, customer_id: str) -> bool:
        """Whether Stripe deleted the Customer, whose cards are then gone; the next one is made anew."""
        return await self._customers.forget_if_deleted(buyer_id, customer_id, self._clock())

    async def _listed(self, buyer_id: str, customer_id: str) -> Sequence[CardSnapshot] | None:
        """Stripe's list; None when the Customer was deleted."""
        try:
            return await self._gateway.cards_of(customer_id)
        except StripeRejected as refusal:
            gone = refusal.code == _MISSING and await self.forget_if_deleted(buyer_id, customer_id)
            if not gone:
                raise
            return None

    async def _detach(self, buyer_id: str, card_id: str, operation_id: OperationId) -> None:
        try:
            await self._operations.carry_out(operation_id)
        except StripeRejected:
            await self.refresh(buyer_id)
            with contextlib.suppress(CardNotFound):
                await find_card(buyer_id, card_id)
                raise

    async def _plan_removal(self, buyer_id: str, card_id: str, now: datetime) -> OperationId:
        customer_id = await lock_buyer(buyer_id, now)
        card = await find_card(buyer_id, card_id)
        if customer_id is None:
            raise CardNotFound(card_id)
        under_way: str | None = await value(
            "SELECT id FROM operations WHERE subject = $1 AND kind = $2 AND concluded_at IS NULL",
            card.id,
            KIND,
        )
        if under_way is not None:
            return OperationId(under_way)
        tried = await value(
            "SELECT count(*) FROM operations WHERE subject = $1 AND kind = $2", card.id, KIND
        )
        operation_id = OperationId(new_id("op"))
        draft = DetachDraft(
            operation_id=operation_id,
            card_id=card.id,
            buyer_id=buyer_id,
            customer_id=customer_id,
            payment_method_id=card.payment_method_id,
        )
        return await self._operations.plan(
            kind=KIND,
            subject=card.id,
            order_id=None,
            key=IdempotencyKey(f"card:{card.id}:detach:{tried + 1}"),
            draft=draft,
            operation_id=operation_id,
            now=now,
        )


async def _twins(card: CardRecord) -> Sequence[str]:
    """Every saved card of the buyer with this one's number, itself included."""
    found = await rows(
        "SELECT id FROM cards WHERE buyer_id = $1 AND removed_at IS NULL "
        "AND (id = $2 OR fingerprint = $3) ORDER BY id",
        card.buyer_id,
        card.id,
        card.fingerprint,
    )
    return [record["id"] for record in found]


class DetachCard:
    """Performs the removal of a card."""

    draft_type = DetachDraft

    def __init__(self, gateway: CardGateway, clock: Clock) -> None:
        self._gateway, self._clock = gateway, clock

    async def send(self, draft: DetachDraft, key: IdempotencyKey) -> CardSnapshot:
        return await self._gateway.detach_card(draft, key)

    async def find(self, draft: DetachDraft) -> DetachDraft | None:
        """The wish itself, once the Customer no longer keeps the card."""
        kept = await self._gateway.cards_of(draft.customer_id)
        there = any(card.payment_method_id == draft.payment_method_id for card in kept)
        return None if there else draft

    async def succeeded(
        self, operation: Operation, draft: DetachDraft, result: CardSnapshot | DetachDraft
    ) -> str:
        now = self._clock()
        await lock_buyer(draft.buyer_id, now)
        await execute(
            "UPDATE cards SET removed_at = $2, is_default = false "
            "WHERE id = $1 AND removed_at IS NULL",
            draft.card_id,
            now,
        )
        await promote(draft.buyer_id)
        return draft.payment_method_id

    async def rejected(
        self, operation: Operation, draft: DetachDraft, rejection: StripeRejected
    ) -> None:
        """The card stays as it was; whoever asked reads Stripe's list."""
