"""A `PaymentGateway` in memory: Stripe as payments sees it, for tests that need no network.

It keeps the promises of the port (tests/contracts runs the same tests on it and on the adapter) and
can be told to fail as Stripe does. `pay` stands for the buyer's browser.
"""

from collections.abc import Callable
from datetime import datetime

import msgspec

from payments.errors import CardDeclined, IntentMissing, SellerCannotReceive, StripeRejected
from payments.gateway import (
    CancelDraft,
    CaptureDraft,
    ConfirmDraft,
    IntentDraft,
    IntentSnapshot,
    KeepCardDraft,
    UpdateDraft,
)
from payments.ids import IdempotencyKey, IntentId
from tests.fake_refunds import FakeRefunds
from tests.fake_snapshots import challenged, declined, held, on_its_way

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


class FakeGateway(FakeRefunds):
    """Stripe in memory. Destinations in `closed_destinations` cannot receive transfers."""

    def __init__(self, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__(clock)
        self.closed_destinations: set[str] = set()
        # Whether a debit on its way can still be stopped.
        self.cancels_debits = False
        # Which test card is behind a saved PaymentMethod.
        self.saved: dict[str, str] = {}
        # How many of the next reads are answered with a definite no.
        self.reads_refused = 0
        self.another_account = False
        # How many of the next cancellations are.
        self.cancels_refused = 0
        # PaymentIntents whose card will be kept.
        self.keepings_refused = 0
        self._operations: dict[str, str] = {}

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

    # ------------------------------------------------------------------------------- the port

    async def create_intent(self, draft: IntentDraft, key: IdempotencyKey) -> IntentSnapshot:
        return self.once("create_intent", draft, key, lambda: self._create(draft))

    async def update_intent(self, draft: UpdateDraft, key: IdempotencyKey) -> IntentSnapshot:
        return self.once("update_intent", draft, key, lambda: self._update(draft))

    async def keep_card(self, draft: KeepCardDraft, key: IdempotencyKey) -> IntentSnapshot:
        return self.once("keep_card", draft, key, lambda: self._keep_card(draft))

    async def confirm_intent(self, draft: ConfirmDraft, key: IdempotencyKey) -> IntentSnapshot:
        return self.once("confirm_intent", draft, key, lambda: self._confirm(draft))

    async def capture_intent(self, draft: CaptureDraft, key: IdempotencyKey) -> IntentSnapshot:
        return self.once("capture_intent", draft, key, lambda: self._capture(draft))

    async def cancel_intent(self, draft: CancelDraft, key: IdempotencyKey) -> IntentSnapshot:
        return self.once("cancel_intent", draft, key, lambda: self._cancel(draft))

    async def retrieve_intent(self, intent_id: IntentId) -> IntentSnapshot:
        if self.another_account:
            raise IntentMissing
        if self.reads_refused:
            self.reads_refused -= 1
            raise StripeRejected("resource_missing", http_status=404)
        return self._require(intent_id)

    async def find_intent(self, draft: IntentDraft) -> IntentSnapshot | None:
        found = self._operations.get(draft.operation_id)
        return self._intents[found] if found else None

    # ------------------------------------------------------------------------ what Stripe does

    def _keep_card(self, draft: KeepCardDraft) -> IntentSnapshot:
        intent = self._require(draft.intent_id)
        if self.keepings_refused:
            self.keepings_refused -= 1
            raise StripeRejected("parameter_invalid")
        if intent.status not in _PAYABLE:
            raise StripeRejected("payment_intent_unexpected_state", snapshot=intent)
        return self._keep(msgspec.structs.replace(intent, saves_card=draft.keep))

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
        if intent.destination in self.closed_destinations:
            raise SellerCannotReceive("insufficient_capabilities_for_transfer", snapshot=intent)
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
        if self.another_account:
            raise IntentMissing
        intent = self._require(draft.intent_id)
        if self.cancels_refused > 0:
            self.cancels_refused -= 1
            raise StripeRejected("account_invalid")
        stoppable = intent.status != "processing" or self.cancels_debits
        if not stoppable or intent.status in ("succeeded", "canceled"):
            raise StripeRejected("payment_intent_unexpected_state", snapshot=intent)
        canceled = msgspec.structs.replace(
            intent, status="canceled", amount_capturable=0, cancellation_reason=draft.reason
        )
        return self._keep(canceled)
