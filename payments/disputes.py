"""Disputes: a buyer's bank takes the money back from the platform, and evidence may win it again.

Stripe owns a dispute. An event, a sweep and the answer to our evidence all end in `absorb`: what Stripe
shows is read, merged, booked and announced, and the seller's side follows. The platform is debited first,
whoever is to bear it, so the seller's share is taken back from their transfer when the money leaves
(policy `reverse`) or only when the dispute is lost (`reserve`, until then a line in the books), and sent
again when the dispute is won. Refunds are refused meanwhile (`refunds.py`): the same money is never debited
twice.

Source: docs.stripe.com/connect/disputes and docs.stripe.com/api/disputes.
"""

import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from payments.database import row, rows, transaction
from payments.dispute_absorption import DisputeAbsorption
from payments.dispute_evidence import (
    ACCEPT,
    EVIDENCE,
    AcceptDispute,
    SubmitEvidence,
    plan_acceptance,
    plan_submission,
)
from payments.dispute_gateway import DisputeGateway, DisputeSnapshot
from payments.dispute_records import COLUMNS, DisputeRecord
from payments.errors import DisputeNotFound, PaymentError, PaymentNotFound
from payments.events import Clock
from payments.gateway import PaymentGateway
from payments.ids import IntentId, OperationId
from payments.inbox import Notice
from payments.operations import Operations
from payments.records import COLUMNS as PAYMENT_COLUMNS
from payments.records import PaymentRecord

READ_EVERY = timedelta(hours=1)
"""An open dispute whose closing event got lost is known closed within this."""
DISCOVER_BACK = timedelta(days=3)
"""How far the list of disputes is read for those whose every event got lost; Stripe retries as long."""

_log = structlog.get_logger("payments.disputes")


class Disputes:
    """The use cases of disputes."""

    def __init__(
        self,
        gateway: DisputeGateway,
        intents: PaymentGateway,
        operations: Operations,
        absorption: DisputeAbsorption,
        clock: Clock,
    ) -> None:
        self._gateway = gateway
        self._intents = intents
        self._operations = operations
        self._clock = clock
        self._absorption = absorption
        operations.register(EVIDENCE, SubmitEvidence(gateway, absorption, clock))
        operations.register(ACCEPT, AcceptDispute(gateway, absorption, clock))

    async def take_notices(self, notices: Sequence[Notice]) -> None:
        """The inbox's handler of `charge.dispute.*`: read the dispute that is named, and absorb it.

        Raises PaymentNotFound while its payment is unknown here, and what the gateway raises.
        """
        stripe_ids = {notice.object_id for notice in notices if notice.object_id}
        for stripe_id in sorted(stripe_ids):
            await self.refresh(stripe_id)

    async def refresh(self, stripe_dispute_id: str) -> None:
        """Ask Stripe how the dispute stands, and take it in with all that follows.

        One about another program's charge is passed over. Raises PaymentNotFound for a charge of ours
        that is not known yet, NotSent, OutcomeUnknown.
        """
        asked_at = self._clock()
        snapshot = await self._gateway.retrieve_dispute(stripe_dispute_id)
        await self.take(snapshot, asked_at)

    async def take(self, snapshot: DisputeSnapshot, asked_at: datetime) -> None:
        """Absorb a snapshot that was asked for at `asked_at`; then move the seller's side."""
        payment = await self._payment_of(snapshot)
        if payment is None:
            return
        async with transaction():
            moves = await self._absorption.absorb(payment.order_id, snapshot, asked_at)
        for operation_id in moves:
            # What Stripe does not take now is carried out by the sweep over operations.
            with contextlib.suppress(PaymentError):
                await self._operations.carry_out(operation_id)

    async def refresh_due(self, now: datetime, limit: int = 50) -> int:
        """The sweep over open disputes; answers how many were read.

        The verdict is always Stripe's: a dispute whose closing event never came is read, not guessed.
        """
        due = await rows(
            "UPDATE disputes SET checked_at = $1 WHERE id IN ("
            "  SELECT id FROM disputes WHERE closed_at IS NULL AND checked_at < $2 "
            "  ORDER BY checked_at LIMIT $3 FOR UPDATE SKIP LOCKED) RETURNING stripe_dispute_id",
            now,
            now - READ_EVERY,
            limit,
        )
        for record in due:
            await self._refresh_quietly(record["stripe_dispute_id"])
        return len(due)

    async def discover(self, now: datetime, limit: int = 100) -> int:
        """The sweep for disputes nobody told us of: reads Stripe's list, answers how many were new."""
        asked_at = self._clock()
        try:
            seen = [one async for one in self._gateway.disputes(since=now - DISCOVER_BACK)][:limit]
        except PaymentError as error:
            _log.warning("list of disputes could not be read", error=type(error).__name__)
            return 0
        known = await rows(
            "SELECT stripe_dispute_id FROM disputes WHERE stripe_dispute_id = ANY($1::text[])",
            [one.id for one in seen],
        )
        known_ids = {record["stripe_dispute_id"] for record in known}
        unknown = [one for one in seen if one.id not in known_ids]
        for one in unknown:
            _log.warning("a dispute nobody told us of", stripe_dispute_id=one.id)
            with contextlib.suppress(PaymentError):  # it is found again an hour later
                await self.take(one, asked_at)
        return len(unknown)

    async def plan_submission(
        self, dispute_id: str, fields: dict[str, str], now: datetime
    ) -> OperationId:
        """Write the submission of evidence down, in the caller's transaction; the bank is told once.

        Raises DisputeNotFound, DisputeStepRefused when it is closed, submitted or overdue.
        """
        return await plan_submission(self._operations, dispute_id, fields, now)

    async def plan_acceptance(self, dispute_id: str, now: datetime) -> OperationId:
        """Write down that the dispute is given up, in the caller's transaction.

        Raises DisputeNotFound, DisputeStepRefused when it is closed or only an inquiry.
        """
        return await plan_acceptance(self._operations, dispute_id, now)

    async def carry_out(self, operation_id: OperationId) -> None:
        """Tell Stripe, and take in what it answers. Raises StripeRejected, NotSent, OutcomeUnknown."""
        await self._operations.carry_out(operation_id)

    async def require(self, dispute_id: str) -> DisputeRecord:
        """The dispute with our id. Raises DisputeNotFound."""
        found = await row(f"SELECT {COLUMNS} FROM disputes WHERE id = $1", dispute_id)
        if found is None:
            raise DisputeNotFound(dispute_id)
        return DisputeRecord(**found)

    async def of_order(self, order_id: str) -> list[DisputeRecord]:
        """Every dispute of the order, oldest first."""
        found = await rows(
            f"SELECT {COLUMNS} FROM disputes WHERE order_id = $1 ORDER BY id", order_id
        )
        return [DisputeRecord(**record) for record in found]

    async def _refresh_quietly(self, stripe_dispute_id: str) -> None:
        try:
            await self.refresh(stripe_dispute_id)
        except PaymentError as error:
            _log.warning(
                "dispute could not be refreshed",
                stripe_dispute_id=stripe_dispute_id,
                error=type(error).__name__,
            )
        except Exception:  # noqa: BLE001 - what one order cannot take in must not stop the others
            _log.exception(
                "dispute could not be absorbed", stripe_dispute_id=stripe_dispute_id, alarm=True
            )

    async def _payment_of(self, snapshot: DisputeSnapshot) -> PaymentRecord | None:
        """The payment the dispute is about; None when it is another program's.

        Raises PaymentNotFound when Stripe says it is ours and we do not know it yet.
        """
        found = await row(
            f"SELECT {PAYMENT_COLUMNS} FROM payments WHERE charge_id = $1 OR intent_id = $2 LIMIT 1",
            snapshot.charge_id,
            snapshot.intent_id,
        )
        if found is not None:
            return PaymentRecord(**found)
        if snapshot.intent_id is not None:
            intent = await self._intents.retrieve_intent(IntentId(snapshot.intent_id))
            if intent.payment_id is not None:
                raise PaymentNotFound(snapshot.intent_id)
        return None
