"""Sessions with a coach: when they take place, and what becomes of the order when somebody did not come.

The seller sets the time and may move it. Without the buyer the session is done, and nothing is given back;
without the seller the order is canceled and all of it is.
"""

from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import msgspec

from marketplace.orders import records, steps
from marketplace.orders.cancellation import Cancellation
from marketplace.orders.errors import SellerOnly
from marketplace.orders.fulfilment import (
    require_not_canceling,
    require_not_held,
    require_party,
    require_seller,
    require_session,
)
from marketplace.orders.fulfilment_errors import SessionNotStarted, SessionTimeRefused
from marketplace.orders.order_states import after
from marketplace.orders.reading import OrderView, view
from marketplace.orders.records import Actor, OrderRecord
from marketplace.sellers.cancellation_windows import TIME_TO_OBJECT
from payments.database import execute, transaction
from payments.refunds import PlannedRefund

SHORTEST: Final = timedelta(minutes=5)
LONGEST: Final = timedelta(hours=24)
NOTICE: Final = timedelta(hours=1)
"""The buyer has to read that a time was set before it is there."""
FARTHEST_AHEAD: Final = timedelta(days=366)
ABSENT_AFTER: Final = timedelta(minutes=15)
"""Who is not there by then did not come."""
TIME_TO_COMPLAIN: Final = timedelta(hours=24)
"""After its end a session is complete by itself, unless its buyer says that the seller did not come."""

Party = Literal["buyer", "seller"]


class Appointment(msgspec.Struct, frozen=True, kw_only=True):
    """When a session begins, and how long it lasts."""

    starts_at: datetime
    lasts: timedelta

    @property
    def ends_at(self) -> datetime:
        """When it is over."""
        return self.starts_at + self.lasts


def checked(appointment: Appointment, now: datetime) -> Appointment:
    """One that can be kept. Raises SessionTimeRefused."""
    starts_at, lasts = appointment.starts_at, appointment.lasts
    if starts_at <= now:
        raise SessionTimeRefused("past", now)
    if starts_at < now + NOTICE:
        raise SessionTimeRefused("too_soon", now + NOTICE)
    if starts_at > now + FARTHEST_AHEAD:
        raise SessionTimeRefused("too_far", now + FARTHEST_AHEAD)
    if lasts < SHORTEST:
        raise SessionTimeRefused("too_short", starts_at + SHORTEST)
    if lasts > LONGEST:
        raise SessionTimeRefused("too_long", starts_at + LONGEST)
    return Appointment(starts_at=starts_at.astimezone(UTC), lasts=lasts)


class CoachSessions:
    """Use cases of an order's session."""

    def __init__(self, cancellation: Cancellation) -> None:
        self._cancellation = cancellation

    async def schedule(
        self, order_id: str, actor: Actor, appointment: Appointment, now: datetime
    ) -> OrderView:
        """Set or move the session's time; the same time again changes nothing.

        Raises OrderNotFound, SellerOnly, NotASession, OrderStepRefused unless it is paid,
        CancellationUnderWay, SessionTimeRefused.
        """
        async with transaction():
            order = await records.lock(order_id)
            require_seller(order, actor)
            require_session(order)
            after(order.status, "session_scheduled")
            await require_not_canceling(order)
            kept = checked(appointment, now)
            if (order.session_at, order.session_ends_at) != (kept.starts_at, kept.ends_at):
                await _set(order, kept)
                await steps.take(
                    order,
                    "session_scheduled",
                    actor=actor.account_id,
                    now=now,
                    reason=kept.starts_at.isoformat(),
                )
        return await view(await records.require(order_id, actor))

    async def report_absence(
        self, order_id: str, actor: Actor, absent: Party, now: datetime
    ) -> OrderView:
        """Somebody did not come: the buyer (as the seller says), or the seller (as either says).

        A seller may own up to it beforehand; about the buyer they may speak a day after the time was set.
        Raises OrderNotFound, SellerOnly, NotASession, OrderStepRefused, SessionNotStarted, FulfilmentHeld,
        CancellationUnderWay; for the refund what `Cancellation.cancel` raises.
        """
        planned = None
        async with transaction():
            order = await records.lock(order_id)
            require_party(order, actor)
            require_session(order)
            if absent == "buyer":
                await _buyer_absent(order, actor, now)
            else:
                planned = await self._seller_absent(order, actor, now)
        await self._cancellation.carry_out(planned)
        return await view(await records.require(order_id, actor))

    async def _seller_absent(
        self, order: OrderRecord, actor: Actor, now: datetime
    ) -> PlannedRefund | None:
        after(order.status, "seller_absent")
        await require_not_canceling(order)
        if not actor.sells(order):
            _require_reached(order, _absent_from(order), now)
        await steps.take(order, "seller_absent", actor=actor.account_id, now=now)
        return await self._cancellation.plan_whole_refund(
            order, actor, now, "the seller did not come"
        )


async def _buyer_absent(order: OrderRecord, actor: Actor, now: datetime) -> None:
    if not actor.sells(order):
        raise SellerOnly(order.id)
    after(order.status, "buyer_absent")
    require_not_held(order)
    await require_not_canceling(order)
    _require_reached(order, await _binding_from(order), now)
    await steps.take(order, "buyer_absent", actor=actor.account_id, now=now)


def _absent_from(order: OrderRecord) -> datetime | None:
    return None if order.session_at is None else order.session_at + ABSENT_AFTER


async def _binding_from(order: OrderRecord) -> datetime | None:
    """When a seller may say that the buyer did not come: not before the buyer had their time to object.

    Otherwise a time set for the next hour could be missed, and paid for, by somebody who never saw it.
    """
    absent_from = _absent_from(order)
    scheduled = await steps.latest(order.id, ["session_scheduled"])
    if absent_from is None or scheduled is None:
        return absent_from
    return max(absent_from, scheduled.occurred_at + TIME_TO_OBJECT)


def _require_reached(order: OrderRecord, absent_from: datetime | None, now: datetime) -> None:
    if absent_from is None or now < absent_from:
        raise SessionNotStarted(order.id, absent_from)


async def _set(order: OrderRecord, appointment: Appointment) -> None:
    await execute(
        "UPDATE orders SET session_at = $2, session_ends_at = $3, completes_at = $4 WHERE id = $1",
        order.id,
        appointment.starts_at,
        appointment.ends_at,
        appointment.ends_at + TIME_TO_COMPLAIN,
    )
