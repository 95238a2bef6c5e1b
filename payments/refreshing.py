"""Asking Stripe how payments stand: on request, and by a sweep that makes lost webhooks good."""

from datetime import datetime

import asyncpg
import structlog

from payments import reading
from payments.absorption import Absorption
from payments.charges import IntentForBuyer
from payments.database import rows, transaction
from payments.errors import IntentMissing, PaymentError, PaymentNotFound
from payments.events import Clock
from payments.gateway import IntentSnapshot, PaymentGateway
from payments.ids import IntentId
from payments.missing_intents import note_missing
from payments.records import PaymentRecord

_log = structlog.get_logger("payments.refreshing")


class Refreshing:
    """Reads PaymentIntents and absorbs what was read. No transaction may be open."""

    def __init__(self, gateway: PaymentGateway, absorption: Absorption, clock: Clock) -> None:
        self._gateway = gateway
        self._absorption = absorption
        self._clock = clock

    async def refresh(self, order_id: str) -> PaymentRecord:
        """Read the order's latest PaymentIntent.

        Raises PaymentNotFound when nothing was ever asked of Stripe for this order.
        """
        payment = await reading.find(order_id)
        if payment is None or payment.intent_id is None:
            raise PaymentNotFound(order_id)
        return await self.refresh_intent(order_id, IntentId(payment.intent_id))

    async def refresh_intent(self, order_id: str, intent_id: IntentId) -> PaymentRecord:
        """Read this PaymentIntent of the order. Raises IntentMissing where Stripe does not know it."""
        return (await self._read(order_id, intent_id))[1]

    async def intent_for_buyer(self, order_id: str) -> IntentForBuyer:
        """Read the order's live PaymentIntent, and answer what its buyer needs.

        Raises PaymentNotFound when the order has none.
        """
        payment = await reading.find_live(order_id)
        if payment is None or payment.intent_id is None:
            raise PaymentNotFound(order_id)
        snapshot, _ = await self._read(order_id, IntentId(payment.intent_id))
        return IntentForBuyer.of(snapshot)

    async def refresh_due(self, now: datetime, limit: int = 50) -> int:
        """Read payments Stripe may have moved without our hearing of it; answers how many were read.

        Those that are open, and those with a refund on its way: a young payment is read every minute, an
        older one after an eighth of its age, a few hours at most. A lost webhook is made good within
        minutes, and a checkout abandoned for a day costs some thirty reads. Those that are settled too,
        hourly at first and ever more seldom for 90 days: what was done in Stripe's Dashboard. What
        Stripe does not know is left to reconciliation, which asks once a day.
        """
        due = [
            *await _claim(_OPEN, now, limit),
            *await _claim(_REFUNDING, now, limit),
            *await _claim_settled(now, limit),
        ]
        for record in due:
            try:
                await self.refresh_intent(record["order_id"], IntentId(record["intent_id"]))
            except PaymentError as error:
                _log.warning(
                    "payment could not be refreshed",
                    order_id=record["order_id"],
                    error=type(error).__name__,
                )
            except Exception:  # noqa: BLE001 - what one order cannot take in must not stop the others
                _log.exception(
                    "payment could not be absorbed", order_id=record["order_id"], alarm=True
                )
        return len(due)

    async def _read(
        self, order_id: str, intent_id: IntentId
    ) -> tuple[IntentSnapshot, PaymentRecord]:
        try:
            snapshot = await self._gateway.retrieve_intent(intent_id)
        except IntentMissing:
            await note_missing(order_id, intent_id, self._clock())
            raise
        async with transaction():
            return snapshot, await self._absorption.absorb(order_id, snapshot)


_OPEN = "live AND status <> 'succeeded' AND intent_id IS NOT NULL AND missing_since IS NULL"
_REFUNDING = (
    "id IN (SELECT payment_id FROM refunds WHERE status IN ('pending', 'requires_action')) "
    "AND status = 'succeeded' AND missing_since IS NULL"
)


async def _claim(which: str, now: datetime, limit: int) -> list[asyncpg.Record]:
    """Payments of these that have not been read for long, each handed to one caller."""
    return await rows(
        "UPDATE payments SET checked_at = $1 WHERE id IN ("
        f"  SELECT id FROM payments WHERE {which} AND checked_at < $1::timestamptz - greatest("
        "    interval '1 minute', least(($1::timestamptz - created_at) / 8, interval '3 hours')) "
        "  ORDER BY checked_at LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING order_id, intent_id",
        now,
        limit,
    )


async def _claim_settled(now: datetime, limit: int) -> list[asyncpg.Record]:
    """Settled payments that are to be read again, put off as if the read failed."""
    return await rows(
        "UPDATE payments SET recheck_at = $1::timestamptz + interval '1 hour' WHERE id IN ("
        "  SELECT id FROM payments WHERE recheck_at <= $1 "
        "  ORDER BY recheck_at LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING order_id, intent_id",
        now,
        limit,
    )
