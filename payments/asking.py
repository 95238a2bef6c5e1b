"""Asking Stripe for one operation that this process has the lease of, and concluding it.

The call has no transaction open; the conclusion is one. See `operations.py` for what the outcomes mean.
"""

import random
from collections.abc import Awaitable, Callable, Mapping, Set
from datetime import timedelta
from typing import Any

import msgspec
import structlog

from payments.database import execute, row, transaction
from payments.declines import SELLER_UNAVAILABLE, reason_of
from payments.errors import (
    NotSent,
    OutcomeUnknown,
    PaymentError,
    SellerCannotReceive,
    StripeRejected,
)
from payments.events import Clock
from payments.ids import OperationId, new_id
from payments.journal import COLUMNS, NO_EFFECT, Operation, Performer, next_key

KEY_LIFETIME = timedelta(hours=23)
"""Stripe may forget a v1 key after 24 h; an hour before that we read instead of sending."""
FIRST_RETRY_SECONDS = 2
LAST_RETRY_SECONDS = 15 * 60
VISIBLE_AFTER = timedelta(seconds=60)
"""Stripe's lists may lag: what cannot be read sooner than this after the first send may still appear."""
_LONGEST_WORD = 80

_log = structlog.get_logger("payments.operations")


class Asking:
    """Sends, reads back and concludes. `plan` writes a standing wish down anew."""

    def __init__(
        self,
        performers: Mapping[str, Performer],
        standing: Set[str],
        plan: Callable[..., Awaitable[OperationId]],
        clock: Clock,
    ) -> None:
        self._performers, self._standing = performers, standing
        self._plan, self._clock = plan, clock

    async def run(self, operation: Operation, *, look_first: bool = False) -> Any:
        """Ask, or with `look_first` look what came of it, and conclude. Raises what `carry_out` does."""
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
            self._require_not_rejected(await require(operation.id))
        return result

    def _require_not_rejected(self, operation: Operation) -> None:
        """Raise the no that another process (by a wrong clock, say) had concluded before our yes came.

        What was made is known, but stands for nothing any more: nobody may be handed it to pay.
        """
        if operation.state == "rejected":
            _log.error("a yes came after its operation was given up", id=operation.id, alarm=True)
            raise no_again(operation)

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
        await self._plan(
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


async def require(operation_id: OperationId) -> Operation:
    """The operation with this id; it must exist."""
    found = await row(f"SELECT {COLUMNS} FROM operations WHERE id = $1", operation_id)
    assert found is not None, operation_id
    return Operation(**found)


def _word(error: Exception) -> str:
    """What went wrong, in Stripe's or our word for it; at most as long as its column."""
    said = getattr(error, "why", None) or getattr(error, "code", None)
    return said[:_LONGEST_WORD] if isinstance(said, str) else type(error).__name__


def no_again(operation: Operation) -> PaymentError:
    """The no that concluded it, told to whoever asks again."""
    if operation.error_code == NO_EFFECT:
        return NotSent(NO_EFFECT)
    code = operation.error_code or "rejected"
    kind = SellerCannotReceive if reason_of(code, None) == SELLER_UNAVAILABLE else StripeRejected
    return kind(code, message=operation.error_message or "")
