"""What the fake of Stripe remembers: PaymentIntents, and every movement of the platform's balance."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from itertools import count

import msgspec

from payments.errors import StripeRejected
from payments.gateway import BalanceTransaction, IntentSnapshot
from payments.money import portion
from tests.fake_keys import AnsweredOnce

_NUMBERS = count(1)
"""Ids are unique over all fakes of a test session, as Stripe's are."""


class IntentMemory(AnsweredOnce):
    """The memory that the fake's parts share."""

    def __init__(self, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__()
        self.clock = clock or (lambda: datetime.now(UTC))
        self._intents: dict[str, IntentSnapshot] = {}
        self._movements: list[BalanceTransaction] = []

    def show_intent(self, intent: IntentSnapshot) -> IntentSnapshot:
        """Stripe shows the PaymentIntent like this from now on."""
        return self._keep(intent)

    async def balance_transactions(
        self, *, since: datetime, until: datetime
    ) -> AsyncIterator[BalanceTransaction]:
        for one in reversed(self._movements):
            if since <= one.created_at < until:
                yield one

    def _captured(self, intent: IntentSnapshot, amount: int, fee: int) -> IntentSnapshot:
        assert intent.charge is not None
        cost = portion(amount, 290) + 30
        charge = msgspec.structs.replace(
            intent.charge,
            captured=True,
            amount_captured=amount,
            transfer_id=self._id("tr"),
            application_fee_id=self._id("fee") if fee else None,
            application_fee=fee,
            processing_cost=cost,
        )
        after = msgspec.structs.replace(
            intent,
            status="succeeded",
            amount_capturable=0,
            amount_received=amount,
            application_fee=fee,
            charge=charge,
        )
        self._move("charge", "charge", intent.amount, after, charge.id, fee=cost)
        if rest := intent.amount - amount:
            category = "partial_capture_reversal"
            self._move("refund", category, -rest, after, self._id("re"))
        self._move("transfer", "transfer", -amount, after, charge.transfer_id)
        if fee:
            self._move("application_fee", "platform_earning", fee, after, charge.application_fee_id)
        return after

    def _keep(self, intent: IntentSnapshot) -> IntentSnapshot:
        self._intents[intent.id] = intent
        return intent

    def _require(self, intent_id: str) -> IntentSnapshot:
        if intent_id not in self._intents:
            raise StripeRejected("resource_missing", http_status=404)
        return self._intents[intent_id]

    def _move(
        self,
        type: str,
        category: str,
        amount: int,
        intent: IntentSnapshot,
        source_id: str | None,
        *,
        fee: int = 0,
    ) -> None:
        self._movements.append(
            BalanceTransaction(
                id=self._id("txn"),
                type=type,
                reporting_category=category,
                amount=amount,
                fee=fee,
                net=amount - fee,
                currency=intent.currency,
                source_id=source_id,
                charge_id=intent.charge.id if intent.charge else None,
                created_at=self._now(),
            )
        )

    def _id(self, prefix: str) -> str:
        return f"{prefix}_fake{next(_NUMBERS)}"

    def _now(self) -> datetime:
        """Stripe's stamps have whole seconds."""
        return self.clock().replace(microsecond=0)
