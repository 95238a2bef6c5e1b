"""A seller's share taken back and sent again: once per cause, never twice, and a debt where it is refused."""

import pytest

from payments import ledger
from payments.database import execute, lock_order, rows, transaction
from payments.errors import (
    NoTransaction,
    NotSent,
    OutcomeUnknown,
    SnapshotContradicts,
    StripeRejected,
)
from payments.ids import OperationId, new_id
from tests.payments.conftest import Till, balances_of, postings
from tests.payments.sellers_side import (
    debts_of,
    movement_of,
    payment_of,
    require_same_at_stripe,
    reverse,
    send,
)


def cause() -> str:
    return f"dispute:{new_id('dsp')}"


async def test_a_reversal_takes_the_sellers_share_and_a_transfer_brings_it_back(
    till: Till, order_id: str
) -> None:
    await till.paid(order_id)
    why = cause()
    operation_id = await reverse(till, order_id, 4000, why)
    assert operation_id is not None
    await till.transfers.carry_out(operation_id)
    assert await require_same_at_stripe(till, order_id) == 6000 - 600 - 4000
    payment = await payment_of(till, order_id)
    assert (payment.transfer_reversed, payment.transfer_restored) == (4000, 0)
    operation_id = await send(till, order_id, 4000, why)
    assert operation_id is not None
    await till.transfers.carry_out(operation_id)
    assert await require_same_at_stripe(till, order_id) == 5400
    payment = await payment_of(till, order_id)
    assert (payment.transfer_reversed, payment.transfer_restored) == (4000, 4000)
    assert (await balances_of(order_id))[ledger.RECOVERED] == 0


async def test_the_same_cause_takes_once(till: Till, order_id: str) -> None:
    """gumroad 4372: refund and dispute debited the seller twice."""
    await till.paid(order_id)
    why = cause()
    first, again = (
        await reverse(till, order_id, 2000, why),
        await reverse(till, order_id, 2000, why),
    )
    assert first == again
    assert first is not None
    await till.transfers.carry_out(first)
    assert await reverse(till, order_id, 2000, why) == first
    assert await require_same_at_stripe(till, order_id) == 3400


async def test_what_a_refund_took_a_dispute_does_not_take_again(till: Till, order_id: str) -> None:
    await till.paid(order_id)
    await till.refund(order_id, 4500)
    why = cause()
    assert await reverse(till, order_id, 6000, why) is not None
    assert await movement_of(why, "reversal") == ("planned", 1500)
    assert await reverse(till, order_id, 6000, cause()) is None, "nothing is left"
    await till.sweep()
    payment = await payment_of(till, order_id)
    assert payment.transfer_reversed == 6000
    assert await debts_of(order_id) == []


async def test_nothing_is_sent_that_was_not_taken(till: Till, order_id: str) -> None:
    await till.paid(order_id)
    assert await send(till, order_id, 1000, cause()) is None
    why = cause()
    await reverse(till, order_id, 1000, why)
    await till.sweep()
    await send(till, order_id, 5000, why)
    assert await movement_of(why, "transfer") == ("planned", 1000)


async def test_a_reversal_is_planned_in_a_transaction(till: Till, order_id: str) -> None:
    payment = await till.paid(order_id)
    with pytest.raises(NoTransaction):
        await till.transfers.plan_reversal(payment.id, 100, cause(), till.clock())


async def test_a_reversal_whose_answer_got_lost_is_made_once(till: Till, order_id: str) -> None:
    await till.paid(order_id)
    why = cause()
    operation_id = await reverse(till, order_id, 1000, why)
    assert operation_id is not None
    till.stripe_transfers.lose_answer_after()
    with pytest.raises(OutcomeUnknown):
        await till.transfers.carry_out(operation_id)
    assert await movement_of(why, "reversal") == ("planned", 1000)
    till.clock.move(seconds=10)
    await till.sweep()
    assert await movement_of(why, "reversal") == ("succeeded", 1000)
    assert await require_same_at_stripe(till, order_id) == 4400
    asked = [one.key for one in till.stripe_transfers.asked if one.key.startswith(why)]
    assert set(asked) == {f"{why}:reversal"}


async def test_a_lost_reversal_older_than_its_key_is_read_back(till: Till, order_id: str) -> None:
    """gumroad 7109, spree 14500: an unknown transfer was sent again after the key had lapsed."""
    await till.paid(order_id)
    operation_id = await reverse(till, order_id, 1000, cause())
    assert operation_id is not None
    till.stripe_transfers.lose_answer_after()
    with pytest.raises(OutcomeUnknown):
        await till.transfers.carry_out(operation_id)
    till.clock.move(hours=30)
    await till.sweep()
    assert [one.method for one in till.stripe_transfers.asked] == ["reverse"]
    assert await require_same_at_stripe(till, order_id) == 4400


async def test_a_reversal_that_stripe_refuses_is_a_debt(till: Till, order_id: str) -> None:
    """liberapay 1421: what recipients lost was never pulled from them, and nobody knew."""
    payment = await till.paid(order_id)
    why = cause()
    operation_id = await reverse(till, order_id, 4000, why)
    assert operation_id is not None
    till.stripe_transfers.reversals_refused = "balance_insufficient"
    with pytest.raises(StripeRejected):
        await till.transfers.carry_out(operation_id)
    assert await debts_of(order_id) == [("dispute", 4000, 0, False)]
    assert till.heard()[-1] == "DebtOpened"
    held = await balances_of(order_id)
    assert held[ledger.debt_account(payment.seller_id)] == -4000
    assert held[ledger.RECOVERED] == 4000
    assert await require_same_at_stripe(till, order_id) == 5400
    # Taken once: nobody asks for it again under another name.
    assert await reverse(till, order_id, 4000, cause()) is not None
    [second] = await rows(
        "SELECT amount FROM transfer_movements WHERE order_id = $1 AND status = 'planned'", order_id
    )
    assert second["amount"] == 2000


async def test_money_that_is_the_sellers_is_sent_when_there_is_money(
    till: Till, order_id: str
) -> None:
    """A definite no under one key, so the next try is a new request, hours later."""
    await till.paid(order_id)
    why = cause()
    await reverse(till, order_id, 1000, why)
    await till.sweep()
    operation_id = await send(till, order_id, 1000, why)
    assert operation_id is not None
    till.stripe_transfers.transfers_refused = "balance_insufficient"
    with pytest.raises(StripeRejected):
        await till.transfers.carry_out(operation_id)
    assert await till.operations.resume_due(till.clock(), 10) == 0, "not at once"
    till.stripe_transfers.transfers_refused = None
    till.clock.move(hours=1, seconds=1)
    await till.sweep()
    keys = [one.key for one in till.stripe_transfers.asked if one.method == "transfer"]
    assert keys == [f"{why}:transfer", f"{why}:transfer:2"]
    assert await movement_of(why, "transfer") == ("succeeded", 1000)
    assert await require_same_at_stripe(till, order_id) == 5400


async def test_money_that_can_never_be_sent_is_given_up_after_a_month_of_alarms(
    till: Till, order_id: str
) -> None:
    """gumroad 5854: a returned payout sat on a retired account for ever."""
    await till.paid(order_id)
    why = cause()
    await reverse(till, order_id, 1000, why)
    await till.sweep()
    await send(till, order_id, 1000, why)
    till.stripe_transfers.transfers_refused = "account_closed"
    for _ in range(40):
        await till.sweep()
        till.clock.move(days=1, seconds=1)
    asked = [one.key for one in till.stripe_transfers.asked if one.key.startswith(why)]
    assert len([key for key in asked if ":transfer" in key]) == 30
    assert await movement_of(why, "transfer") == ("refused", 1000)
    assert till.heard()[-1] == "TransferGivenUp"


async def test_a_transfer_that_was_given_up_is_sent_when_somebody_says_so(
    till: Till, order_id: str
) -> None:
    """Under the next key, once, and only while it is owed; nothing else is ever sent again."""
    payment = await till.paid(order_id)
    why = cause()
    await reverse(till, order_id, 1000, why)
    await till.sweep()
    await send(till, order_id, 1000, why)
    [movement] = [one for one in await till.transfers.of_cause(why) if one.kind == "transfer"]

    async def again(movement_id: str) -> OperationId | None:
        async with transaction():
            await lock_order(order_id)
            return await till.transfers.send_again(movement_id, till.clock())

    assert await again(movement.id) is None, "it is being tried"
    till.stripe_transfers.transfers_refused = "account_closed"
    for _ in range(31):
        await till.sweep()
        till.clock.move(days=1, seconds=1)
    operation_id = await again(movement.id)
    assert operation_id is not None
    with pytest.raises(StripeRejected):
        await till.transfers.carry_out(operation_id)
    assert await movement_of(why, "transfer") == ("refused", 1000)
    assert till.heard()[-1] == "TransferGivenUp"
    till.stripe_transfers.transfers_refused = None
    operation_id = await again(movement.id)
    assert operation_id is not None
    till.stripe_transfers.lose_answer_after()
    with pytest.raises(OutcomeUnknown):
        await till.transfers.carry_out(operation_id)
    assert await again(movement.id) is None, "its outcome is open"
    till.clock.move(minutes=1)
    await till.sweep()
    assert await movement_of(why, "transfer") == ("succeeded", 1000)
    assert till.heard()[-1] == "TransferSent"
    assert await require_same_at_stripe(till, order_id) == 5400
    assert await again(movement.id) is None
    reversal = next(one for one in await till.transfers.of_cause(why) if one.kind == "reversal")
    assert await again(reversal.id) is None
    # What another cause has sent meanwhile is not owed twice.
    await execute("UPDATE transfer_movements SET status = 'refused' WHERE id = $1", movement.id)
    await execute(
        "INSERT INTO transfer_movements (id, payment_id, order_id, seller_id, currency, kind, amount, "
        "cause, status, created_at, updated_at) VALUES ($1, $2, $3, $4, 'eur', 'transfer', 1000, $1, "
        "'succeeded', $5, $5)",
        new_id("mvt"),
        payment.id,
        order_id,
        payment.seller_id,
        till.clock(),
    )
    assert await again(movement.id) is None


async def test_a_reversal_answered_in_another_currency_is_not_booked(
    till: Till, order_id: str
) -> None:
    """gumroad 6464: 416 were reversed against a transfer of 366, in the wrong currency."""
    await till.paid(order_id)
    before = await postings(order_id)
    operation_id = await reverse(till, order_id, 1000, cause())
    assert operation_id is not None
    till.stripe_transfers.currency = "usd"
    with pytest.raises(SnapshotContradicts):
        await till.transfers.carry_out(operation_id)
    assert await postings(order_id) == before


async def test_the_books_refuse_another_currency_for_an_orders_money(
    till: Till, order_id: str
) -> None:
    """gumroad 5175: an exchange difference booked as the seller's grew a phantom balance."""
    payment = await till.paid(order_id)
    subject = ledger.Subject(
        payment_id=payment.id, order_id=order_id, seller_id=payment.seller_id, currency="usd"
    )
    entry = ledger.Entry(
        cause=new_id("x"),
        kind="transfer",
        source=ledger.RECOVERED,
        target=ledger.seller_account(payment.seller_id),
        amount=1,
        occurred_at=till.clock(),
    )
    with pytest.raises(Exception, match="foreign key"):
        async with transaction():
            await ledger.post(subject, [entry], till.clock())


async def test_a_posting_may_belong_to_a_seller_alone(till: Till) -> None:
    seller_id = new_id("sel")
    subject = ledger.Subject(seller_id=seller_id, currency="eur")
    entry = ledger.Entry(
        cause=new_id("po"),
        kind="payout",
        source=ledger.seller_account(seller_id),
        target=ledger.BANKS,
        amount=77,
        occurred_at=till.clock(),
    )
    async with transaction():
        assert await ledger.post(subject, [entry], till.clock()) == 1
    found = {one.account: one.amount for one in await ledger.balances()}
    assert found[ledger.seller_account(seller_id)] == -77


async def test_money_sent_again_can_be_taken_again(till: Till, order_id: str) -> None:
    """A dispute that was won, then a refund of what is left: from the transfer that holds it."""
    await till.paid(order_id)
    won = cause()
    await reverse(till, order_id, 6000, won)
    await till.sweep()
    await send(till, order_id, 6000, won)
    await till.sweep()
    refund = await till.refund(order_id, 2500)
    assert (refund.status, refund.transfer_amount, refund.fee_amount) == ("succeeded", 0, 250)
    assert await movement_of(f"refund:{refund.id}", "reversal") == ("succeeded", 2500)
    assert await require_same_at_stripe(till, order_id) == 6000 - 600 - 2500 + 250
    await till.refund(order_id)
    assert await require_same_at_stripe(till, order_id) == 0
    assert await debts_of(order_id) == []


async def test_a_reversal_takes_from_every_transfer_that_holds_something(
    till: Till, order_id: str
) -> None:
    await till.paid(order_id)
    first, second = cause(), cause()
    await reverse(till, order_id, 4000, first)
    await till.sweep()
    await send(till, order_id, 4000, first)
    await till.sweep()
    operation_id = await reverse(till, order_id, 5000, second)
    assert operation_id is not None
    await till.transfers.carry_out(operation_id)
    parts = await till.transfers.of_cause(second)
    assert sorted((one.amount, one.status) for one in parts) == [
        (1000, "succeeded"),
        (4000, "succeeded"),
    ]
    assert await require_same_at_stripe(till, order_id) == 400


async def test_the_totals_of_transfers_follow_the_books(till: Till, order_id: str) -> None:
    await till.paid(order_id)
    await till.refund(order_id, 1000)
    await reverse(till, order_id, 2000, cause())
    await till.sweep()
    payment = await payment_of(till, order_id)
    assert (payment.transfer_reversed, payment.transfer_restored) == (3000, 0)
    with pytest.raises(Exception, match="never go down"):
        await execute("UPDATE payments SET transfer_reversed = 0 WHERE id = $1", payment.id)


@pytest.mark.parametrize(
    ("taken_there", "debt"),
    [(6000, None), (5000, None), (3000, 1000)],
)
async def test_what_somebody_took_back_at_stripe_is_not_owed_again(
    till: Till, order_id: str, taken_there: int, debt: int | None
) -> None:
    """The seller has given it already: a debt for it would debit them twice."""
    payment = await till.paid(order_id)
    assert payment.transfer_id is not None
    till.stripe_transfers.reverse_at_dashboard(payment.transfer_id, taken_there)
    operation_id = await reverse(till, order_id, 4000, cause())
    assert operation_id is not None
    with pytest.raises(StripeRejected):
        await till.transfers.carry_out(operation_id)
    assert await require_same_at_stripe(till, order_id) == 5400 - taken_there
    assert (await payment_of(till, order_id)).transfer_reversed == taken_there
    assert await debts_of(order_id) == ([] if debt is None else [("dispute", debt, 0, False)])


async def test_a_transfer_that_somebody_reversed_at_stripe_is_booked_once(
    till: Till, order_id: str
) -> None:
    """And a refund after it takes only what is left: the seller never gives more than they got."""
    payment = await till.paid(order_id)
    transfer_id = payment.transfer_id or ""
    till.stripe_transfers.reverse_at_dashboard(transfer_id, 700)
    till.stripe_transfers.reverse_at_dashboard(transfer_id, 300)
    for _ in range(2):
        await till.transfers.refresh(transfer_id)
    assert await require_same_at_stripe(till, order_id) == 5400 - 1000
    assert till.heard().count("TransferReversed") == 1
    till.stripe_transfers.reverse_at_dashboard(transfer_id, 50)
    await till.transfers.refresh(transfer_id)
    assert await require_same_at_stripe(till, order_id) == 5400 - 1050
    why = cause()
    assert await reverse(till, order_id, 6000, why) is not None
    assert await movement_of(why, "reversal") == ("planned", 4950)
    await till.sweep()
    assert await require_same_at_stripe(till, order_id) == -600
    assert await debts_of(order_id) == []
    await till.transfers.refresh("tr_of_another_program")


async def test_what_was_taken_at_stripe_while_ours_is_on_its_way_waits(
    till: Till, order_id: str
) -> None:
    """Only its end tells which of the two took what: then each is booked once."""
    payment = await till.paid(order_id)
    transfer_id = payment.transfer_id or ""
    operation_id = await reverse(till, order_id, 4000, cause())
    assert operation_id is not None
    till.stripe_transfers.reverse_at_dashboard(transfer_id, 6000)
    with pytest.raises(NotSent):
        await till.transfers.refresh(transfer_id)
    with pytest.raises(StripeRejected):
        await till.transfers.carry_out(operation_id)
    await till.transfers.refresh(transfer_id)
    assert await require_same_at_stripe(till, order_id) == -600
    assert await debts_of(order_id) == []


async def test_a_no_is_no_debt_while_nobody_can_look_who_took_the_money(
    till: Till, order_id: str
) -> None:
    payment = await till.paid(order_id)
    assert payment.transfer_id is not None
    operation_id = await reverse(till, order_id, 4000, cause())
    assert operation_id is not None
    till.stripe_transfers.reverse_at_dashboard(payment.transfer_id, 6000)
    till.stripe_transfers.looks_refused = 1
    with pytest.raises(OutcomeUnknown):
        await till.transfers.carry_out(operation_id)
    assert await debts_of(order_id) == []
    till.clock.move(seconds=10)
    await till.sweep()
    assert await debts_of(order_id) == []
    assert await require_same_at_stripe(till, order_id) == -600
