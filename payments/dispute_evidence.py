"""Answering a dispute: evidence is submitted once, or the dispute is given up; both through the journal."""

from datetime import datetime
from typing import Any, Final

from payments.database import lock_order, require_transaction, row, value
from payments.dispute_absorption import DisputeAbsorption
from payments.dispute_gateway import (
    AcceptanceDraft,
    DisputeGateway,
    DisputeSnapshot,
    EvidenceDraft,
)
from payments.dispute_records import ANSWERABLE, CLOSED, COLUMNS, DisputeRecord
from payments.errors import DisputeNotFound, DisputeStepRefused, EvidenceRefused, StripeRejected
from payments.events import Clock
from payments.gateway import Draft
from payments.ids import IdempotencyKey, OperationId, new_id
from payments.journal import Operation
from payments.operations import Operations

EVIDENCE: Final = "dispute_evidence"
ACCEPT: Final = "accept_dispute"

TEXT_FIELDS: Final = frozenset(
    {
        "access_activity_log",
        "billing_address",
        "cancellation_policy_disclosure",
        "cancellation_rebuttal",
        "customer_email_address",
        "customer_name",
        "product_description",
        "refund_policy_disclosure",
        "refund_refusal_explanation",
        "service_date",
        "shipping_address",
        "shipping_carrier",
        "shipping_date",
        "shipping_tracking_number",
        "uncategorized_text",
    }
)
"""Evidence that is text; Stripe's other fields are uploaded files."""
LONGEST_TOGETHER: Final = 150_000
"""Characters of all fields together, Stripe's limit (docs.stripe.com/api/disputes/update)."""


def check_evidence(fields: dict[str, str]) -> None:
    """Refuse what Stripe would not take. Raises EvidenceRefused."""
    unknown = sorted(fields.keys() - TEXT_FIELDS)
    if unknown:
        raise EvidenceRefused("unknown_field", unknown[0])
    if not any(text.strip() for text in fields.values()):
        raise EvidenceRefused("nothing_said", None)
    if sum(map(len, fields.values())) > LONGEST_TOGETHER:
        raise EvidenceRefused("too_long", None)


async def plan_submission(
    operations: Operations, dispute_id: str, fields: dict[str, str], now: datetime
) -> OperationId:
    """See `Disputes.plan_submission`."""
    check_evidence(fields)
    dispute = await _lock(dispute_id)
    under_way = await _under_way(dispute.id, EVIDENCE)
    if under_way is not None:
        return under_way
    overdue = dispute.evidence_due_by is not None and dispute.evidence_due_by <= now
    if dispute.status not in ANSWERABLE or overdue:
        raise DisputeStepRefused("submit_evidence", status="overdue" if overdue else dispute.status)
    operation_id = OperationId(new_id("op"))
    draft = EvidenceDraft(
        operation_id=operation_id,
        dispute_id=dispute.id,
        stripe_dispute_id=dispute.stripe_dispute_id,
        fields=fields,
        submit=True,
    )
    return await _plan_next(operations, EVIDENCE, "evidence", dispute, draft, operation_id, now)


async def plan_acceptance(operations: Operations, dispute_id: str, now: datetime) -> OperationId:
    """See `Disputes.plan_acceptance`."""
    dispute = await _lock(dispute_id)
    under_way = await _under_way(dispute.id, ACCEPT)
    if under_way is not None:
        return under_way
    if dispute.status not in ANSWERABLE or dispute.inquiry:
        raise DisputeStepRefused("accept", status=dispute.status)
    operation_id = OperationId(new_id("op"))
    draft = AcceptanceDraft(
        operation_id=operation_id,
        dispute_id=dispute.id,
        stripe_dispute_id=dispute.stripe_dispute_id,
    )
    return await _plan_next(operations, ACCEPT, "accept", dispute, draft, operation_id, now)


class _OnDispute:
    """What both share: the answer is the dispute itself, so its state tells the outcome."""

    def __init__(
        self, gateway: DisputeGateway, absorption: DisputeAbsorption, clock: Clock
    ) -> None:
        self._gateway, self._absorption, self._clock = gateway, absorption, clock

    async def succeeded(self, operation: Operation, draft: Any, result: DisputeSnapshot) -> str:
        # Transfers this leads to are carried out by the sweep over operations.
        await self._absorption.absorb(operation.order_id or "", result, self._clock())
        return result.id

    async def rejected(self, operation: Operation, draft: Any, rejection: StripeRejected) -> None:
        """The dispute stays as it is; whoever asked is told the no."""


class SubmitEvidence(_OnDispute):
    """Performs the submission."""

    draft_type = EvidenceDraft

    async def send(self, draft: EvidenceDraft, key: IdempotencyKey) -> DisputeSnapshot:
        return await self._gateway.send_evidence(draft, key)

    async def find(self, draft: EvidenceDraft) -> DisputeSnapshot | None:
        snapshot = await self._gateway.retrieve_dispute(draft.stripe_dispute_id)
        return snapshot if snapshot.submissions else None


class AcceptDispute(_OnDispute):
    """Performs the giving up."""

    draft_type = AcceptanceDraft

    async def send(self, draft: AcceptanceDraft, key: IdempotencyKey) -> DisputeSnapshot:
        return await self._gateway.accept_dispute(draft, key)

    async def find(self, draft: AcceptanceDraft) -> DisputeSnapshot | None:
        snapshot = await self._gateway.retrieve_dispute(draft.stripe_dispute_id)
        return snapshot if snapshot.status in CLOSED else None


async def _lock(dispute_id: str) -> DisputeRecord:
    require_transaction()
    order_id = await value("SELECT order_id FROM disputes WHERE id = $1", dispute_id)
    if order_id is None:
        raise DisputeNotFound(dispute_id)
    await lock_order(order_id)
    found = await row(f"SELECT {COLUMNS} FROM disputes WHERE id = $1 FOR UPDATE", dispute_id)
    if found is None:
        raise DisputeNotFound(dispute_id)
    return DisputeRecord(**found)


async def _under_way(dispute_id: str, kind: str) -> OperationId | None:
    found: str | None = await value(
        "SELECT id FROM operations WHERE subject = $1 AND kind = $2 AND concluded_at IS NULL",
        dispute_id,
        kind,
    )
    return None if found is None else OperationId(found)


async def _plan_next(
    operations: Operations,
    kind: str,
    word: str,
    dispute: DisputeRecord,
    draft: Draft,
    operation_id: OperationId,
    now: datetime,
) -> OperationId:
    """A new key for each submission: what came before it was refused, or was for an earlier stage."""
    number = 1 + await value(
        "SELECT count(*) FROM operations WHERE subject = $1 AND kind = $2", dispute.id, kind
    )
    return await operations.plan(
        kind=kind,
        subject=dispute.id,
        order_id=dispute.order_id,
        key=IdempotencyKey(f"dispute:{dispute.id}:{word}:{number}"),
        draft=draft,
        operation_id=operation_id,
        now=now,
    )
