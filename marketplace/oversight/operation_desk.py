"""Operations whose outcome is open: admins see them explained, and have them resolved by reading Stripe."""

from datetime import datetime
from typing import Any, Literal

import msgspec
import structlog

from marketplace.messages import outbox
from marketplace.oversight import audit
from marketplace.oversight.errors import OperationBusy, OperationConcluded, OperationNotFound
from marketplace.paging import Page, PageRequest
from marketplace.sellers.profile import checked_reason
from payments import operation_review
from payments.database import transaction
from payments.errors import PaymentsUnavailable, StripeMisconfigured, StripeRejected
from payments.ids import OperationId
from payments.operation_review import OperationFilter
from payments.operation_words import OperationRow
from payments.operations import Operations

Outcome = Literal["succeeded", "rejected", "no_effect", "still_open"]

_log = structlog.get_logger("marketplace.oversight")


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """How a resolution ended, and the operation as it is now."""

    outcome: Outcome
    operation: OperationRow


class OperationDesk:
    """The use cases of admins who look after the journal."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    async def list(self, wanted: OperationFilter, page: PageRequest) -> Page[OperationRow]:
        """Operations, the newest first."""
        found = await operation_review.operations(
            wanted, limit=page.fetched, starting_after=page.starting_after
        )
        return Page.cut(found, page)

    async def require(self, operation_id: str) -> OperationRow:
        """One operation. Raises OperationNotFound."""
        found = await operation_review.operation(operation_id)
        if found is None:
            raise OperationNotFound(operation_id)
        return found

    async def resolve(
        self, operation_id: str, *, actor: str, reason: str, now: datetime
    ) -> Resolved:
        """Ask Stripe now what became of it, and take the answer in.

        When Stripe gives no usable answer it stays open, as before. Raises OperationNotFound,
        OperationConcluded, OperationBusy, ReasonRequired.
        """
        why = checked_reason(reason)
        before = await self.require(operation_id)
        if before.concluded_at is not None:
            raise OperationConcluded(operation_id, before.state)
        await _on_record("operation.resolution_asked", actor, before, None, why, now)
        outcome = await self._ask(operation_id)
        after = await self.require(operation_id)
        await _on_record(f"operation.{outcome}", actor, before, after, why, now)
        return Resolved(outcome=outcome, operation=after)

    async def _ask(self, operation_id: str) -> Outcome:
        try:
            claimed = await self._operations.resolve(OperationId(operation_id))
        except StripeRejected:
            return "rejected"
        except (PaymentsUnavailable, StripeMisconfigured):
            now_is = await self.require(operation_id)
            # A request without effect is concluded, and told to callers as one that was never sent.
            return "still_open" if now_is.concluded_at is None else "no_effect"
        if not claimed:
            raise OperationBusy(operation_id)
        return "succeeded"

    async def watch(self, now: datetime, limit: int) -> int:
        """The sweep: tell admins of operations that stay open, once a day while the oldest is the same."""
        stuck = await operation_review.stuck(now)
        if stuck is None:
            return 0
        oldest = stuck.oldest
        _log.error(
            "operations stay open",
            count=stuck.count,
            oldest=oldest.id,
            kind=oldest.kind,
            alarm=True,
        )
        async with transaction():
            await outbox.tell_admins(
                kind="operations_stuck",
                subject_id=oldest.id,
                cause=f"operation:{oldest.id}:stuck:{now:%Y-%m-%d}",
                facts={
                    "count": stuck.count,
                    "operation_id": oldest.id,
                    "operation": oldest.kind,
                    "asked_at": oldest.created_at,
                    "error_code": oldest.error_code,
                },
                now=now,
            )
        return 0


async def _on_record(
    action: str,
    actor: str,
    before: OperationRow,
    after: OperationRow | None,
    reason: str,
    now: datetime,
) -> None:
    async with transaction():
        await audit.record(
            actor=actor,
            action=action,
            subject=before.id,
            before=_facts(before),
            after=None if after is None else _facts(after),
            reason=reason,
            now=now,
        )


def _facts(operation: OperationRow) -> dict[str, Any]:
    return {
        "kind": operation.kind,
        "order_id": operation.order_id,
        "state": operation.state,
        "attempts": operation.attempts,
        "result_id": operation.result_id,
    }
