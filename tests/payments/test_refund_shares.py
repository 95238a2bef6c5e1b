"""Who pays for a refund, through the journal: reversal and fee exact to the unit, over any sequence."""

import random
from typing import Any

import msgspec
import pytest

from payments import ledger
from payments.currencies import CURRENCIES
from payments.database import execute
from payments.errors import PaymentDisputed, RefundExceedsCaptured, StripeRejected
from payments.gateway import RefundSnapshot
from payments.ids import new_id
from payments.money import whole_share
from payments.refund_policy import RefundPolicy
from tests.payments.conftest import Till, at_once, balances_of
from tests.payments.sellers_side import debts_of, payment_of, require_same_at_stripe

KEEP = RefundPolicy(fee="keep")
PLATFORM = RefundPolicy(bearer="platform", fee="keep")


async def test_hundreds_of_partial_refunds_return_each_fee_exactly(till: Till) -> None:
    """dokan 3324: 6.45 became 6.44, because fee and seller's share were rounded apart."""
    dice = random.Random(7)
    for currency in ("eur", "jpy", "kwd", "isk"):
        step = CURRENCIES[currency].step
        for _ in range(12):
            order_id = new_id("ord")
            amount = dice.randint(6, 600) * 100
            fee = dice.randint(0, amount // step) * step
            await till.paid(order_id, amount=amount, application_fee=fee, currency=currency)
            left = amount
            while left:
                part = min(left, dice.randint(1, max(amount // step // 4, 1)) * step)
                await till.refund(order_id, part)
                left -= part
                payment = await payment_of(till, order_id)
                share = whole_share(fee, amount - left, amount, currency)
                assert share % step == 0, "Stripe would refuse to return it"
                assert (payment.amount_refunded, payment.fee_refunded) == (amount - left, share)
            assert await require_same_at_stripe(till, order_id) == 0


async def test_what_stripe_would_round_is_returned_by_our_own_number(
    till: Till, order_id: str
) -> None:
    await till.paid(order_id, application_fee=333)
    refund = await till.refund(order_id, 1999)
    asked = next(a.draft for a in till.gateway.asked if a.method == "create_refund")
    assert asked.refund_application_fee is False  # type: ignore[attr-defined]
    [returned] = till.stripe_transfers.asked
    assert (returned.method, returned.key) == ("return_fee", f"refund:{refund.id}:fee")
    assert refund.fee_amount == 111
    payment = await payment_of(till, order_id)
    assert payment.fee_refunded == 111
    await require_same_at_stripe(till, order_id)


async def test_a_full_refund_is_one_request(till: Till, order_id: str) -> None:
    await till.paid(order_id, application_fee=333)
    await till.refund(order_id)
    assert till.stripe_transfers.asked == []
    assert await require_same_at_stripe(till, order_id) == 0


async def test_a_fee_return_whose_answer_got_lost_is_made_once(till: Till, order_id: str) -> None:
    await till.paid(order_id, application_fee=333)
    till.stripe_transfers.lose_answer_after()
    refund = await till.refund(order_id, 1999)
    assert refund.status == "succeeded", "the buyer has their money"
    till.clock.move(seconds=10)
    await till.sweep()
    assert (await payment_of(till, order_id)).fee_refunded == 111
    await require_same_at_stripe(till, order_id)


async def test_a_fee_that_stripe_will_not_return_is_left_to_the_next_refund(
    till: Till, order_id: str
) -> None:
    await till.paid(order_id, application_fee=333)
    till.stripe_transfers.fee_returns_refused = "fee_refund_refused"
    first = await till.refund(order_id, 1999)
    assert (first.status, first.fee_amount) == ("succeeded", 0)
    till.stripe_transfers.fee_returns_refused = None
    await till.refund(order_id)
    assert (await payment_of(till, order_id)).fee_refunded == 333
    assert await require_same_at_stripe(till, order_id) == 0


async def test_a_charge_without_a_fee_is_refunded_without_asking_for_one(
    till: Till, order_id: str
) -> None:
    """alf.io 739: a fee refund asked on a charge with zero fee is an error."""
    await till.paid(order_id, application_fee=0)
    await till.refund(order_id, 1999)
    await till.refund(order_id)
    assert till.stripe_transfers.asked == []
    drafts = [a.draft for a in till.gateway.asked if a.method == "create_refund"]
    assert {draft.refund_application_fee for draft in drafts} == {False}  # type: ignore[attr-defined]
    assert await require_same_at_stripe(till, order_id) == 0


async def test_the_platform_keeps_its_fee_where_it_may(till: Till, order_id: str) -> None:
    await till.paid(order_id)
    await till.refund(order_id, policy=KEEP)
    assert await require_same_at_stripe(till, order_id) == -600
    assert (await payment_of(till, order_id)).fee_refunded == 0


async def test_a_refund_the_platform_bears_leaves_the_seller_whole(
    till: Till, order_id: str
) -> None:
    await till.paid(order_id)
    await till.refund(order_id, 2000, policy=PLATFORM)
    assert await require_same_at_stripe(till, order_id) == 5400
    assert (await balances_of(order_id))[ledger.REFUNDS_BORNE] == -2000
    await till.refund(order_id)
    held = await require_same_at_stripe(till, order_id)
    # The seller bears 40.00 of it and is given the fee of that part back.
    assert held == 5400 - 4000 + 400


async def test_a_reversal_refused_with_the_refund_does_not_keep_the_buyer_waiting(
    till: Till, order_id: str
) -> None:
    """pay-connector 1249: the refund went out, the pull-back failed, and who owed what was lost."""
    payment = await till.paid(order_id)
    till.stripe_transfers.reversals_refused = "balance_insufficient"
    refund = await _refused_together(till, order_id)
    assert (refund.status, refund.amount) == ("succeeded", 6000)
    assert await debts_of(order_id) == [("refund", 6000, 0, False)]
    held = await balances_of(order_id)
    assert held["buyers"] == 0
    assert held[ledger.debt_account(payment.seller_id)] == -6000
    # They keep the transfer and got the fee back: owing all of it, they end with nothing.
    assert await require_same_at_stripe(till, order_id) == 6000
    keys = [one.key for one in till.gateway.asked if one.method == "create_refund"]
    assert keys == [f"refund:{refund.id}", f"refund:{refund.id}:2"]


async def _refused_together(till: Till, order_id: str) -> Any:
    """Stripe refuses the refund while it is to take the seller's part too."""
    create = till.gateway.create_refund

    async def refusing(draft: Any, key: Any) -> RefundSnapshot:
        if draft.reverse_transfer:
            return till.gateway.once("create_refund", draft, key, _insufficient)
        return await create(draft, key)

    till.gateway.create_refund = refusing  # type: ignore[method-assign]
    return await till.refund(order_id)


def _insufficient() -> RefundSnapshot:
    raise StripeRejected("balance_insufficient")


async def test_a_refund_while_the_bank_takes_the_money_is_refused(
    till: Till, order_id: str
) -> None:
    """gumroad 4372: refunded while disputed, the same money went back twice."""
    payment = await till.paid(order_id)
    dispute_id = await _disputed(payment.id, amount=6000, withdrawn=6000)
    with pytest.raises(PaymentDisputed) as refused:
        await till.refund(order_id)
    assert refused.value.dispute_id == dispute_id
    assert await till.refunds.of_order(order_id) == []
    await execute(
        "UPDATE disputes SET status = 'won', amount_reinstated = 6000, refundable = true, "
        "closed_at = now() WHERE id = $1",
        dispute_id,
    )
    assert (await till.refund(order_id)).amount == 6000


async def test_an_inquiry_takes_nothing_and_forbids_nothing(till: Till, order_id: str) -> None:
    payment = await till.paid(order_id)
    await _disputed(payment.id, amount=6000, withdrawn=0, refundable=True)
    assert (await till.refund(order_id)).amount == 6000


async def test_what_a_dispute_took_for_good_is_not_refunded_too(till: Till, order_id: str) -> None:
    payment = await till.paid(order_id)
    dispute_id = await _disputed(payment.id, amount=2500, withdrawn=2500)
    await execute(
        "UPDATE disputes SET status = 'lost', closed_at = now() WHERE id = $1", dispute_id
    )
    with pytest.raises(PaymentDisputed):
        await till.refund(order_id, 100)
    # Should Stripe say that the rest may be refunded, it is the rest and no more.
    await execute("UPDATE disputes SET refundable = true WHERE id = $1", dispute_id)
    with pytest.raises(RefundExceedsCaptured) as refused:
        await till.refund(order_id, 3501)
    assert refused.value.refundable == 3500
    assert (await till.refund(order_id)).amount == 3500


async def test_parallel_refunds_by_every_policy_never_exceed_what_was_captured(
    till: Till, order_id: str
) -> None:
    await till.paid(order_id, application_fee=333)
    policies = (None, KEEP, PLATFORM)
    answers = await at_once(
        *[till.refund(order_id, 700, policy=policies[n % 3]) for n in range(20)]
    )
    assert sum(not isinstance(one, BaseException) for one in answers) == 8
    payment = await payment_of(till, order_id)
    assert payment.amount_refunded == 5600
    await require_same_at_stripe(till, order_id)


async def test_a_captured_payment_without_a_transfer_rings_the_alarm(
    till: Till, order_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Stripe skips the transfer of a charge whose seller could not receive: nothing is taken back."""
    payment = await till.paid(order_id)
    await execute("UPDATE payments SET transfer_id = NULL WHERE id = $1", payment.id)
    intent = till.gateway._require(payment.intent_id or "")
    assert intent.charge is not None
    charge = msgspec.structs.replace(intent.charge, transfer_id=None)
    till.gateway._keep(msgspec.structs.replace(intent, charge=charge))
    refund = await till.refund(order_id)
    assert (refund.status, refund.transfer_amount, refund.reverse_transfer) == (
        "succeeded",
        0,
        False,
    )
    assert (await balances_of(order_id))[ledger.REFUNDS_BORNE] == -6000
    assert await debts_of(order_id) == []


async def _disputed(
    payment_id: str, *, amount: int, withdrawn: int, refundable: bool = False
) -> str:
    dispute_id = new_id("dsp")
    await execute(
        "INSERT INTO disputes (id, stripe_dispute_id, payment_id, order_id, seller_id, currency, amount, "
        "reason, status, inquiry, amount_withdrawn, amount_reinstated, cost, cost_returned, policy, "
        "refundable, "
        "opened_at, checked_at, updated_at) "
        "SELECT $1, $1, id, order_id, seller_id, currency, $3, 'fraudulent', 'needs_response', $5, $4, 0, "
        "0, 0, 'reverse', $5, now(), now(), now() FROM payments WHERE id = $2",
        dispute_id,
        payment_id,
        amount,
        withdrawn,
        refundable,
    )
    return dispute_id


@pytest.mark.parametrize(("currency", "part"), [("jpy", 1_999), ("kwd", 1_990), ("isk", 1_900)])
async def test_minor_units_are_asked_of_stripe_as_they_are(
    till: Till, order_id: str, currency: str, part: int
) -> None:
    """stripe-sfcc 31, opencollective 4297: refunds of zero-decimal currencies were inflated by a hundred."""
    await till.paid(order_id, currency=currency, amount=6_000, application_fee=600)
    refund = await till.refund(order_id, part)
    drafts = [a.draft for a in till.gateway.asked if a.method == "create_refund"]
    assert [draft.amount for draft in drafts] == [part]  # type: ignore[attr-defined]
    assert (refund.amount, refund.currency) == (part, currency)
    payment = await payment_of(till, order_id)
    assert payment.fee_refunded == whole_share(600, part, 6_000, currency)
    await require_same_at_stripe(till, order_id)
