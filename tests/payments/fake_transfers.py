"""A `TransferGateway` in memory, over the fake of Stripe whose charges it belongs to."""

import msgspec

from payments.currencies import CURRENCIES
from payments.errors import StripeRejected
from payments.ids import IdempotencyKey
from payments.transfer_gateway import (
    FeeReturnDraft,
    ForeignReversals,
    Moved,
    ReversalDraft,
    TransferDraft,
)
from tests.fake_keys import AnsweredOnce
from tests.fakes import FakeGateway


class FakeTransfers(AnsweredOnce):
    """Stripe's transfers in memory: what each holds, what a seller will not give back, what is there."""

    def __init__(self, stripe: FakeGateway) -> None:
        super().__init__()
        self.stripe = stripe
        # Stripe's words for a no to every reversal, or to every transfer; None when they work.
        self.reversals_refused: str | None = None
        self.transfers_refused: str | None = None
        self.fee_returns_refused: str | None = None
        self.currency: str | None = None
        # How many of the next looks at a transfer are answered with a definite no.
        self.looks_refused = 0
        self._taken: dict[str, int] = {}
        self._made: dict[str, Moved] = {}
        self._at_dashboard: dict[str, list[Moved]] = {}
        self._transfers: dict[str, tuple[str, int]] = {}

    async def reverse(self, draft: ReversalDraft, key: IdempotencyKey) -> Moved:
        return self.once("reverse", draft, key, lambda: self._reverse(draft))

    async def find_reversal(self, draft: ReversalDraft) -> Moved | None:
        return self._made.get(draft.movement_id)

    async def left_of(self, transfer_id: str) -> int:
        if self.looks_refused:
            self.looks_refused -= 1
            raise StripeRejected("resource_missing", http_status=404)
        return self._transfer_of(transfer_id)[1] - self._reversed(transfer_id)

    def reverse_at_dashboard(self, transfer_id: str, amount: int) -> None:
        """Somebody takes a transfer back at Stripe's Dashboard, and no event tells of it."""
        intent_id, _ = self._transfer_of(transfer_id)
        self._taken[transfer_id] = self._taken.get(transfer_id, 0) + amount
        made = self._moved(
            "trr", "transfer_refund", "transfer_reversal", amount, intent_id, transfer_id
        )
        self._at_dashboard.setdefault(transfer_id, []).append(made)

    async def foreign_reversals(self, transfer_id: str) -> ForeignReversals | None:
        made = self._at_dashboard.get(transfer_id, [])
        if not made:
            return None
        return ForeignReversals(
            amount=sum(one.amount for one in made),
            latest_id=made[-1].id,
            latest_at=made[-1].created_at,
        )

    async def transfer(self, draft: TransferDraft, key: IdempotencyKey) -> Moved:
        return self.once("transfer", draft, key, lambda: self._transfer(draft))

    async def find_transfer(self, draft: TransferDraft) -> Moved | None:
        return self._made.get(draft.movement_id)

    async def return_fee(self, draft: FeeReturnDraft, key: IdempotencyKey) -> Moved:
        return self.once("return_fee", draft, key, lambda: self._return_fee(draft))

    async def find_fee_return(self, draft: FeeReturnDraft) -> Moved | None:
        return self._made.get(draft.fee_return_id)

    # ------------------------------------------------------------------------ what Stripe does

    def _reverse(self, draft: ReversalDraft) -> Moved:
        if self.reversals_refused:
            raise StripeRejected(self.reversals_refused)
        intent_id, amount = self._transfer_of(draft.transfer_id)
        left = amount - self._reversed(draft.transfer_id)
        if draft.amount > left:
            raise StripeRejected("invalid_request_error", message=f"{left} left")
        self._taken[draft.transfer_id] = self._taken.get(draft.transfer_id, 0) + draft.amount
        return self._moved(
            "trr",
            "transfer_refund",
            "transfer_reversal",
            draft.amount,
            intent_id,
            draft.movement_id,
        )

    def _transfer(self, draft: TransferDraft) -> Moved:
        if self.transfers_refused:
            raise StripeRejected(self.transfers_refused)
        intent_id = self._intent_of(draft.charge_id)
        moved = self._moved(
            "tr", "transfer", "transfer", -draft.amount, intent_id, draft.movement_id
        )
        self._transfers[moved.id] = (intent_id, draft.amount)
        return msgspec.structs.replace(moved, amount=draft.amount)

    def _return_fee(self, draft: FeeReturnDraft) -> Moved:
        intent = self.stripe._require(draft.intent_id)
        charge = intent.charge
        if self.fee_returns_refused:
            raise StripeRejected(self.fee_returns_refused)
        if charge is None or charge.application_fee_id != draft.fee_id:
            raise StripeRejected("resource_missing")
        total = charge.fee_refunded + draft.amount
        if total > charge.application_fee:
            raise StripeRejected("invalid_request_error", message="more than the fee")
        charge = msgspec.structs.replace(charge, fee_refunded=total)
        self.stripe._keep(msgspec.structs.replace(intent, charge=charge))
        return self._moved(
            "fr",
            "application_fee_refund",
            "platform_earning_refund",
            -draft.amount,
            draft.intent_id,
            draft.fee_return_id,
        )

    def _moved(
        self, prefix: str, type: str, category: str, amount: int, intent_id: str, ours: str
    ) -> Moved:
        intent = self.stripe._require(intent_id)
        if amount % CURRENCIES[intent.currency].step:
            raise StripeRejected("invalid_request_error", message=f"there is no {amount}")
        id = self.stripe._id(prefix)
        self.stripe._move(type, category, amount, intent, id)
        moved = Moved(
            id=id,
            amount=abs(amount),
            currency=self.currency or intent.currency,
            created_at=self.stripe._now(),
            request_id=None,
        )
        self._made[ours] = moved
        return moved

    # ----------------------------------------------------------------------------- what it knows

    def _transfer_of(self, transfer_id: str) -> tuple[str, int]:
        """Whose transfer, and how much it was."""
        if transfer_id in self._transfers:
            return self._transfers[transfer_id]
        for intent in self.stripe._intents.values():
            if intent.charge and intent.charge.transfer_id == transfer_id:
                return intent.id, intent.charge.amount_captured
        raise StripeRejected("resource_missing", http_status=404)

    def _reversed(self, transfer_id: str) -> int:
        """With refunds, and by reversals of their own."""
        by_refunds = sum(
            one.amount if one.reversal_amount is None else one.reversal_amount
            for intent in self.stripe._intents.values()
            if intent.charge and intent.charge.transfer_id == transfer_id
            for one in intent.charge.refunds
            if one.transfer_reversal_id
        )
        return by_refunds + self._taken.get(transfer_id, 0)

    def seller_has(self, intent_id: str) -> int:
        """What the seller's Stripe balance holds of this payment: transfers less reversals and fees."""
        charge = self.stripe._require(intent_id).charge
        assert charge is not None
        assert charge.transfer_id is not None
        own = charge.amount_captured - self._reversed(charge.transfer_id)
        again = sum(
            amount - self._reversed(id)
            for id, (of, amount) in self._transfers.items()
            if of == intent_id
        )
        return own + again - charge.application_fee + charge.fee_refunded

    def _intent_of(self, charge_id: str) -> str:
        return next(
            intent.id
            for intent in self.stripe._intents.values()
            if intent.charge and intent.charge.id == charge_id
        )
