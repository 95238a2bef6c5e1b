"""Making our books true again by the only safe means: reading Stripe and taking in what it says.

Nothing is written at Stripe and no posting by hand: absorbing decides, as it does for a webhook.
"""

import contextlib
from collections.abc import AsyncIterator

import structlog

from payments.database import LOST, rows
from payments.disputes import Disputes
from payments.errors import PaymentError
from payments.ids import IntentId
from payments.lifecycle import Payments
from payments.reversed_elsewhere import transfers_of
from payments.transfers import Transfers

_log = structlog.get_logger("payments.reconciliation")


class Healing:
    """Refreshes what differs. Whatever cannot be taken in is logged: the difference stays, and is seen."""

    def __init__(self, payments: Payments, disputes: Disputes, transfers: Transfers) -> None:
        self._payments, self._disputes, self._transfers = payments, disputes, transfers

    async def payment(self, payment_id: str | None, intent_id: str | None = None) -> None:
        """Read its PaymentIntent, its transfers, and every dispute that moved money of its charge."""
        found = await rows(
            "SELECT id, order_id, coalesce(intent_id, $2) AS intent_id FROM payments "
            "WHERE id = $1 OR intent_id = $2 LIMIT 1",
            payment_id,
            intent_id,
        )
        for record in found:
            if record["intent_id"] is not None:
                async with _quietly(record["order_id"]):
                    await self._payments.refresh_intent(
                        record["order_id"], IntentId(record["intent_id"])
                    )
                await self._disputes_of(record["intent_id"])
                for transfer_id in await transfers_of(record["id"]):
                    async with _quietly(transfer_id):
                        await self._transfers.refresh(transfer_id)

    async def charge(self, charge_id: str | None) -> None:
        """The same for the payment that has this charge."""
        for record in await rows("SELECT id FROM payments WHERE charge_id = $1", charge_id):
            await self.payment(record["id"])

    async def dispute(self, stripe_dispute_id: str) -> None:
        """Read one dispute."""
        async with _quietly(stripe_dispute_id):
            await self._disputes.refresh(stripe_dispute_id)

    async def _disputes_of(self, intent_id: str) -> None:
        found = await rows(
            "SELECT DISTINCT b.source_id FROM balance_transactions b "
            "JOIN payments p ON p.charge_id = b.charge_id "
            "WHERE p.intent_id = $1 AND b.reporting_category IN ('dispute', 'dispute_reversal') "
            "AND b.source_id IS NOT NULL",
            intent_id,
        )
        for record in found:
            await self.dispute(record["source_id"])


@contextlib.asynccontextmanager
async def _quietly(subject: str) -> AsyncIterator[None]:
    try:
        yield
    except PaymentError as error:
        _log.warning("could not be read again", subject=subject, error=type(error).__name__)
    except LOST:
        raise
    except Exception:  # noqa: BLE001 - what one order cannot take in must not stop the others
        _log.exception("could not be taken in", subject=subject, alarm=True)
