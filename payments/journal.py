"""The rows of the journal: what an operation is, what its kind means, and how one is put in line.

`operations.py` plans and carries them out; `asking.py` asks Stripe and concludes them.
"""

from datetime import datetime
from typing import Any, Protocol

import msgspec

from payments.database import require_transaction, value
from payments.errors import StripeRejected
from payments.gateway import Draft
from payments.ids import IdempotencyKey, OperationId

NO_EFFECT = "no_effect"
"""Our own word, never Stripe's: it was read back, and nothing had come of the request."""


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the journal, as the code reads it."""

    id: OperationId
    kind: str
    subject: str
    order_id: str | None
    idempotency_key: IdempotencyKey
    parameters: str
    state: str
    attempts: int
    first_sent_at: datetime | None
    error_code: str | None
    error_message: str | None


class Performer(Protocol):
    """What one kind of operation means."""

    draft_type: type[Any]

    async def send(self, draft: Any, key: IdempotencyKey) -> Any:
        """Ask Stripe. No transaction is open."""
        ...

    async def find(self, draft: Any) -> Any | None:
        """Read back what a lost answer may have made; None when Stripe knows of nothing."""
        ...

    async def succeeded(self, operation: Operation, draft: Any, result: Any) -> str:
        """Absorb the answer inside the concluding transaction; answers Stripe's id of the result."""
        ...

    async def rejected(self, operation: Operation, draft: Any, rejection: StripeRejected) -> None:
        """Take in Stripe's definite no, inside the concluding transaction."""
        ...


COLUMNS = (
    "id, kind, subject, order_id, idempotency_key, parameters, state, attempts, first_sent_at, "
    "error_code, error_message"
)


async def put_in_line(
    *,
    kind: str,
    subject: str,
    order_id: str | None,
    key: IdempotencyKey,
    draft: Draft,
    operation_id: OperationId,
    due_at: datetime,
    now: datetime,
) -> OperationId:
    """Write an operation down that the sweep carries out, or anybody before it, from `due_at` on.

    Inside the caller's transaction, for what follows from a fact and not from a person's request. The same
    key answers the operation that already exists.
    """
    require_transaction()
    found: str | None = await value(
        "INSERT INTO operations (id, kind, subject, order_id, idempotency_key, parameters, state, "
        "attempts, due_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, 'planned', 0, $7, $8) "
        "ON CONFLICT (idempotency_key) DO NOTHING RETURNING id",
        operation_id,
        kind,
        subject,
        order_id,
        key,
        msgspec.json.encode(draft).decode(),
        due_at,
        now,
    ) or await value("SELECT id FROM operations WHERE idempotency_key = $1", key)
    assert found is not None
    return OperationId(found)


def next_key(key: IdempotencyKey) -> IdempotencyKey:
    """The key of the next try of the same wish: `...:capture:1` becomes `...:capture:2`."""
    wish, _, number = key.rpartition(":")
    return IdempotencyKey(f"{wish}:{int(number) + 1}" if number.isdigit() else f"{key}:2")
