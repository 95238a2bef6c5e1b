"""What Stripe is being asked about a payment at this moment, as the journal of operations has it."""

import msgspec

from payments.database import row, value
from payments.gateway import UpdateDraft
from payments.ids import OperationId

CREATE = "create_intent"
UPDATE = "update_intent"
CONFIRM = "confirm_intent"
KEEP_CARD = "keep_card"
CAPTURE = "capture_intent"
CANCEL = "cancel_intent"


async def operation_under_way(payment_id: str, kind: str) -> OperationId | None:
    """The operation of that kind whose outcome is still open."""
    found: str | None = await value(
        "SELECT id FROM operations WHERE subject = $1 AND kind = $2 AND concluded_at IS NULL",
        payment_id,
        kind,
    )
    return None if found is None else OperationId(found)


async def amendment_under_way(payment_id: str) -> UpdateDraft | None:
    """The amount and fee that an update asks for whose outcome is still open."""
    found = await row(
        "SELECT parameters FROM operations "
        "WHERE subject = $1 AND kind = $2 AND concluded_at IS NULL",
        payment_id,
        UPDATE,
    )
    return None if found is None else msgspec.json.decode(found["parameters"], type=UpdateDraft)


async def was_asked_for(payment_id: str, amount: int) -> bool:
    """Whether this payment ever asked Stripe for that amount (minor units), at first or by an update."""
    found = await value(
        "SELECT 1 FROM operations WHERE subject = $1 AND kind = ANY($2) "
        "AND (parameters::jsonb ->> 'amount')::bigint = $3 LIMIT 1",
        payment_id,
        [CREATE, UPDATE],
        amount,
    )
    return found is not None
