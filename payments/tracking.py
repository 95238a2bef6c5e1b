"""Carrier and tracking number of a parcel, written to Stripe's Charge: a dispute is answered with them.

It is a note beside the money: when Stripe does not take it now, shipping goes on and the journal carries it
out later. A correction may overtake the note it corrects; then the earlier one is given up, never written
over the later one.
"""

from typing import Protocol

import msgspec
import structlog

from payments.database import require_transaction, row, rows
from payments.errors import NotSent, PaymentError, StripeRejected
from payments.events import Clock
from payments.gateway import Draft, Shipping
from payments.ids import IdempotencyKey, OperationId, new_id
from payments.journal import Operation
from payments.operations import Operations

WRITE = "write_tracking"
SUPERSEDED = "superseded"
"""Our own word, never Stripe's: a later correction stands."""

_log = structlog.get_logger("payments.tracking")


class TrackingDraft(Draft, frozen=True, kw_only=True):
    """What to write to the charge; each correction is one `revision` more."""

    operation_id: OperationId
    revision: int
    charge_id: str
    to: Shipping
    carrier: str
    tracking_number: str


class TrackingWritten(msgspec.Struct, frozen=True, kw_only=True):
    """What Stripe shows of a charge's parcel."""

    charge_id: str
    carrier: str | None
    tracking_number: str | None
    request_id: str | None


class TrackingGateway(Protocol):
    """Stripe, as tracking needs it. Raises what every port of payments raises."""

    async def write_tracking(self, draft: TrackingDraft, key: IdempotencyKey) -> TrackingWritten:
        """Write it to the charge, over what was there."""
        ...

    async def read_tracking(self, charge_id: str) -> TrackingWritten:
        """What the charge shows now."""
        ...


class Tracking:
    """The use case of telling Stripe how a parcel travels."""

    def __init__(self, gateway: TrackingGateway, operations: Operations, clock: Clock) -> None:
        self._operations, self._clock = operations, clock
        operations.register(WRITE, _WriteTracking(gateway), standing=True)

    async def plan(
        self, order_id: str, *, to: Shipping, carrier: str, tracking_number: str
    ) -> OperationId | None:
        """Write it down inside the caller's transaction, who holds the order's lock.

        None when the order has no charge that was captured. Each call is one more correction.
        """
        require_transaction()
        charge = await row(
            "SELECT p.id, p.charge_id, (SELECT coalesce(max((o.parameters::json->>'revision')::int), 0) "
            "  FROM operations o WHERE o.subject = p.id AND o.kind = $2) AS revision "
            "FROM payments p WHERE p.order_id = $1 AND p.live AND p.amount_captured > 0",
            order_id,
            WRITE,
        )
        if charge is None or charge["charge_id"] is None:
            return None
        operation_id, revision = OperationId(new_id("op")), charge["revision"] + 1
        return await self._operations.plan(
            kind=WRITE,
            subject=charge["id"],
            order_id=order_id,
            key=IdempotencyKey(f"order:{order_id}:tracking:{revision}:1"),
            draft=TrackingDraft(
                operation_id=operation_id,
                revision=revision,
                charge_id=charge["charge_id"],
                to=to,
                carrier=carrier,
                tracking_number=tracking_number,
            ),
            operation_id=operation_id,
            now=self._clock(),
        )

    async def carry_out(self, operation_id: OperationId) -> None:
        """Tell Stripe now if it listens; whatever it answers, the parcel is on its way."""
        try:
            await self._operations.carry_out(operation_id)
        except PaymentError as error:
            _log.warning(
                "tracking is not at Stripe yet",
                operation_id=operation_id,
                outcome=type(error).__name__,
            )


class _WriteTracking:
    """Performs the note, in the order in which notes were made."""

    draft_type = TrackingDraft

    def __init__(self, gateway: TrackingGateway) -> None:
        self._gateway = gateway

    async def send(self, draft: TrackingDraft, key: IdempotencyKey) -> TrackingWritten:
        if await _superseded(draft):
            raise StripeRejected(SUPERSEDED)
        return await self._gateway.write_tracking(draft, key)

    async def find(self, draft: TrackingDraft) -> TrackingWritten | None:
        shown = await self._gateway.read_tracking(draft.charge_id)
        theirs = (shown.carrier, shown.tracking_number)
        # A later note is what the charge should show: nothing of this one is left to be done.
        done = theirs == (draft.carrier, draft.tracking_number) or await _superseded(draft)
        return shown if done else None

    async def succeeded(
        self, operation: Operation, draft: TrackingDraft, result: TrackingWritten
    ) -> str:
        return result.charge_id

    async def rejected(
        self, operation: Operation, draft: TrackingDraft, rejection: StripeRejected
    ) -> None:
        """Nothing depends on it; the journal keeps Stripe's no."""


async def _superseded(draft: TrackingDraft) -> bool:
    """Whether a later note stands. Raises NotSent while an earlier one may be on the wire."""
    others = await rows(
        "SELECT (o.parameters::json->>'revision')::int > $3 AS later FROM operations o "
        "JOIN operations mine ON mine.id = $1 AND mine.subject = o.subject "
        "WHERE o.kind = $2 AND ((o.parameters::json->>'revision')::int > $3 "
        "  OR ((o.parameters::json->>'revision')::int < $3 AND o.concluded_at IS NULL "
        "      AND o.state IN ('planned', 'sending')))",
        draft.operation_id,
        WRITE,
        draft.revision,
    )
    if any(other["later"] for other in others):
        return True
    if others:
        raise NotSent("an earlier note is on its way")
    return False
