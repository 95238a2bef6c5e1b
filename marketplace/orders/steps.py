"""Moving an order, and the history every move leaves."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from marketplace.orders import order_fees, telling
from marketplace.orders.order_states import Step, after
from marketplace.orders.records import OrderRecord
from payments.database import execute, require_transaction, row, rows
from payments.ids import new_id

STRIPE: Final = "stripe"
"""The actor of what nobody here had asked for."""
PLATFORM: Final = "platform"
"""The actor of what time did."""

_TAKE = """
WITH moved AS (
    UPDATE orders SET status = $3, updated_at = $8, generation = $9
    WHERE id = $2 AND status = $5 RETURNING id
)
INSERT INTO order_steps (id, order_id, position, step, from_status, to_status, actor, reason, occurred_at)
SELECT $1, moved.id, (SELECT count(*) FROM order_steps WHERE order_id = $2), $4, $5, $3, $6, $7, $8
FROM moved
"""
_COLUMNS = "id, step, from_status, to_status, actor, reason, occurred_at"


class StepRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One step of an order's history: what happened, who was behind it, and why."""

    id: str
    step: str
    from_status: str | None
    to_status: str
    actor: str
    reason: str | None
    occurred_at: datetime


async def take(
    order: OrderRecord, step: Step, *, actor: str, now: datetime, reason: str | None = None
) -> OrderRecord:
    """Move the order by `step`, write its history and tell people; answers the order after it.

    What the step is about (a refund, a shipment) has been written by then. The generation that
    `order` says is written with it. The caller holds the order's lock. Raises OrderStepRefused,
    NoTransaction.
    """
    require_transaction()
    status, step_id = after(order.status, step), new_id("stp")
    moved = await execute(
        _TAKE,
        step_id,
        order.id,
        status,
        step,
        order.status,
        actor,
        reason,
        now,
        order.generation,
    )
    assert moved == 1, f"{order.id} was moved by somebody who did not hold its lock"
    order = await order_fees.follow(order, status, now)
    await telling.tell_step(
        order, step, step_id=step_id, from_status=order.status, reason=reason, now=now
    )
    return msgspec.structs.replace(order, status=status, updated_at=now)


async def history(order_id: str) -> list[StepRecord]:
    """Everything that happened to the order, the first step first."""
    found = await rows(
        f"SELECT {_COLUMNS} FROM order_steps WHERE order_id = $1 ORDER BY position", order_id
    )
    return [StepRecord(**record) for record in found]


async def latest(
    order_id: str, among: Sequence[Step], *, reason: str | None = None
) -> StepRecord | None:
    """The last of these steps in the order's history, of those with `reason` if one is given."""
    found = await row(
        f"SELECT {_COLUMNS} FROM order_steps WHERE order_id = $1 AND step = ANY($2::text[]) "
        "AND ($3::text IS NULL OR reason = $3) ORDER BY position DESC LIMIT 1",
        order_id,
        list(among),
        reason,
    )
    return None if found is None else StepRecord(**found)
