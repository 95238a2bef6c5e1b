"""Early fraud warnings: the bank thinks the card's owner did not pay; a refund now avoids a dispute.

Stripe sends them for cards, days before a dispute may come (docs.stripe.com/disputes/measuring).
Nothing is refunded by itself: people are told and decide.
"""

from collections.abc import Sequence

from payments.database import lock_order, row, rows, transaction, value
from payments.dispute_gateway import DisputeGateway, FraudWarningSnapshot
from payments.dispute_records import WARNING_COLUMNS, FraudWarningRecord
from payments.errors import PaymentNotFound
from payments.events import Announce, Clock, FraudWarned
from payments.gateway import PaymentGateway
from payments.ids import IntentId
from payments.inbox import Notice

_UPSERT = """
INSERT INTO fraud_warnings
    (stripe_warning_id, payment_id, order_id, fraud_type, actionable, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (stripe_warning_id)
DO UPDATE SET fraud_type = excluded.fraud_type, actionable = excluded.actionable,
    updated_at = excluded.updated_at
RETURNING (xmax = 0) AS is_new
"""


class FraudWarnings:
    """The use cases of early fraud warnings."""

    def __init__(
        self, gateway: DisputeGateway, intents: PaymentGateway, announce: Announce, clock: Clock
    ) -> None:
        self._gateway = gateway
        self._intents = intents
        self._announce = announce
        self._clock = clock

    async def take_notices(self, notices: Sequence[Notice]) -> None:
        """The inbox's handler of `radar.early_fraud_warning.*`.

        Raises PaymentNotFound while its payment is unknown here, and what the gateway raises.
        """
        for stripe_id in sorted({one.object_id for one in notices if one.object_id}):
            await self._take(await self._gateway.retrieve_warning(stripe_id))

    async def of_order(self, order_id: str) -> list[FraudWarningRecord]:
        """Every warning about the order's payments, oldest first."""
        found = await rows(
            f"SELECT {WARNING_COLUMNS} FROM fraud_warnings WHERE order_id = $1 "
            "ORDER BY created_at, stripe_warning_id",
            order_id,
        )
        return [FraudWarningRecord(**record) for record in found]

    async def _take(self, snapshot: FraudWarningSnapshot) -> None:
        payment = await row(
            "SELECT id, order_id FROM payments WHERE charge_id = $1 OR intent_id = $2 LIMIT 1",
            snapshot.charge_id,
            snapshot.intent_id,
        )
        if payment is None:
            await self._require_foreign(snapshot)
            return
        now = self._clock()
        async with transaction():
            await lock_order(payment["order_id"])
            is_new: bool = await value(
                _UPSERT,
                snapshot.id,
                payment["id"],
                payment["order_id"],
                snapshot.fraud_type,
                snapshot.actionable,
                snapshot.created_at,
                now,
            )
            if is_new:
                await self._announce(
                    FraudWarned(
                        order_id=payment["order_id"],
                        payment_id=payment["id"],
                        occurred_at=now,
                        warning_id=snapshot.id,
                        fraud_type=snapshot.fraud_type,
                        actionable=snapshot.actionable,
                    )
                )

    async def _require_foreign(self, snapshot: FraudWarningSnapshot) -> None:
        """Another program's payment is passed over; one of ours that is not known yet waits."""
        if snapshot.intent_id is None:
            return
        intent = await self._intents.retrieve_intent(IntentId(snapshot.intent_id))
        if intent.payment_id is not None:
            raise PaymentNotFound(snapshot.intent_id)
