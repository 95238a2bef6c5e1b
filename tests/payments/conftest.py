"""Payments on a real database with the fake gateway: an order by its id only, and a till that remembers."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest_asyncio

from payments import ledger
from payments.database import engine, execute, lock_order, rows, transaction
from payments.events import PaymentEvent
from payments.gateway import CaptureMethod
from payments.ids import OperationId, new_id
from payments.inbox import Inbox
from payments.lifecycle import DestinationCharge, IntentForBuyer, Payments
from payments.operations import Operations
from payments.records import PaymentRecord, RefundRecord
from payments.refund_policy import RefundPolicy
from payments.refunds import Refunds
from payments.transfers import Transfers
from tests.clocks import MovedClock
from tests.fakes import FakeGateway
from tests.payments.fake_transfers import FakeTransfers


class Till:
    """Everything payments is, over the fake gateway; `told` is what the order above would have heard."""

    def __init__(self) -> None:
        self.clock = MovedClock()
        self.gateway = FakeGateway(self.clock)
        self.told: list[PaymentEvent] = []
        operations = Operations(self.clock)
        self.operations = operations
        self.payments = Payments(self.gateway, operations, self.hear, self.clock)
        self.refunds = Refunds(self.gateway, operations, self.hear, self.clock)
        self.stripe_transfers = FakeTransfers(self.gateway)
        self.transfers = Transfers(
            self.stripe_transfers, self.gateway, operations, self.hear, self.clock
        )
        self.inbox = Inbox(self.payments, live=False, clock=self.clock)

    async def hear(self, event: PaymentEvent) -> None:
        self.told.append(event)

    def heard(self) -> list[str]:
        return [type(event).__name__ for event in self.told]

    async def plan(self, order_id: str, **changes: Any) -> OperationId:
        facts: dict[str, Any] = {
            "order_id": order_id,
            "seller_id": "sel_1",
            "generation": 1,
            "amount": 6000,
            "currency": "eur",
            "application_fee": 600,
            "destination": "acct_1",
            "capture_method": "automatic",
            "receipt_email": "buyer@example.com",
            "description": "an order",
        }
        async with transaction():
            await lock_order(order_id)
            alive = await self.payments.creation_of_live(order_id)
            if alive is not None:
                return alive
            return await self.payments.plan_intent(
                DestinationCharge(**(facts | changes)), self.clock()
            )

    async def open(self, order_id: str, **changes: Any) -> IntentForBuyer:
        return await self.payments.open_intent(order_id, await self.plan(order_id, **changes))

    async def paid(self, order_id: str, **changes: Any) -> PaymentRecord:
        """An order paid in full, and known to be."""
        intent = await self.open(order_id, **changes)
        self.gateway.pay(intent.intent_id)
        return await self.payments.refresh(order_id)

    async def capture(self, order_id: str, amount: int = 6000, fee: int = 600) -> None:
        async with transaction():
            await lock_order(order_id)
            operation_id = await self.payments.plan_capture(
                order_id, amount=amount, application_fee=fee, now=self.clock()
            )
        await self.payments.carry_out(operation_id)

    async def refund(
        self,
        order_id: str,
        amount: int | None = None,
        key: str | None = None,
        policy: RefundPolicy | None = None,
    ) -> RefundRecord:
        async with transaction():
            planned = await self.refunds.plan(
                order_id,
                amount=amount,
                reason=None,
                requested_by="acc_1",
                idempotency_key=key or new_id("key"),
                now=self.clock(),
                policy=policy,
            )
        return await self.refunds.carry_out(planned)

    async def sweep(self) -> None:
        """What the worker does with operations, until none is due."""
        while await self.operations.resume_due(self.clock(), 50):
            pass


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def started(database_url: str) -> AsyncIterator[None]:
    await engine().start(database_url, pool_size=20)
    # Payments knows orders by id only; the references upward are other storeys' rows.
    await _forget_the_storeys_above()
    yield
    await engine().stop()


async def _forget_the_storeys_above() -> None:
    await execute("ALTER TABLE payments DROP CONSTRAINT payments_order_id_exists")
    for table in ("buyer_customers", "cards", "card_setups"):
        await execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_buyer_id_exists")
    await execute("ALTER TABLE debts DROP CONSTRAINT debts_seller_id_exists")


@pytest_asyncio.fixture(loop_scope="session")
async def till() -> Till:
    return Till()


@pytest_asyncio.fixture(loop_scope="session")
async def order_id() -> str:
    return new_id("ord")


async def postings(order_id: str) -> list[tuple[str, str, str, int]]:
    """The order's postings as (kind, source, target, amount), oldest first."""
    found = await rows(
        "SELECT kind, source, target, amount FROM postings WHERE order_id = $1 ORDER BY id",
        order_id,
    )
    return sorted(tuple(record) for record in found)


async def balances_of(order_id: str) -> dict[str, int]:
    """What each account holds because of this order."""
    found: dict[str, int] = {}
    for _, source, target, amount in await postings(order_id):
        found[source] = found.get(source, 0) - amount
        found[target] = found.get(target, 0) + amount
    return found


async def at_once(*tasks: Any) -> list[Any]:
    """Everything at the same time; exceptions are answers too."""
    return list(await asyncio.gather(*tasks, return_exceptions=True))


__all__ = ["CaptureMethod", "Till", "at_once", "balances_of", "datetime", "ledger", "postings"]
