"""Refunds that wait, fail or are canceled: afterwards everybody has what they had before, to the unit."""

from typing import Any

import msgspec
import pytest

from payments import ledger
from payments.database import value
from payments.gateway import RefundSnapshot
from payments.ids import new_id
from payments.records import RefundRecord
from payments.refund_policy import RefundPolicy
from tests.payments.conftest import Till, balances_of
from tests.payments.sellers_side import (
    debts_of,
    movement_of,
    payment_of,
    require_same_at_stripe,
    reverse,
    send,
)


async def bounce(till: Till, order_id: str, refund: RefundRecord) -> None:
    """The buyer's bank sends the money back, and we hear of it."""
    assert refund.stripe_refund_id is not None
    till.gateway.fail_refund(refund.stripe_refund_id)
    await till.payments.refresh(order_id)


@pytest.mark.parametrize("fee", [600, 333, 0])
async def test_a_refund_that_failed_days_later_leaves_everybody_as_they_were(
    till: Till, order_id: str, fee: int
) -> None:
    """woocommerce-gateway-stripe 4405: the order stayed refunded though the bank had sent it back."""
    await till.paid(order_id, application_fee=fee)
    before = await require_same_at_stripe(till, order_id)
    refund = await till.refund(order_id, 1999)
    await bounce(till, order_id, refund)
    cause = f"refund:{refund.id}"
    status, amount = await movement_of(cause, "transfer")
    assert (status, amount) == ("planned", 1999 - refund.fee_amount)
    await require_same_at_stripe(till, order_id)
    await till.sweep()
    assert await require_same_at_stripe(till, order_id) == before
    payment = await payment_of(till, order_id)
    assert payment.amount_refunded == 0
    held = await balances_of(order_id)
    # The fee that was returned with it stays with the platform by way of a smaller transfer.
    assert held[ledger.FEES] + held[ledger.RECOVERED] == fee - payment.processing_cost
    assert till.heard()[-1] == "RefundFailed"


async def test_after_a_refund_failed_it_can_be_refunded_again(till: Till, order_id: str) -> None:
    """gumroad 5779: after a bounce the second refund did not debit the seller."""
    await till.paid(order_id, application_fee=333)
    first = await till.refund(order_id)
    await bounce(till, order_id, first)
    await till.sweep()
    assert await require_same_at_stripe(till, order_id) == 5667
    second = await till.refund(order_id)
    assert (second.status, second.amount, second.fee_amount) == ("succeeded", 6000, 333)
    assert await movement_of(f"refund:{second.id}", "reversal") == ("succeeded", 5667)
    assert await require_same_at_stripe(till, order_id) == 0
    assert await debts_of(order_id) == []
    payment = await payment_of(till, order_id)
    assert (payment.amount_refunded, payment.fee_refunded) == (6000, 333)
    held = await balances_of(order_id)
    assert held[ledger.FEES] + held[ledger.RECOVERED] == -payment.processing_cost


async def test_refunds_that_fail_again_and_again_cost_nobody_anything(
    till: Till, order_id: str
) -> None:
    await till.paid(order_id, application_fee=777)
    before = await require_same_at_stripe(till, order_id)
    for amount in (1999, 6000, 1, 3333):
        refund = await till.refund(order_id, amount)
        await till.sweep()
        await bounce(till, order_id, refund)
        await till.sweep()
        assert await require_same_at_stripe(till, order_id) == before, amount
    await till.refund(order_id, 1999)
    await till.refund(order_id)
    await till.sweep()
    assert await require_same_at_stripe(till, order_id) == 0
    assert await debts_of(order_id) == []


async def test_a_second_refund_before_the_seller_has_their_money_back_takes_it_later(
    till: Till, order_id: str
) -> None:
    """Refunded again while the transfer to the seller is on its way: what cannot be taken is owed."""
    await till.paid(order_id)
    first = await till.refund(order_id)
    await bounce(till, order_id, first)
    second = await till.refund(order_id)
    await till.sweep()
    assert second.status == "succeeded"
    held = await require_same_at_stripe(till, order_id)
    owed = sum(amount - settled for _, amount, settled, _ in await debts_of(order_id))
    assert held - owed == 0


async def test_a_refund_the_platform_bore_fails_and_nobody_is_sent_anything(
    till: Till, order_id: str
) -> None:
    await till.paid(order_id)
    refund = await till.refund(order_id, policy=RefundPolicy(bearer="platform", fee="keep"))
    await bounce(till, order_id, refund)
    await till.sweep()
    assert await require_same_at_stripe(till, order_id) == 5400
    assert (await balances_of(order_id))[ledger.REFUNDS_BORNE] == 0
    assert await value("SELECT count(*) FROM transfer_movements WHERE order_id = $1", order_id) == 0


async def test_a_debt_for_a_refund_that_failed_is_no_longer_owed(till: Till, order_id: str) -> None:
    payment = await till.paid(order_id)
    won = "dispute:" + new_id("dsp")
    await reverse(till, order_id, 6000, won)
    await till.sweep()
    await send(till, order_id, 6000, won)
    await till.sweep()
    till.stripe_transfers.reversals_refused = "balance_insufficient"
    refund = await till.refund(order_id, 1500)
    assert await debts_of(order_id) == [("refund", 1500, 0, False)]
    await bounce(till, order_id, refund)
    await till.sweep()
    assert (await debts_of(order_id))[0] == ("refund", 1500, 1500, True)
    # The fee of that part had been returned: it is owed now, since nothing could be taken back.
    assert (await debts_of(order_id))[1:] == [("fee_of", 150, 0, False)]
    held = await require_same_at_stripe(till, order_id)
    assert held == 5400 + 150
    owed = (await balances_of(order_id))[ledger.debt_account(payment.seller_id)]
    assert held + owed == 5400


async def test_a_refund_that_failed_while_its_reversal_was_under_way_is_put_right_afterwards(
    till: Till, order_id: str
) -> None:
    await till.paid(order_id)
    won = "dispute:" + new_id("dsp")
    await reverse(till, order_id, 6000, won)
    await till.sweep()
    await send(till, order_id, 6000, won)
    await till.sweep()
    before = await require_same_at_stripe(till, order_id)
    till.stripe_transfers.lose_answer_after(2)
    refund = await till.refund(order_id, 1500)
    await bounce(till, order_id, refund)
    till.clock.move(minutes=1)
    await till.sweep()
    assert await require_same_at_stripe(till, order_id) == before


def seen(till: Till, **changes: Any) -> RefundSnapshot:
    """A refund of 10.00 that somebody made at Stripe's Dashboard, taking the seller's part back."""
    facts: dict[str, Any] = {
        "id": new_id("re"),
        "refund_id": None,
        "amount": 1000,
        "currency": "eur",
        "status": "succeeded",
        "reason": None,
        "failure_reason": None,
        "moved": True,
        "transfer_reversal_id": new_id("trr"),
        "created_at": till.clock(),
    }
    return RefundSnapshot(**(facts | changes))


async def show(till: Till, order_id: str, refund: RefundSnapshot, fee: int = 0) -> RefundRecord:
    """Stripe shows the refund and `fee` more of the fee returned; answers our row of it."""
    intent_id = (await payment_of(till, order_id)).intent_id or ""
    till.gateway.show_refund(intent_id, refund)
    intent = till.gateway._require(intent_id)
    assert intent.charge is not None
    charge = msgspec.structs.replace(intent.charge, fee_refunded=intent.charge.fee_refunded + fee)
    till.gateway._keep(msgspec.structs.replace(intent, charge=charge))
    await till.payments.refresh(order_id)
    return next(
        one for one in await till.refunds.of_order(order_id) if one.stripe_refund_id == refund.id
    )


async def test_a_refund_that_waits_for_money_says_so_and_is_not_done(
    till: Till, order_id: str
) -> None:
    """commerce-stripe 134, woocommerce-payments 5986: a pending refund was shown as failed, or as done."""
    await till.paid(order_id)
    waiting = seen(till, status="pending", pending_reason="insufficient_funds", moved=False)
    refund = await show(till, order_id, waiting)
    assert (refund.status, refund.pending_reason) == ("pending", "insufficient_funds")
    assert (await payment_of(till, order_id)).amount_refunded == 0
    assert "RefundSucceeded" not in till.heard()
    # The seller's part is back already: the books know that it waits for the buyer's.
    held = await balances_of(order_id)
    assert (held["seller:sel_1"], held[ledger.RECOVERED]) == (4400, 1000)
    arrived = msgspec.structs.replace(waiting, status="succeeded", pending_reason=None, moved=True)
    refund = await show(till, order_id, arrived)
    assert (refund.status, refund.pending_reason) == ("succeeded", None)
    held = await balances_of(order_id)
    assert (held["seller:sel_1"], held[ledger.RECOVERED], held["buyers"]) == (4400, 0, -5000)


async def test_a_refund_under_way_whose_money_moved_is_booked_once(
    till: Till, order_id: str
) -> None:
    await till.paid(order_id)
    waiting = seen(till, status="pending", pending_reason="insufficient_funds", moved=False)
    await show(till, order_id, waiting)
    processing = msgspec.structs.replace(waiting, moved=True, pending_reason="processing")
    refund = await show(till, order_id, processing)
    assert (refund.status, refund.pending_reason) == ("pending", "processing")
    assert (await balances_of(order_id))["buyers"] == -5000
    await show(till, order_id, msgspec.structs.replace(processing, status="succeeded"))
    assert (await balances_of(order_id))["buyers"] == -5000


@pytest.mark.parametrize("status", ["canceled", "failed"])
async def test_a_refund_that_never_had_its_money_gives_the_seller_theirs_back(
    till: Till, order_id: str, status: str
) -> None:
    await till.paid(order_id)
    waiting = seen(till, status="pending", pending_reason="insufficient_funds", moved=False)
    await show(till, order_id, waiting, fee=100)
    over = msgspec.structs.replace(waiting, status=status, failure_reason="merchant_request")
    refund = await show(till, order_id, over)
    assert (refund.status, refund.fee_amount) == (status, 100)
    await till.sweep()
    assert await movement_of(f"refund:{refund.id}", "transfer") == ("succeeded", 900)
    held = await balances_of(order_id)
    assert (held["seller:sel_1"], held["buyers"]) == (5400, -6000)


@pytest.mark.parametrize(
    ("reversed_too", "fee", "borne_by"),
    [(True, 100, "seller:sel_1"), (True, 0, "seller:sel_1"), (False, 0, "platform:refunds")],
)
async def test_a_refund_made_at_stripe_is_imported_with_whatever_flags_it_had(
    till: Till, order_id: str, reversed_too: bool, fee: int, borne_by: str
) -> None:
    """Sylius 101, openfoodnetwork 5449: refunds of the dashboard were never imported."""
    await till.paid(order_id)
    before = await balances_of(order_id)
    made = seen(till) if reversed_too else seen(till, transfer_reversal_id=None)
    refund = await show(till, order_id, made, fee=fee)
    assert (refund.reverse_transfer, refund.return_fee) == (reversed_too, fee > 0)
    assert (refund.transfer_amount, refund.fee_amount) == (1000 if reversed_too else 0, fee)
    held = await balances_of(order_id)
    given = fee if borne_by.startswith("seller") else 0
    assert held[borne_by] - before.get(borne_by, 0) == -1000 + given
    # What is left is exactly what our own refund gives back.
    rest = await till.refund(order_id)
    assert rest.amount == 5000
    payment = await payment_of(till, order_id)
    assert payment.fee_refunded == fee + rest.fee_amount <= 600


async def test_several_refunds_made_at_stripe_each_keep_their_part_of_the_fee(
    till: Till, order_id: str
) -> None:
    await till.paid(order_id)
    intent_id = (await payment_of(till, order_id)).intent_id or ""
    first, second = seen(till, amount=1000), seen(till, amount=2000)
    till.gateway.show_refund(intent_id, first)
    await show(till, order_id, second, fee=300)
    imported = {one.amount: one.fee_amount for one in await till.refunds.of_order(order_id)}
    assert imported == {1000: 100, 2000: 200}
    rest = await till.refund(order_id)
    assert (rest.amount, rest.fee_amount) == (3000, 300)


async def test_a_reversal_that_stripe_cut_short_is_booked_as_it_was(
    till: Till, order_id: str
) -> None:
    await till.paid(order_id)
    refund = await show(till, order_id, seen(till, reversal_amount=400))
    assert refund.transfer_amount == 400
    held = await balances_of(order_id)
    assert (held["seller:sel_1"], held[ledger.REFUNDS_BORNE]) == (5000, -1000)
    assert held[ledger.RECOVERED] == 400
