"""The end of an order that went well: its buyer says so, the session is over, or time has passed."""

from datetime import datetime, timedelta
from typing import Final

import structlog

from marketplace.orders import records, steps
from marketplace.orders.errors import OrderError
from marketplace.orders.fulfilment import (
    is_session,
    require_not_canceling,
    require_not_held,
    require_party,
)
from marketplace.orders.fulfilment_errors import CancellationUnderWay, CompletionTooEarly
from marketplace.orders.order_states import PAID_FOR, after
from marketplace.orders.reading import OrderView, view
from marketplace.orders.records import Actor, OrderRecord
from marketplace.orders.steps import PLATFORM
from payments.database import execute, rows, transaction, value

_PUT_OFF: Final = timedelta(hours=6)
"""When an order that is held, or being canceled, is looked at again."""

_log = structlog.get_logger("marketplace.orders.completion")


class Completion:
    """Use cases of completing an order."""

    async def complete(self, order_id: str, actor: Actor, now: datetime) -> OrderView:
        """The buyer has what they paid for.

        Its buyer may say so once it is paid, of a session once that began; an admin always. Its seller may
        when the buyer's time to object is over, which is when it completes by itself. Raises OrderNotFound,
        OrderStepRefused, CompletionTooEarly, FulfilmentHeld, CancellationUnderWay.
        """
        async with transaction():
            order = await records.lock(order_id)
            require_party(order, actor)
            after(order.status, "completed")
            _require_time(order, actor, now)
            if not actor.decides(order) and actor.account_id != order.buyer_id:
                await _require_not_canceled(order)
            await _complete(order, actor.account_id, now)
        return await view(await records.require(order_id, actor))

    async def complete_due(self, now: datetime, limit: int = 50) -> int:
        """The sweep: what nobody objected to is complete; answers how many were looked at.

        An order whose cancellation was never refunded is not: it rings the alarm.
        """
        due = await rows(
            "SELECT id FROM orders WHERE status IN ('paid', 'shipped') AND completes_at <= $1 "
            "ORDER BY completes_at LIMIT $2",
            now,
            limit,
        )
        for record in due:
            try:
                await self._complete_by_time(record["id"], now)
            except OrderError as refusal:
                _log.info("not complete", order_id=record["id"], why=type(refusal).__name__)
                await _put_off(record["id"], now)
            except Exception:  # noqa: BLE001 - one order must not keep the others waiting
                _log.exception("order cannot be completed", order_id=record["id"], alarm=True)
                await _put_off(record["id"], now)
        return len(due)

    async def _complete_by_time(self, order_id: str, now: datetime) -> None:
        async with transaction():
            order = await records.lock(order_id)
            if order.completes_at is not None and order.completes_at <= now:
                after(order.status, "completed")
                await _require_not_canceled(order)
                await _complete(order, PLATFORM, now, "by time")


async def _complete(
    order: OrderRecord, actor_id: str, now: datetime, reason: str | None = None
) -> None:
    require_not_held(order)
    await require_not_canceling(order)
    await steps.take(order, "completed", actor=actor_id, now=now, reason=reason)


async def _require_not_canceled(order: OrderRecord) -> None:
    """Raise CancellationUnderWay for an order whose buyer still waits for the money of its cancellation.

    Where that refund failed people must ask for it anew: only its buyer or an admin makes a sale of it.
    """
    await require_not_canceling(order)
    asked = await steps.latest(order.id, ["cancellation_asked"])
    if asked is None or asked.to_status not in PAID_FOR:
        return
    refunded = await value(
        "SELECT EXISTS (SELECT FROM refunds "
        "WHERE order_id = $1 AND status = 'succeeded' AND created_at >= $2)",
        order.id,
        asked.occurred_at,
    )
    if not refunded:
        _log.error("a canceled order was never refunded", order_id=order.id, alarm=True)
        raise CancellationUnderWay(order.id)


def _require_time(order: OrderRecord, actor: Actor, now: datetime) -> None:
    if actor.decides(order):
        return
    if actor.account_id == order.buyer_id:
        if is_session(order) and order.session_at is not None and now < order.session_at:
            raise CompletionTooEarly(order.id, "session_ahead", order.session_at)
    elif order.completes_at is None:
        why = "not_scheduled" if is_session(order) else "not_shipped"
        raise CompletionTooEarly(order.id, why, None)
    elif now < order.completes_at:
        raise CompletionTooEarly(order.id, "buyer_may_object", order.completes_at)


async def _put_off(order_id: str, now: datetime) -> None:
    await execute(
        "UPDATE orders SET completes_at = $2 WHERE id = $1 AND completes_at <= $3",
        order_id,
        now + _PUT_OFF,
        now,
    )
