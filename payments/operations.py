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
import random
from datetime import datetime, timedelta
from typing import Any, Protocol

import msgspec
import structlog

from payments.database import execute, require_transaction, row, rows, transaction, value
from payments.declines import SELLER_UNAVAILABLE, reason_of
from payments.errors import (
    NotSent,
    OutcomeUnknown,
    PaymentError,
    RequestReused,
    SellerCannotReceive,
    StripeMisconfigured,
    StripeRejected,
)
from payments.events import Clock
from payments.gateway import Draft
from payments.ids import IdempotencyKey, OperationId, new_id

LEASE_SECONDS = 30
"""Longer than a call's whole deadline (20 s), so that a lease expires only when its process is gone."""
_CALL = timedelta(seconds=25)
"""A call's deadline and the time to conclude it."""
KEY_LIFETIME = timedelta(hours=23)
"""Stripe may forget a v1 key after 24 h; an hour before that we read instead of sending."""
FIRST_RETRY_SECONDS = 2
LAST_RETRY_SECONDS = 15 * 60
ALARMING_ATTEMPTS = 10
"""As many are made in about half an hour."""
VISIBLE_AFTER = timedelta(seconds=60)
"""Stripe's lists may lag: what cannot be read sooner than this after the first send may still appear."""
NO_EFFECT = "no_effect"
"""Our own word, never Stripe's: it was read back, and nothing had come of the request."""
WAIT_FOR_OTHER_SECONDS = 4.0
"""How long a caller waits for another process that is already sending the same operation."""
_LONGEST_WORD = 80

_log = structlog.get_logger("payments.operations")


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


_COLUMNS = (
    "id, kind, subject, order_id, idempotency_key, parameters, state, attempts, first_sent_at, "
    "error_code, error_message"
)


class Operations:
    """Plans, carries out and resumes operations of the registered kinds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._performers: dict[str, Performer] = {}
        self._standing: set[str] = set()
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
            f"ON CONFLICT (idempotency_key) DO NOTHING RETURNING {_COLUMNS}",
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
                return await self._run(claimed)
            operation = await self.require(operation_id)
            if operation.state == "succeeded":
                return None
            if operation.state == "rejected":
                raise _no_again(operation)
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
                await self._run(operation)
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
        await self._run(claimed, look_first=before.state in ("unknown", "sending"))
        return True

    @property
    def kinds(self) -> frozenset[str]:
        """Every kind that somebody performs."""
        return frozenset(self._performers)

    async def require(self, operation_id: OperationId) -> Operation:
        """The operation with this id; it must exist."""
        found = await row(f"SELECT {_COLUMNS} FROM operations WHERE id = $1", operation_id)
        assert found is not None, operation_id
        return Operation(**found)

    async def _claim(
        self, operation_id: OperationId, due_before: datetime | None = None
    ) -> Operation | None:
        """Take the lease. The attempt number is the fence: only its holder may conclude."""
        now = self._clock()
        taken = await row(
            "UPDATE operations SET state = 'sending', attempts = attempts + 1, lease_until = $2, "
            "due_at = $2, first_sent_at = coalesce(first_sent_at, $3) "
            "WHERE id = $1 AND concluded_at IS NULL AND (lease_until IS NULL OR lease_until <= $3) "
            f"AND ($4::timestamptz IS NULL OR due_at <= $4) RETURNING {_COLUMNS}",
            operation_id,
            now + timedelta(seconds=LEASE_SECONDS),
            now,
            due_before,
        )
        return None if taken is None else Operation(**taken)

    async def _run(self, operation: Operation, *, look_first: bool = False) -> Any:
        try:
            return await self._ask_and_conclude(operation, look_first)
        except StripeRejected:
            raise
        except Exception as error:
            # No usable answer, or one that could not be taken in: it is asked for again.
            await self._put_off(operation, error)
            raise

    async def _ask_and_conclude(self, operation: Operation, look_first: bool) -> Any:
        performer = self._performers[operation.kind]
        draft = msgspec.json.decode(operation.parameters, type=performer.draft_type)
        try:
            found = await self._look(performer, draft) if look_first else None
            asked = found is None
            result = await self._ask(operation, performer, draft) if asked else found
        except StripeRejected as rejection:
            await self._conclude_rejected(operation, performer, draft, rejection)
            if rejection.code == NO_EFFECT:
                raise NotSent(NO_EFFECT) from rejection
            raise
        async with transaction():
            result_id = await performer.succeeded(operation, draft, result)
            closed = await self._close(
                operation,
                "succeeded",
                result_id=result_id,
                request_id=getattr(result, "request_id", None),
            )
        if not closed:
            self._require_not_rejected(await self.require(operation.id))
        return result

    def _require_not_rejected(self, operation: Operation) -> None:
        """Raise the no that another process (by a wrong clock, say) had concluded before our yes came.

        What was made is known, but stands for nothing any more: nobody may be handed it to pay.
        """
        if operation.state == "rejected":
            _log.error("a yes came after its operation was given up", id=operation.id, alarm=True)
            raise _no_again(operation)

    async def _ask(self, operation: Operation, performer: Performer, draft: Any) -> Any:
        """Send under the frozen key, or read back where sending could do it twice."""
        age = self._clock() - (operation.first_sent_at or self._clock())
        if operation.attempts > 1 and age >= KEY_LIFETIME:
            return await self._read_back(performer, draft, age)
        try:
            return await performer.send(draft, operation.idempotency_key)
        except OutcomeUnknown as error:
            if not error.replayed:
                raise
            # Stripe stored a 5xx under our key and will repeat it: what really happened can only be read.
            return await self._read_back(performer, draft, age)

    async def _look(self, performer: Performer, draft: Any) -> Any | None:
        try:
            return await performer.find(draft)
        except StripeRejected as refusal:
            # A no to looking is no answer about what was asked for.
            raise OutcomeUnknown(f"cannot_look:{refusal.code}") from refusal

    async def _read_back(self, performer: Performer, draft: Any, age: timedelta) -> Any:
        found = await self._look(performer, draft)
        if found is not None:
            return found
        if age < VISIBLE_AFTER:
            raise OutcomeUnknown("not visible at Stripe yet")
        # Stripe knows of nothing: the request had no effect, and a later try needs a new key.
        raise StripeRejected(NO_EFFECT, message="read back: Stripe knows of no such object")

    async def _conclude_rejected(
        self, operation: Operation, performer: Performer, draft: Any, rejection: StripeRejected
    ) -> None:
        renewed = rejection.code == NO_EFFECT and operation.kind in self._standing
        async with transaction():
            if not renewed:
                await performer.rejected(operation, draft, rejection)
            closed = await self._close(
                operation,
                "rejected",
                request_id=rejection.request_id,
                error_code=_word(rejection),
                error_message=rejection.message,
            )
            if renewed and closed:
                await self._renew(operation, draft)

    async def _renew(self, operation: Operation, draft: Any) -> None:
        operation_id = OperationId(new_id("op"))
        await self.plan(
            kind=operation.kind,
            subject=operation.subject,
            order_id=operation.order_id,
            key=next_key(operation.idempotency_key),
            draft=msgspec.structs.replace(draft, operation_id=operation_id),
            operation_id=operation_id,
            now=self._clock(),
        )

    async def _close(
        self,
        operation: Operation,
        state: str,
        *,
        result_id: str | None = None,
        request_id: str | None = None,
        error_code: str | None = None,
        error_message: str | None = None,
    ) -> bool:
        """Conclude, unless another attempt has: performers are idempotent, so that is harmless.

        Answers whether it was this attempt that concluded it.
        """
        closed = await execute(
            "UPDATE operations SET state = $2, concluded_at = $3, due_at = NULL, lease_until = NULL, "
            "result_id = $4, request_id = $5, error_code = $6, error_message = $7 "
            "WHERE id = $1 AND concluded_at IS NULL",
            operation.id,
            state,
            self._clock(),
            result_id,
            request_id,
            error_code,
            error_message,
        )
        return closed == 1

    async def _put_off(self, operation: Operation, error: Exception) -> None:
        """Leave the operation open, if it is: due again after a pause that grows with each attempt."""
        state = "not_sent" if isinstance(error, NotSent) else "unknown"
        pause = min(FIRST_RETRY_SECONDS * 2 ** min(operation.attempts - 1, 10), LAST_RETRY_SECONDS)
        # Jitter (up to a fifth) keeps many put-off operations from coming back in one instant.
        pause_ms = pause * 1000 + random.randrange(pause * 200 + 1)
        await execute(
            "UPDATE operations SET state = $2, lease_until = NULL, due_at = $3, error_code = $4, "
            "request_id = coalesce($5, request_id) "
            "WHERE id = $1 AND concluded_at IS NULL AND attempts = $6",
            operation.id,
            state,
            self._clock() + timedelta(milliseconds=pause_ms),
            _word(error),
            getattr(error, "request_id", None),
            operation.attempts,
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


def _wants_a_person(operation: Operation, error: PaymentError) -> bool:
    """Whether trying again will not help by itself, or has not for half an hour."""
    refused = isinstance(error, StripeRejected)
    stuck = not refused and operation.attempts >= ALARMING_ATTEMPTS
    return stuck or isinstance(error, StripeMisconfigured)


def _word(error: Exception) -> str:
    """What went wrong, in Stripe's or our word for it; at most as long as its column."""
    said = getattr(error, "why", None) or getattr(error, "code", None)
    return said[:_LONGEST_WORD] if isinstance(said, str) else type(error).__name__


def next_key(key: IdempotencyKey) -> IdempotencyKey:
    """The key of the next try of the same wish: `...:capture:1` becomes `...:capture:2`."""
    wish, _, number = key.rpartition(":")
    return IdempotencyKey(f"{wish}:{int(number) + 1}" if number.isdigit() else f"{key}:2")


def _no_again(operation: Operation) -> PaymentError:
    """The no that concluded it, told to whoever asks again."""
    if operation.error_code == NO_EFFECT:
        return NotSent(NO_EFFECT)
    code = operation.error_code or "rejected"
    kind = SellerCannotReceive if reason_of(code, None) == SELLER_UNAVAILABLE else StripeRejected
    return kind(code, message=operation.error_message or "")
