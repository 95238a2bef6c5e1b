"""Stripe's Customer of each buyer: made when first needed, one at a time, made anew if Stripe deleted it."""

from datetime import datetime
from typing import Final

import structlog

from payments.card_gateway import CardGateway, CustomerDraft, CustomerSnapshot
from payments.database import execute, row, transaction, value
from payments.errors import NotSent, StripeRejected
from payments.ids import IdempotencyKey, OperationId, new_id
from payments.journal import Operation
from payments.operations import Operations

KIND: Final = "create_customer"

_log = structlog.get_logger("payments.customers")


class Customers:
    """Knows, makes and forgets Customers. No transaction may be open."""

    def __init__(self, gateway: CardGateway, operations: Operations) -> None:
        self._gateway = gateway
        self._operations = operations
        operations.register(KIND, CreateCustomer(gateway))

    async def of(self, buyer_id: str, email: str, now: datetime) -> str:
        """The Customer's id, made now if there is none.

        Raises StripeRejected, NotSent, OutcomeUnknown.
        """
        known = await customer_of(buyer_id)
        if known is not None:
            return known
        async with transaction():
            operation_id = await self._plan(buyer_id, email, now)
        if operation_id is not None:
            await self._operations.carry_out(operation_id)
        made = await customer_of(buyer_id)
        if made is None:
            raise NotSent("customer_gone")  # deleted at Stripe this very moment
        return made

    async def forget_if_deleted(self, buyer_id: str, customer_id: str, now: datetime) -> bool:
        """Ask Stripe whether the Customer is still there; one that was deleted took its cards along.

        Answers whether it was. Raises NotSent, OutcomeUnknown.
        """
        if not (await self._gateway.retrieve_customer(customer_id)).deleted:
            return False
        async with transaction():
            await _forget(buyer_id, customer_id, now)
        _log.warning("a customer was deleted at stripe", buyer_id=buyer_id)
        return True

    async def _plan(self, buyer_id: str, email: str, now: datetime) -> OperationId | None:
        """The creation under way, else a new one; None when another request was faster."""
        if await lock_buyer(buyer_id, now) is not None:
            return None
        open_one: str | None = await value(
            "SELECT id FROM operations WHERE subject = $1 AND kind = $2 AND concluded_at IS NULL",
            buyer_id,
            KIND,
        )
        if open_one is not None:
            return OperationId(open_one)
        operation_id = OperationId(new_id("op"))
        return await self._operations.plan(
            kind=KIND,
            subject=buyer_id,
            order_id=None,
            key=await _next_key(buyer_id),
            draft=CustomerDraft(operation_id=operation_id, buyer_id=buyer_id, email=email),
            operation_id=operation_id,
            now=now,
        )


async def customer_of(buyer_id: str) -> str | None:
    """The buyer's Customer, if there is one."""
    found: str | None = await value(
        "SELECT customer_id FROM buyer_customers WHERE buyer_id = $1", buyer_id
    )
    return found


async def buyer_of(customer_id: str) -> str | None:
    """Whose Customer this is; None for one that this program did not make."""
    found: str | None = await value(
        "SELECT buyer_id FROM buyer_customers WHERE customer_id = $1", customer_id
    )
    return found


async def lock_buyer(buyer_id: str, now: datetime) -> str | None:
    """Lock the row that everything about a buyer's cards goes through; answers their Customer."""
    await execute(
        "INSERT INTO buyer_customers (buyer_id, created_at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        buyer_id,
        now,
    )
    found = await row(
        "SELECT customer_id FROM buyer_customers WHERE buyer_id = $1 FOR UPDATE", buyer_id
    )
    assert found is not None
    customer_id: str | None = found["customer_id"]
    return customer_id


async def _next_key(buyer_id: str) -> IdempotencyKey:
    """A new key after a definite no, and for a Customer after one that was deleted."""
    made = await value(
        "SELECT count(*) FROM operations WHERE subject = $1 AND kind = $2", buyer_id, KIND
    )
    return IdempotencyKey(f"buyer:{buyer_id}:customer" + (f":{made + 1}" if made else ""))


async def _forget(buyer_id: str, customer_id: str, now: datetime) -> None:
    await lock_buyer(buyer_id, now)
    forgotten = await execute(
        "UPDATE buyer_customers SET customer_id = NULL, refresh_at = NULL "
        "WHERE buyer_id = $1 AND customer_id = $2",
        buyer_id,
        customer_id,
    )
    if forgotten:
        await execute(
            "UPDATE cards SET removed_at = $2, is_default = false "
            "WHERE buyer_id = $1 AND removed_at IS NULL",
            buyer_id,
            now,
        )
        await execute(
            "UPDATE card_setups SET status = 'canceled', updated_at = $2 "
            "WHERE buyer_id = $1 AND status NOT IN ('succeeded', 'refused')",
            buyer_id,
            now,
        )


class CreateCustomer:
    """Performs the creation."""

    draft_type = CustomerDraft

    def __init__(self, gateway: CardGateway) -> None:
        self._gateway = gateway

    async def send(self, draft: CustomerDraft, key: IdempotencyKey) -> CustomerSnapshot:
        return await self._gateway.create_customer(draft, key)

    async def find(self, draft: CustomerDraft) -> CustomerSnapshot | None:
        return await self._gateway.find_customer(draft)

    async def succeeded(
        self, operation: Operation, draft: CustomerDraft, result: CustomerSnapshot
    ) -> str:
        await execute(
            "UPDATE buyer_customers SET customer_id = $2 WHERE buyer_id = $1 AND customer_id IS NULL "
            "AND EXISTS (SELECT 1 FROM operations WHERE id = $3 AND concluded_at IS NULL)",
            draft.buyer_id,
            result.id,
            operation.id,
        )
        return result.id

    async def rejected(
        self, operation: Operation, draft: CustomerDraft, rejection: StripeRejected
    ) -> None:
        """There is no Customer; the next one who needs it asks anew."""
