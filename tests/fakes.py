"""A `PaymentGateway` in memory: Stripe as payments sees it, for tests that need no network.

It keeps the promises of the port (tests/contracts runs the same tests on it and on the adapter) and
can be told to fail as Stripe does. `pay` stands for the buyer's browser.
"""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from itertools import count

import msgspec

from payments.errors import CardDeclined, SellerCannotReceive, StripeRejected
from payments.gateway import (
    BalanceTransaction,
    CancelDraft,
    CaptureDraft,
    ChargeSnapshot,
    ConfirmDraft,
    IntentDraft,
    IntentSnapshot,
    RefundDraft,
    RefundSnapshot,
    UpdateDraft,
)
from payments.ids import IdempotencyKey, IntentId
from payments.money import cumulative_share, portion
from tests.fake_keys import AnsweredOnce
from tests.fake_snapshots import challenged, declined, held, on_its_way, with_refunds

DECLINES = {
    "pm_card_visa_chargeDeclined": "generic_decline",
    "pm_card_visa_chargeDeclinedInsufficientFunds": "insufficient_funds",
    "pm_card_visa_chargeDeclinedLostCard": "lost_card",
    # It can be saved; only paying with it fails.
    "pm_card_chargeCustomerFail": "generic_decline",
}
_NEVER_AGAIN = {"lost_card"}
CHALLENGED = "pm_card_authenticationRequired"
DEBIT = "pm_usBankAccount_success"
FAILING_DEBIT = "pm_usBankAccount_debitNotAuthorized"
_PAYABLE = ("requires_payment_method", "requires_confirmation", "requires_action")

_NUMBERS = count(1)
"""Ids are unique over all fakes of a test session, as Stripe's are."""


class FakeGateway(AnsweredOnce):
    """Stripe in memory. Destinations in `closed_destinations` cannot receive transfers."""

    def __init__(self, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__()
        self.clock = clock or (lambda: datetime.now(UTC))
        self.closed_destinations: set[str] = set()
        # Whether a debit on its way can still be stopped.
        self.cancels_debits = False
        # Which test card is behind a saved PaymentMethod.
        self.saved: dict[str, str] = {}
        # How many of the next reads are answered with a definite no.
        self.reads_refused = 0
        self._intents: dict[str, IntentSnapshot] = {}
        self._operations: dict[str, str] = {}
        self._movements: list[BalanceTransaction] = []
        self._numbers = _NUMBERS

    # ------------------------------------------------------------------ what tests make it do

    def pay(self, intent_id: str, card: str = "pm_card_visa") -> IntentSnapshot:
        """The buyer's browser confirms with a test card; a decline is seen on the PaymentIntent."""
        intent = self._intents[intent_id]
        assert intent.status in _PAYABLE, intent.status
        return self._keep(self._paid(intent, card))

    def settle_debit(self, intent_id: str, *, succeeds: bool) -> IntentSnapshot:
        """Days later the bank has decided about a debit."""
        intent = self._intents[intent_id]
        assert intent.status == "processing"
        assert intent.charge is not None
        charge_id = intent.charge.id
        if not succeeds:
            failed = msgspec.structs.replace(intent.charge, status="failed", captured=False)
            back = msgspec.structs.replace(intent, charge=failed, status=_PAYABLE[0])
            return self._keep(declined(back, "debit_not_authorized", charge_id, FAILING_DEBIT))
        return self._keep(
            self._captured(
                held(intent, charge_id, self._now()), intent.amount, intent.application_fee
            )
        )

    def days_pass(self) -> None:
        """Banks have decided about every debit on its way."""
        for intent in list(self._intents.values()):
            if intent.status == "processing":
                self.settle_debit(intent.id, succeeds=intent.payment_method_id == DEBIT)

    def pass_challenge(self, intent_id: str) -> IntentSnapshot:
        """The buyer shows themself to their bank."""
        intent = self._intents[intent_id]
        assert intent.status == "requires_action"
        return self._keep(self._paid(intent, intent.payment_method_id or ""))

    def show_intent(self, intent: IntentSnapshot) -> IntentSnapshot:
        """Stripe shows the PaymentIntent like this from now on."""
        return self._keep(intent)

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

    # ------------------------------------------------------------------------------- the port

    async def create_intent(self, draft: IntentDraft, key: IdempotencyKey) -> IntentSnapshot:
        return self.once("create_intent", draft, key, lambda: self._create(draft))

    async def update_intent(self, draft: UpdateDraft, key: IdempotencyKey) -> IntentSnapshot:
        return self.once("update_intent", draft, key, lambda: self._update(draft))

    async def confirm_intent(self, draft: ConfirmDraft, key: IdempotencyKey) -> IntentSnapshot:
        return self.once("confirm_intent", draft, key, lambda: self._confirm(draft))

    async def capture_intent(self, draft: CaptureDraft, key: IdempotencyKey) -> IntentSnapshot:
        return self.once("capture_intent", draft, key, lambda: self._capture(draft))

    async def cancel_intent(self, draft: CancelDraft, key: IdempotencyKey) -> IntentSnapshot:
        return self.once("cancel_intent", draft, key, lambda: self._cancel(draft))

    async def retrieve_intent(self, intent_id: IntentId) -> IntentSnapshot:
        if self.reads_refused:
            self.reads_refused -= 1
            raise StripeRejected("resource_missing", http_status=404)
        return self._require(intent_id)

    async def find_intent(self, draft: IntentDraft) -> IntentSnapshot | None:
        found = self._operations.get(draft.operation_id)
        return self._intents[found] if found else None

    async def create_refund(self, draft: RefundDraft, key: IdempotencyKey) -> RefundSnapshot:
        return self.once("create_refund", draft, key, lambda: self._refund(draft))

    async def find_refund(self, draft: RefundDraft) -> RefundSnapshot | None:
        charge = self._require(draft.intent_id).charge
        refunds = charge.refunds if charge else ()
        return next((one for one in refunds if one.refund_id == draft.refund_id), None)

    async def balance_transactions(
        self, *, since: datetime, until: datetime
    ) -> AsyncIterator[BalanceTransaction]:
        for one in reversed(self._movements):
            if since <= one.created_at < until:
                yield one

    # ------------------------------------------------------------------------ what Stripe does

    def _create(self, draft: IntentDraft) -> IntentSnapshot:
        if draft.destination in self.closed_destinations:
            raise SellerCannotReceive("insufficient_capabilities_for_transfer")
        id = IntentId(self._id("pi"))
        self._operations[draft.operation_id] = id
        return self._keep(
            IntentSnapshot(
                id=id,
                status="requires_payment_method",
                amount=draft.amount,
                currency=draft.currency,
                application_fee=draft.application_fee,
                capture_method=draft.capture_method,
                destination=draft.destination,
                amount_capturable=0,
                amount_received=0,
                cancellation_reason=None,
                order_id=draft.order_id,
                payment_id=draft.payment_id,
                client_secret=f"{id}_secret_{self._id('cs')}",
                decline=None,
                charge=None,
                complete=True,
                created_at=self._now(),
                request_id=self._id("req"),
                customer_id=draft.customer_id,
                saves_card=draft.save_card and draft.customer_id is not None,
            )
        )

    def _update(self, draft: UpdateDraft) -> IntentSnapshot:
        intent = self._require(draft.intent_id)
        if intent.status not in _PAYABLE:
            raise StripeRejected("payment_intent_unexpected_state", snapshot=intent)
        waiting = intent.status == "requires_action"
        changed = msgspec.structs.replace(
            intent,
            amount=draft.amount,
            application_fee=draft.application_fee,
            cart_version=draft.version,
            decline=None,
            status="requires_confirmation" if waiting else intent.status,
            request_id=self._id("req"),
        )
        return self._keep(changed)

    def _confirm(self, draft: ConfirmDraft) -> IntentSnapshot:
        intent = self._require(draft.intent_id)
        if intent.status not in _PAYABLE:
            raise StripeRejected("payment_intent_unexpected_state", snapshot=intent)
        if draft.amount != intent.amount:
            raise StripeRejected("invalid_request_error")
        tried = self._keep(
            msgspec.structs.replace(
                self._paid(intent, draft.payment_method_id), request_id=self._id("req")
            )
        )
        if tried.decline is None:
            return tried
        raise CardDeclined(
            "card_declined",
            decline_code=tried.decline.decline_code,
            advice_code=tried.decline.advice_code,
            request_id=tried.request_id,
            snapshot=tried,
        )

    def _paid(self, intent: IntentSnapshot, method_id: str) -> IntentSnapshot:
        """What becomes of a PaymentIntent that is confirmed with this test card, or a saved one."""
        card = self.saved.get(method_id, method_id)
        intent = msgspec.structs.replace(intent, payment_method_id=method_id)
        if card in DECLINES:
            advice = "do_not_try_again" if DECLINES[card] in _NEVER_AGAIN else None
            return declined(intent, DECLINES[card], self._id("ch"), method_id, advice)
        if card in (DEBIT, FAILING_DEBIT):
            return on_its_way(intent, self._id("py"), self._now())
        if card == CHALLENGED and intent.status != "requires_action":
            return challenged(intent)
        authorized = held(intent, self._id("ch"), self._now())
        if intent.capture_method == "manual":
            return authorized
        return self._captured(authorized, intent.amount, intent.application_fee)

    def _capture(self, draft: CaptureDraft) -> IntentSnapshot:
        intent = self._require(draft.intent_id)
        if intent.status != "requires_capture":
            raise StripeRejected("payment_intent_unexpected_state", snapshot=intent)
        if not 0 < draft.amount <= intent.amount_capturable:
            raise StripeRejected("amount_too_large", snapshot=intent)
        if intent.destination in self.closed_destinations:
            raise SellerCannotReceive("insufficient_capabilities_for_transfer", snapshot=intent)
        return self._keep(self._captured(intent, draft.amount, draft.application_fee))

    def _cancel(self, draft: CancelDraft) -> IntentSnapshot:
        intent = self._require(draft.intent_id)
        stoppable = intent.status != "processing" or self.cancels_debits
        if not stoppable or intent.status in ("succeeded", "canceled"):
            raise StripeRejected("payment_intent_unexpected_state", snapshot=intent)
        canceled = msgspec.structs.replace(
            intent, status="canceled", amount_capturable=0, cancellation_reason=draft.reason
        )
        return self._keep(canceled)

    def _refund(self, draft: RefundDraft) -> RefundSnapshot:
        intent = self._require(draft.intent_id)
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

    # ---------------------------------------------------------------------------------- memory

    def _keep(self, intent: IntentSnapshot) -> IntentSnapshot:
        self._intents[intent.id] = intent
        return intent

    def _require(self, intent_id: str) -> IntentSnapshot:
        if intent_id not in self._intents:
            raise StripeRejected("resource_missing", http_status=404)
        return self._intents[intent_id]

    def _refund_by_id(self, id: str) -> tuple[IntentSnapshot, RefundSnapshot]:
        return next(
            (intent, refund)
            for intent in self._intents.values()
            if intent.charge
            for refund in intent.charge.refunds
            if refund.id == id
        )

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
        return f"{prefix}_fake{next(self._numbers)}"

    def _now(self) -> datetime:
        """Stripe's stamps have whole seconds."""
        return self.clock().replace(microsecond=0)
