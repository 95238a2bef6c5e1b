"""The journal of everything asked of Stripe: written down before it is asked, concluded once.

Every request runs in three steps (docs/decisions/0005):

1. `plan`, inside the caller's transaction: the row with its idempotency key and frozen parameters.
2. The call, with no transaction open, under a lease, so that two processes never send at once.
3. One transaction concludes the row and, through the kind's performer, absorbs the answer.

`carry_out` runs 2 and 3; the sweep (`resume_due`) runs the very same code for operations whose process
died or whose answer got lost. Four outcomes:

- *succeeded* and *rejected* conclude the operation. After a definite no, a new try is a new operation with
  a new key: the old key would replay the no.
- *not_sent* (Stripe certainly did nothing) and *unknown* (it may have) are tried again under the same key.
  Once the key may have been pruned at Stripe (23 h), or a stored 5xx came back, only reading Stripe helps:
  `performer.find`. What is found is adopted; nothing is ever sent blindly a second time. What is proven
  to have had no effect is concluded, and planned anew under the next key where the wish still stands.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import msgspec
import structlog

from payments.asking import Asking, no_again, require
from payments.database import require_transaction, row, rows
from payments.errors import (
    NotSent,
    PaymentError,
    RequestReused,
    StripeMisconfigured,
    StripeRejected,
)
from payments.events import Clock
from payments.gateway import Draft
from payments.ids import IdempotencyKey, OperationId
from payments.journal import COLUMNS, Operation, Performer

LEASE_SECONDS = 30
"""Longer than a call's whole deadline (20 s), so that a lease expires only when its process is gone."""
_CALL = timedelta(seconds=25)
"""A call's deadline and the time to conclude it."""
ALARMING_ATTEMPTS = 10
"""As many are made in about half an hour."""
WAIT_FOR_OTHER_SECONDS = 4.0
"""How long a caller waits for another process that is already sending the same operation."""

_log = structlog.get_logger("payments.operations")


class Operations:
    """Plans, carries out and resumes operations of the registered kinds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._performers: dict[str, Performer] = {}
        self._standing: set[str] = set()
        self._asking = Asking(self._performers, self._standing, self.plan, clock)
        # Planned here and leased to this process until then, oldest first.
        self._held: dict[OperationId, tuple[datetime, Operation]] = {}

    def register(self, kind: str, performer: Performer, *, standing: bool = False) -> None:
        """Say who performs operations of `kind`; each kind once.

        A `standing` wish outlives a request that had no effect: it is planned anew, and `rejected` is
        told only of Stripe's own no.
        """
        assert kind not in self._performers, kind
        self._performers[kind] = performer
        if standing:
            self._standing.add(kind)

    async def plan(
        self,
        *,
        kind: str,
        subject: str,
        order_id: str | None,
        key: IdempotencyKey,
        draft: Draft,
        operation_id: OperationId,
        now: datetime,
    ) -> OperationId:
        """Write the operation down, inside the caller's transaction, and answer its id.

        It is born leased to this process, which spares `carry_out` a commit; should the process die
        before that, the sweep finds it when the lease is over. The same key with the same draft answers
        the operation that already exists (drafts carry their operation's id, which is left out of the
        comparison). Raises RequestReused when the draft differs.
        """
        require_transaction()
        assert kind in self._performers, kind
        parameters = msgspec.json.encode(draft).decode()
        # `now` is when the caller began: it may have asked Stripe about the seller since.
        planned_at = self._clock()
        lease_until = planned_at + timedelta(seconds=LEASE_SECONDS)
        created = await row(
            "INSERT INTO operations (id, kind, subject, order_id, idempotency_key, parameters, state, "
            "attempts, lease_until, due_at, first_sent_at, created_at) "
            "VALUES ($1, $2, $3, $4, $5, $6, 'planned', 1, $7, $7, $8, $8) "
            f"ON CONFLICT (idempotency_key) DO NOTHING RETURNING {COLUMNS}",
            operation_id,
            kind,
            subject,
            order_id,
            key,
            parameters,
            lease_until,
            now,
        )
        if created is not None:
            self._hold(Operation(**created), lease_until, planned_at)
            return operation_id
        existing = await row(
            "SELECT id, parameters FROM operations WHERE idempotency_key = $1", key
        )
        assert existing is not None
        if not self._same(kind, existing["parameters"], draft):
            raise RequestReused(key)
        return OperationId(existing["id"])

    def _hold(self, operation: Operation, lease_until: datetime, now: datetime) -> None:
        """Remember the lease; those whose transaction was undone are forgotten when it is over."""
        while self._held:
            oldest = next(iter(self._held))
            if self._held[oldest][0] > now:
                break
            del self._held[oldest]
        self._held[operation.id] = (lease_until, operation)

    def _leased(self, operation_id: OperationId) -> Operation | None:
        """The operation planned here, once, while its lease still covers a whole call."""
        held = self._held.pop(operation_id, None)
        if held is None or held[0] - self._clock() < _CALL:
            return None
        return held[1]

    def _same(self, kind: str, parameters: str, draft: Draft) -> bool:
        stored = msgspec.json.decode(parameters, type=self._performers[kind].draft_type)
        return bool(
            msgspec.structs.replace(stored, operation_id="")
            == msgspec.structs.replace(draft, operation_id="")
        )

    async def carry_out(self, operation_id: OperationId) -> Any:
        """Send the operation and conclude it; an operation that is concluded answers again as it ended.

        Answers Stripe's result when this very call sent it, else None. While another process sends it,
        waits for that process's conclusion. Raises StripeRejected (or a kind of it), NotSent,
        OutcomeUnknown or StripeMisconfigured.
        """
        waited = 0.0
        while True:
            claimed = self._leased(operation_id) or await self._claim(operation_id)
            if claimed is not None:
                return await self._asking.run(claimed)
            operation = await self.require(operation_id)
            if operation.state == "succeeded":
                return None
            if operation.state == "rejected":
                raise no_again(operation)
            if waited >= WAIT_FOR_OTHER_SECONDS:
                raise NotSent("another process is sending this")
            pause = 0.02 + waited / 4
            await asyncio.sleep(pause)
            waited += pause

    async def resume_due(self, now: datetime, limit: int = 50) -> int:
        """Carry out operations nobody finished; answers how many were tried.

        What is still open afterwards is put off with growing pauses; it never stops the sweep.
        """
        due = await rows(
            "SELECT id FROM operations WHERE due_at <= $1 ORDER BY due_at LIMIT $2", now, limit
        )
        tried = 0
        for record in due:
            operation = await self._claim(OperationId(record["id"]), due_before=now)
            if operation is None:
                continue
            tried += 1
            try:
                await self._asking.run(operation)
            except PaymentError as error:
                _log.warning(
                    "operation still open or refused",
                    operation_id=operation.id,
                    kind=operation.kind,
                    outcome=type(error).__name__,
                    alarm=_wants_a_person(operation, error),
                )
            except Exception:  # noqa: BLE001 - what one order cannot take in must not stop the others
                _log.exception(
                    "operation could not be concluded",
                    operation_id=operation.id,
                    kind=operation.kind,
                    alarm=True,
                )
        return tried

    async def resolve(self, operation_id: OperationId) -> bool:
        """Find the outcome out now: an operation that may have had an effect is looked for at Stripe first.

        What is found is adopted. What is not found is sent under its key while Stripe knows that key, and
        concluded as without effect afterwards. Answers False when there is nothing to do: it is concluded,
        or another process has it. Raises what `carry_out` does.
        """
        before = await self.require(operation_id)
        claimed = await self._claim(operation_id)
        if claimed is None:
            return False
        await self._asking.run(claimed, look_first=before.state in ("unknown", "sending"))
        return True

    @property
    def kinds(self) -> frozenset[str]:
        """Every kind that somebody performs."""
        return frozenset(self._performers)

    async def require(self, operation_id: OperationId) -> Operation:
        """The operation with this id; it must exist."""
        return await require(operation_id)

    async def _claim(
        self, operation_id: OperationId, due_before: datetime | None = None
    ) -> Operation | None:
        """Take the lease. The attempt number is the fence: only its holder may conclude."""
        now = self._clock()
        taken = await row(
            "UPDATE operations SET state = 'sending', attempts = attempts + 1, lease_until = $2, "
            "due_at = $2, first_sent_at = coalesce(first_sent_at, $3) "
            "WHERE id = $1 AND concluded_at IS NULL AND (lease_until IS NULL OR lease_until <= $3) "
            f"AND ($4::timestamptz IS NULL OR due_at <= $4) RETURNING {COLUMNS}",
            operation_id,
            now + timedelta(seconds=LEASE_SECONDS),
            now,
            due_before,
        )
        return None if taken is None else Operation(**taken)


def _wants_a_person(operation: Operation, error: PaymentError) -> bool:
    """Whether trying again will not help by itself, or has not for half an hour."""
    refused = isinstance(error, StripeRejected)
    stuck = not refused and operation.attempts >= ALARMING_ATTEMPTS
    return stuck or isinstance(error, StripeMisconfigured)
