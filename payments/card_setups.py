"""Card setups: a card is saved without a payment, by the buyer's own browser at Stripe (a SetupIntent).

The client secret is passed on to the buyer at once and kept nowhere. An interrupted setup is resumed: asked
again, it is the same SetupIntent until it has succeeded or was canceled.
"""

from datetime import datetime
from typing import Final

import msgspec

from payments.card_gateway import CardGateway, SetupDraft, SetupSnapshot
from payments.card_records import SETUP_COLUMNS, SetupRecord
from payments.customers import lock_buyer
from payments.database import execute, row, transaction
from payments.declines import DeclineReason, reason_of
from payments.errors import CardSetupNotFound, NotSent, StripeRejected
from payments.events import Clock
from payments.ids import IdempotencyKey, OperationId, new_id
from payments.journal import Operation
from payments.operations import Operations

KIND: Final = "create_setup"
SUCCEEDED: Final = "succeeded"
OPEN: Final = ("planned", "requires_payment_method", "requires_confirmation", "requires_action")
_OVER: Final = ("succeeded", "canceled", "refused")


class SetupForBuyer(msgspec.Struct, frozen=True, kw_only=True):
    """What the buyer's browser needs to give a card to Stripe. Stored and logged nowhere."""

    setup_id: str
    stripe_setup_id: str
    client_secret: str
    status: str

    def __repr__(self) -> str:
        """Never shows the client secret."""
        return f"SetupForBuyer({self.setup_id}, {self.status})"


class SetupSeen(msgspec.Struct, frozen=True):
    """How a setup stands, and why the bank did not want it, when it said so."""

    record: SetupRecord
    reason: DeclineReason | None = None


class CardSetups:
    """Use cases of saving a card without a payment. No transaction may be open."""

    def __init__(self, gateway: CardGateway, operations: Operations, clock: Clock) -> None:
        self._gateway = gateway
        self._operations = operations
        self._clock = clock
        operations.register(KIND, CreateSetup(gateway, clock))

    async def begin(self, buyer_id: str, customer_id: str, now: datetime) -> SetupForBuyer:
        """The buyer's open setup, else a new one. Raises StripeRejected, NotSent, OutcomeUnknown."""
        found = await self._begin_once(buyer_id, customer_id, now)
        if found is None:
            # It was over without our knowledge: that is absorbed by now, so this one is new.
            found = await self._begin_once(buyer_id, customer_id, now)
        if found is None:
            raise NotSent("setup_over")
        return found

    async def refresh(self, setup: SetupRecord) -> SetupSeen:
        """Ask Stripe how it stands and absorb the answer. Raises NotSent, OutcomeUnknown."""
        if setup.stripe_setup_id is None:
            return SetupSeen(setup)
        snapshot = await self._gateway.retrieve_setup(setup.stripe_setup_id)
        async with transaction():
            await _absorb(setup.id, snapshot, self._clock())
        reason = None
        if snapshot.decline is not None:
            reason = reason_of(snapshot.decline.code, snapshot.decline.decline_code)
        return SetupSeen(await require_setup(setup.buyer_id, setup.id), reason)

    async def _begin_once(
        self, buyer_id: str, customer_id: str, now: datetime
    ) -> SetupForBuyer | None:
        async with transaction():
            setup_id, operation_id = await self._plan(buyer_id, customer_id, now)
        snapshot: SetupSnapshot | None = await self._operations.carry_out(operation_id)
        if snapshot is None:
            setup = await require_setup(buyer_id, setup_id)
            snapshot = await self._gateway.retrieve_setup(setup.stripe_setup_id or "")
            async with transaction():
                await _absorb(setup_id, snapshot, self._clock())
        if snapshot.status not in OPEN:
            return None
        return SetupForBuyer(
            setup_id=setup_id,
            stripe_setup_id=snapshot.id,
            client_secret=snapshot.client_secret,
            status=snapshot.status,
        )

    async def _plan(
        self, buyer_id: str, customer_id: str, now: datetime
    ) -> tuple[str, OperationId]:
        await lock_buyer(buyer_id, now)
        found = await row(
            "SELECT s.id, o.id AS operation_id FROM card_setups s "
            "JOIN operations o ON o.subject = s.id AND o.kind = $2 "
            "WHERE s.buyer_id = $1 AND s.status = ANY($3) ORDER BY s.id DESC LIMIT 1",
            buyer_id,
            KIND,
            list(OPEN),
        )
        if found is not None:
            return found["id"], OperationId(found["operation_id"])
        setup_id, operation_id = new_id("cst"), OperationId(new_id("op"))
        await execute(
            "INSERT INTO card_setups (id, buyer_id, status, created_at, updated_at) "
            "VALUES ($1, $2, 'planned', $3, $3)",
            setup_id,
            buyer_id,
            now,
        )
        draft = SetupDraft(
            operation_id=operation_id,
            setup_id=setup_id,
            buyer_id=buyer_id,
            customer_id=customer_id,
        )
        planned = await self._operations.plan(
            kind=KIND,
            subject=setup_id,
            order_id=None,
            key=IdempotencyKey(f"setup:{setup_id}:create"),
            draft=draft,
            operation_id=operation_id,
            now=now,
        )
        return setup_id, planned


async def require_setup(buyer_id: str, setup_id: str) -> SetupRecord:
    """The buyer's own setup. Raises CardSetupNotFound for any other."""
    found = await row(
        f"SELECT {SETUP_COLUMNS} FROM card_setups WHERE id = $1 AND buyer_id = $2",
        setup_id,
        buyer_id,
    )
    if found is None:
        raise CardSetupNotFound(setup_id)
    return SetupRecord(**found)


async def find_setup(stripe_setup_id: str, setup_id: str) -> SetupRecord | None:
    """The setup that an event is about."""
    found = await row(
        f"SELECT {SETUP_COLUMNS} FROM card_setups WHERE stripe_setup_id = $1 OR id = $2",
        stripe_setup_id,
        setup_id,
    )
    return None if found is None else SetupRecord(**found)


async def _absorb(setup_id: str, snapshot: SetupSnapshot, now: datetime) -> None:
    """Take the status in; one that is over stays over."""
    await execute(
        "UPDATE card_setups SET stripe_setup_id = coalesce(stripe_setup_id, $2), status = $3, "
        "updated_at = $4 WHERE id = $1 AND status <> ALL($5)",
        setup_id,
        snapshot.id,
        snapshot.status,
        now,
        list(_OVER),
    )


class CreateSetup:
    """Performs the creation of a SetupIntent."""

    draft_type = SetupDraft

    def __init__(self, gateway: CardGateway, clock: Clock) -> None:
        self._gateway, self._clock = gateway, clock

    async def send(self, draft: SetupDraft, key: IdempotencyKey) -> SetupSnapshot:
        return await self._gateway.create_setup(draft, key)

    async def find(self, draft: SetupDraft) -> SetupSnapshot | None:
        return await self._gateway.find_setup(draft)

    async def succeeded(
        self, operation: Operation, draft: SetupDraft, result: SetupSnapshot
    ) -> str:
        await _absorb(draft.setup_id, result, self._clock())
        return result.id

    async def rejected(
        self, operation: Operation, draft: SetupDraft, rejection: StripeRejected
    ) -> None:
        """There is no SetupIntent, and never will be for this one."""
        await execute(
            "UPDATE card_setups SET status = 'refused', updated_at = $2 "
            "WHERE id = $1 AND status = 'planned'",
            draft.setup_id,
            self._clock(),
        )
