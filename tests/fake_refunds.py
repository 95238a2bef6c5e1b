"""Money going back, in the fake of Stripe."""

import msgspec

from payments.errors import StripeRejected
from payments.gateway import ChargeSnapshot, IntentSnapshot, RefundDraft, RefundSnapshot
from payments.ids import IdempotencyKey
from payments.money import cumulative_share
from tests.fake_memory import IntentMemory
from tests.fake_snapshots import with_refunds


class FakeRefunds(IntentMemory):
    """Refunds: those that are asked for, those that fail, and those made in the Dashboard."""

    # How many of the next refunds are answered with a definite no.
    refunds_refused = 0

    def fail_refund(self, stripe_refund_id: str) -> None:
        """The bank sends a refund back, days after it succeeded."""
        intent, refund = self._refund_by_id(stripe_refund_id)
        assert intent.charge is not None
        failed = msgspec.structs.replace(
            refund, status="failed", failure_reason="expired_or_canceled_card"
        )
        refunds = tuple(failed if one.id == refund.id else one for one in intent.charge.refunds)
        self._move("refund_failure", "refund_failure", refund.amount, intent, refund.id)
        self._keep(with_refunds(intent, refunds))

    def show_refund(self, intent_id: str, refund: RefundSnapshot) -> None:
        """Stripe shows this refund from now on: one made at its Dashboard, or one that moved on."""
        intent = self._intents[intent_id]
        assert intent.charge is not None
        others = tuple(one for one in intent.charge.refunds if one.id != refund.id)
        self._keep(with_refunds(intent, (refund, *others)))

    async def create_refund(self, draft: RefundDraft, key: IdempotencyKey) -> RefundSnapshot:
        return self.once("create_refund", draft, key, lambda: self._refund(draft))

    async def find_refund(self, draft: RefundDraft) -> RefundSnapshot | None:
        charge = self._require(draft.intent_id).charge
        refunds = charge.refunds if charge else ()
        return next((one for one in refunds if one.refund_id == draft.refund_id), None)

    def _refund(self, draft: RefundDraft) -> RefundSnapshot:
        intent = self._require(draft.intent_id)
        if self.refunds_refused > 0:
            self.refunds_refused -= 1
            raise StripeRejected("charge_disputed")
        charge = intent.charge
        if charge is None or not charge.captured:
            raise StripeRejected("invalid_request_error")
        left = charge.amount_captured - charge.amount_refunded
        if left == 0:
            raise StripeRejected("charge_already_refunded")
        if draft.amount > left:
            raise StripeRejected("invalid_request_error")
        refund = RefundSnapshot(
            id=self._id("re"),
            refund_id=draft.refund_id,
            amount=draft.amount,
            currency=intent.currency,
            status="succeeded",
            reason=draft.reason,
            failure_reason=None,
            moved=True,
            transfer_reversal_id=self._id("trr") if draft.reverse_transfer else None,
            created_at=self._now(),
        )
        self._give_back(intent, charge, refund, draft)
        return refund

    def _give_back(
        self,
        intent: IntentSnapshot,
        charge: ChargeSnapshot,
        refund: RefundSnapshot,
        draft: RefundDraft,
    ) -> None:
        self._move("refund", "refund", -refund.amount, intent, refund.id)
        if refund.transfer_reversal_id:
            reversal = refund.transfer_reversal_id
            self._move("transfer_refund", "transfer_reversal", refund.amount, intent, reversal)
        returned = 0
        if draft.refund_application_fee:
            total = charge.amount_refunded + refund.amount
            target = cumulative_share(charge.application_fee, total, charge.amount_captured)
            returned = target - charge.fee_refunded
        if returned:
            category = "platform_earning_refund"
            self._move("application_fee_refund", category, -returned, intent, self._id("fr"))
        after = with_refunds(intent, (refund, *charge.refunds))
        assert after.charge is not None
        fee_refunded = charge.fee_refunded + returned
        self._keep(
            msgspec.structs.replace(
                after, charge=msgspec.structs.replace(after.charge, fee_refunded=fee_refunded)
            )
        )

    def _refund_by_id(self, id: str) -> tuple[IntentSnapshot, RefundSnapshot]:
        return next(
            (intent, refund)
            for intent in self._intents.values()
            if intent.charge
            for refund in intent.charge.refunds
            if refund.id == id
        )
