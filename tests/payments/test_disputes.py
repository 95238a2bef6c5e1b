"""Disputes taken in from reads that come in any order: booked once, borne once, given back once."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from payments.database import rows, transaction
from payments.dispute_absorption import DisputeAbsorption, Policy
from payments.dispute_gateway import (
    AcceptanceDraft,
    DisputeSnapshot,
    EvidenceDraft,
    FraudWarningSnapshot,
)
from payments.dispute_shares import seller_share
from payments.disputes import Disputes
from payments.errors import (
    DisputeStepRefused,
    EvidenceRefused,
    OutcomeUnknown,
    PaymentDisputed,
    PaymentNotFound,
)
from payments.events import DisputeClosed, DisputeOpened
from payments.ids import IdempotencyKey, IntentId, new_id
from payments.records import PaymentRecord
from tests.fake_keys import AnsweredOnce
from tests.payments.conftest import Till, at_once, balances_of

DUE = timedelta(days=9)


class FakeDisputes(AnsweredOnce):
    """Stripe's disputes in memory; a test moves them as a bank would."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[str, DisputeSnapshot] = {}

    def open(self, payment: PaymentRecord, now: datetime, **changes: Any) -> DisputeSnapshot:
        facts: dict[str, Any] = {
            "id": new_id("du"),
            "charge_id": payment.charge_id,
            "intent_id": payment.intent_id,
            "amount": payment.amount_captured,
            "currency": payment.currency,
            "reason": "fraudulent",
            "status": "needs_response",
            "refundable": False,
            "withdrawn": payment.amount_captured,
            "reinstated": 0,
            "cost": 1500,
            "cost_returned": 0,
            "evidence_due_by": now + DUE,
            "submissions": 0,
            "past_due": False,
            "created_at": now,
        }
        return self.moves(DisputeSnapshot(**(facts | changes)))

    def moves(self, dispute: DisputeSnapshot, **changes: Any) -> DisputeSnapshot:
        moved = msgspec.structs.replace(dispute, **changes)
        self.known[moved.id] = moved
        return moved

    def wins(self, dispute: DisputeSnapshot) -> DisputeSnapshot:
        won = {"status": "won", "refundable": True, "cost_returned": 1500}
        return self.moves(dispute, reinstated=dispute.withdrawn, **won)

    async def retrieve_dispute(self, stripe_dispute_id: str) -> DisputeSnapshot:
        return self.known[stripe_dispute_id]

    async def disputes(self, *, since: datetime) -> AsyncIterator[DisputeSnapshot]:
        for one in self.known.values():
            if one.created_at >= since:
                yield one

    async def send_evidence(self, draft: EvidenceDraft, key: IdempotencyKey) -> DisputeSnapshot:
        return self.once("evidence", draft, key, lambda: self._submitted(draft))

    async def accept_dispute(self, draft: AcceptanceDraft, key: IdempotencyKey) -> DisputeSnapshot:
        known = self.known[draft.stripe_dispute_id]
        return self.once("accept", draft, key, lambda: self.moves(known, status="lost"))

    async def retrieve_warning(self, stripe_warning_id: str) -> FraudWarningSnapshot:
        raise AssertionError("not asked for here")

    def _submitted(self, draft: EvidenceDraft) -> DisputeSnapshot:
        known = self.known[draft.stripe_dispute_id]
        return self.moves(known, status="under_review", submissions=known.submissions + 1)


class Bank:
    """Disputes over the till, with what the bank does."""

    def __init__(self, till: Till, policy: Policy = "reverse") -> None:
        self.till = till
        self.stripe = FakeDisputes()
        absorption = DisputeAbsorption(till.transfers, till.hear, till.clock, policy=policy)
        self.disputes = Disputes(self.stripe, till.gateway, till.operations, absorption, till.clock)

    async def opens(self, order_id: str, **changes: Any) -> DisputeSnapshot:
        payment = await self.till.paid(order_id)
        dispute = self.stripe.open(payment, self.till.clock(), **changes)
        await self.disputes.refresh(dispute.id)
        return dispute

    async def tells(self, dispute: DisputeSnapshot, **changes: Any) -> DisputeSnapshot:
        moved = self.stripe.moves(dispute, **changes)
        await self.disputes.refresh(moved.id)
        return moved


@pytest.fixture
def bank(till: Till) -> Bank:
    return Bank(till)


async def test_the_sellers_share_is_taken_back_and_the_fee_stays_in_sum_nothing(
    bank: Bank, till: Till, order_id: str
) -> None:
    dispute = await bank.opens(order_id)
    held = await balances_of(order_id)
    assert held["seller:sel_1"] == 0
    assert till.stripe_transfers.seller_has(dispute.intent_id or "") == 0
    assert (held["disputes"], held["stripe:disputes"]) == (-6000, 1500)
    assert sum(held.values()) == 0


async def test_everything_told_ten_times_at_once_is_booked_once(
    bank: Bank, till: Till, order_id: str
) -> None:
    dispute = await bank.opens(order_id)
    before = await balances_of(order_id)
    await at_once(*[bank.disputes.refresh(dispute.id) for _ in range(10)])
    assert await balances_of(order_id) == before
    assert till.heard().count("DisputeOpened") == 1


async def test_a_win_restores_everybody_to_the_unit(bank: Bank, till: Till, order_id: str) -> None:
    payment = await till.paid(order_id)
    before = await balances_of(order_id)
    dispute = bank.stripe.open(payment, till.clock())
    await bank.disputes.refresh(dispute.id)
    won = bank.stripe.wins(dispute)
    await bank.disputes.refresh(won.id)
    after = {account: amount for account, amount in (await balances_of(order_id)).items() if amount}
    assert after == {account: amount for account, amount in before.items() if amount}
    closed = [event for event in till.told if isinstance(event, DisputeClosed)]
    assert [event.status for event in closed] == ["won"]


async def test_an_older_read_that_comes_late_changes_nothing_that_is_newer(
    bank: Bank, till: Till, order_id: str
) -> None:
    """Verdicts come from Stripe, and the one asked for later is believed."""
    opened = await bank.opens(order_id)
    asked_early = till.clock()
    till.clock.move(minutes=5)
    won = bank.stripe.wins(opened)
    await bank.disputes.refresh(won.id)
    await bank.disputes.take(opened, asked_early)
    (known,) = await bank.disputes.of_order(order_id)
    assert (known.status, known.amount_reinstated) == ("won", 6000)


async def test_a_win_waits_for_a_reversal_whose_answer_got_lost(
    bank: Bank, till: Till, order_id: str
) -> None:
    payment = await till.paid(order_id)
    dispute = bank.stripe.open(payment, till.clock())
    till.stripe_transfers.lose_answer_after()
    await bank.disputes.refresh(dispute.id)
    await bank.disputes.refresh(bank.stripe.wins(dispute).id)
    (known,) = await bank.disputes.of_order(order_id)
    assert (known.status, known.closed_at) == ("won", None)
    till.clock.move(minutes=2)
    await till.operations.resume_due(till.clock())
    till.clock.move(hours=2)
    assert await bank.disputes.refresh_due(till.clock()) >= 1
    (known,) = await bank.disputes.of_order(order_id)
    assert known.closed_at is not None
    assert till.stripe_transfers.seller_has(dispute.intent_id or "") == 5400
    assert (await balances_of(order_id))["seller:sel_1"] == 5400


async def test_a_reversal_stripe_refuses_is_a_debt_that_a_win_forgives(
    bank: Bank, till: Till, order_id: str
) -> None:
    """A pull-back that failed left the platform out of money without a trace."""
    payment = await till.paid(order_id)
    till.stripe_transfers.reversals_refused = "insufficient_funds"
    dispute = bank.stripe.open(payment, till.clock())
    await bank.disputes.refresh(dispute.id)
    owed = (await balances_of(order_id))["seller:sel_1:debt"]
    assert owed == -5400
    await bank.disputes.refresh(bank.stripe.wins(dispute).id)
    held = await balances_of(order_id)
    assert (held["seller:sel_1:debt"], held["seller:sel_1"]) == (0, 5400)


async def test_a_reserve_is_only_in_the_books_until_the_dispute_is_lost(
    till: Till, order_id: str
) -> None:
    bank = Bank(till, policy="reserve")
    dispute = await bank.opens(order_id, withdrawn=4000)
    assert (await balances_of(order_id))["seller:sel_1:reserve"] == 4000
    dispute = await bank.tells(dispute, withdrawn=6000)
    held = await balances_of(order_id)
    assert held["seller:sel_1:reserve"] == 6000
    assert till.stripe_transfers.seller_has(dispute.intent_id or "") == 5400
    await bank.tells(dispute, status="lost")
    held = await balances_of(order_id)
    assert (held["seller:sel_1:reserve"], held["seller:sel_1"]) == (0, 0)


async def test_a_lost_dispute_leaves_nothing_to_refund_and_nobody_is_promised_any(
    bank: Bank, till: Till, order_id: str
) -> None:
    """Refused by Stripe only, the buyer was written that their refund could not be delivered."""
    dispute = await bank.opens(order_id)
    await bank.tells(dispute, status="lost", reinstated=2000)
    with pytest.raises(PaymentDisputed):
        await till.refund(order_id, 100)
    assert "RefundFailed" not in till.heard()


async def test_an_inquiry_takes_nothing_until_it_escalates(
    bank: Bank, till: Till, order_id: str
) -> None:
    inquiry = await bank.opens(
        order_id, status="warning_needs_response", refundable=True, withdrawn=0, cost=0
    )
    assert "disputes" not in await balances_of(order_id)
    await bank.tells(inquiry, status="needs_response", refundable=False, withdrawn=6000, cost=1500)
    assert (await balances_of(order_id))["disputes"] == -6000
    opened = [event.inquiry for event in till.told if isinstance(event, DisputeOpened)]
    assert opened == [True, False]


async def test_a_refund_before_the_dispute_lessens_what_is_taken(
    bank: Bank, till: Till, order_id: str
) -> None:
    """A refund and a dispute together never take more from a seller than they had."""
    await till.paid(order_id)
    await till.refund(order_id, 2000)
    payment = await till.payments.find(order_id)
    assert payment is not None
    dispute = bank.stripe.open(payment, till.clock(), amount=4000, withdrawn=4000)
    await bank.disputes.refresh(dispute.id)
    assert (await balances_of(order_id))["seller:sel_1"] == 0
    with pytest.raises(PaymentDisputed):
        await till.refund(order_id, 100)


async def test_a_bank_takes_more_than_was_left_and_the_seller_gives_what_they_had(
    bank: Bank, till: Till, order_id: str
) -> None:
    """Refunded in part, then disputed in full: the seller was debited beyond what they had."""
    await till.paid(order_id)
    await till.refund(order_id, 3000)
    payment = await till.payments.find(order_id)
    assert payment is not None
    dispute = bank.stripe.open(payment, till.clock(), amount=6000, withdrawn=6000)
    await bank.disputes.refresh(dispute.id)
    held = await balances_of(order_id)
    assert (held["seller:sel_1"], held["disputes"]) == (0, -6000)


async def test_two_disputes_of_one_payment_take_the_share_once(
    bank: Bank, till: Till, order_id: str
) -> None:
    payment = await till.paid(order_id, amount=1001, application_fee=333)
    for amount in (500, 501):
        dispute = bank.stripe.open(payment, till.clock(), amount=amount, withdrawn=amount)
        await bank.disputes.refresh(dispute.id)
    assert (await balances_of(order_id))["seller:sel_1"] == 0


async def test_a_dispute_won_in_part_lessens_the_debt_it_left(
    bank: Bank, till: Till, order_id: str
) -> None:
    payment = await till.paid(order_id)
    till.stripe_transfers.reversals_refused = "insufficient_funds"
    dispute = bank.stripe.open(payment, till.clock())
    await bank.disputes.refresh(dispute.id)
    assert (await balances_of(order_id))["seller:sel_1:debt"] == -5400
    partly = bank.stripe.moves(dispute, status="lost", reinstated=3000)
    for _ in range(3):
        await bank.disputes.refresh(partly.id)
    assert (await balances_of(order_id))["seller:sel_1:debt"] == -2700


async def test_the_share_of_any_split_adds_up(till: Till, order_id: str) -> None:
    payment = await till.paid(order_id, amount=1001, application_fee=333)
    whole = seller_share(payment, 1001)
    assert whole == 1001 - 333
    for refunded in range(0, 1001, 7):
        after = msgspec.structs.replace(payment, amount_refunded=refunded)
        assert 0 <= seller_share(after, 1001 - refunded) <= 1001 - refunded


async def test_a_dispute_of_a_payment_we_do_not_know_yet_waits(
    bank: Bank, till: Till, order_id: str
) -> None:
    intent = await till.open(order_id)
    payment = await till.payments.find(order_id)
    assert payment is not None
    unheard = msgspec.structs.replace(payment, charge_id="ch_unheard", amount_captured=6000)
    dispute = bank.stripe.open(unheard, till.clock())
    with pytest.raises(PaymentNotFound):
        await bank.disputes.refresh(dispute.id)
    till.gateway.pay(intent.intent_id)
    await till.payments.refresh_intent(order_id, IntentId(intent.intent_id))
    await bank.disputes.refresh(dispute.id)
    assert len(await bank.disputes.of_order(order_id)) == 1


async def test_evidence_is_submitted_once_whatever_gets_lost(
    bank: Bank, till: Till, order_id: str
) -> None:
    await bank.opens(order_id)
    (known,) = await bank.disputes.of_order(order_id)
    bank.stripe.lose_answer_after()
    said = {"uncategorized_text": "It was delivered."}
    async with transaction():
        operation_id = await bank.disputes.plan_submission(known.id, said, till.clock())
    with pytest.raises(OutcomeUnknown):
        await bank.disputes.carry_out(operation_id)
    till.clock.move(minutes=2)
    await till.operations.resume_due(till.clock())
    (known,) = await bank.disputes.of_order(order_id)
    assert (known.status, known.evidence_submitted_at is not None) == ("under_review", True)
    sent = await rows(
        "SELECT state FROM operations WHERE subject = $1 AND kind = 'dispute_evidence'", known.id
    )
    assert [one["state"] for one in sent] == ["succeeded"]
    async with transaction():
        with pytest.raises(DisputeStepRefused):
            await bank.disputes.plan_submission(known.id, said, till.clock())


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"receipt": "file_1"}, "unknown_field"),
        ({}, "nothing_said"),
        ({"uncategorized_text": "  "}, "nothing_said"),
        ({"uncategorized_text": "x" * 150_001}, "too_long"),
    ],
)
async def test_evidence_the_bank_cannot_be_sent_is_refused(
    bank: Bank, till: Till, order_id: str, fields: dict[str, str], why: str
) -> None:
    await bank.opens(order_id)
    (known,) = await bank.disputes.of_order(order_id)
    async with transaction():
        with pytest.raises(EvidenceRefused) as refusal:
            await bank.disputes.plan_submission(known.id, fields, till.clock())
    assert refusal.value.why == why


async def test_overdue_evidence_and_giving_up_an_inquiry_are_refused(
    bank: Bank, till: Till, order_id: str
) -> None:
    await bank.opens(order_id, status="warning_needs_response", withdrawn=0, cost=0)
    (known,) = await bank.disputes.of_order(order_id)
    async with transaction():
        with pytest.raises(DisputeStepRefused):
            await bank.disputes.plan_acceptance(known.id, till.clock())
    till.clock.move(days=10)
    async with transaction():
        with pytest.raises(DisputeStepRefused) as refusal:
            await bank.disputes.plan_submission(
                known.id, {"uncategorized_text": "late"}, till.clock()
            )
    assert refusal.value.dispute_status == "overdue"
