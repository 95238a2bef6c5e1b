"""Reconciliation: no difference after honest days, and every planted difference is named."""

from datetime import datetime, timedelta

import pytest

from payments.database import execute
from payments.ids import new_id
from payments.reconciliation import Reconciled, reconcile
from tests.payments.conftest import Till


@pytest.fixture
def since(till: Till) -> datetime:
    return till.clock() - timedelta(seconds=1)


async def reconciled(till: Till, since: datetime) -> Reconciled:
    return await reconcile(till.gateway, since=since, until=till.clock() + timedelta(seconds=5))


@pytest.fixture(autouse=True)
async def _only_this_tests_payments() -> None:
    await execute(
        "UPDATE payments SET created_at = created_at",
    )
    await execute("ALTER TABLE payments DISABLE TRIGGER payments_guarded")
    await execute("UPDATE payments SET created_at = created_at - interval '1 day'")
    await execute("ALTER TABLE payments ENABLE TRIGGER payments_guarded")


async def test_a_day_of_payments_captures_and_refunds_has_no_difference(
    till: Till, since: datetime
) -> None:
    for amount, fee in ((6000, 600), (12345, 1235), (50, 0)):
        order_id = new_id("ord")
        await till.paid(order_id, amount=amount, application_fee=fee)
    held = new_id("ord")
    intent = await till.open(held, capture_method="manual")
    till.gateway.pay(intent.intent_id)
    await till.payments.refresh(held)
    await till.capture(held)
    await till.refund(held, 1999)
    await till.refund(held)
    found = await reconciled(till, since)
    assert found.differences == []
    assert (found.payments, found.balance_transactions > 8) == (4, True)


async def test_what_moves_of_an_older_payment_is_no_difference(till: Till) -> None:
    """A refund of last week's order, a hold of Monday captured on Thursday."""
    paid, held = new_id("ord"), new_id("ord")
    await till.paid(paid)
    intent = await till.open(held, capture_method="manual")
    till.gateway.pay(intent.intent_id)
    await till.payments.refresh(held)
    since = till.clock.move(days=3)
    till.clock.move(seconds=2)
    await till.capture(held)
    await till.refund(paid)
    found = await reconciled(till, since)
    assert found.differences == []
    assert (found.payments, found.balance_transactions > 5) == (0, True)


async def test_money_our_books_do_not_know_is_a_difference(till: Till, since: datetime) -> None:
    order_id = new_id("ord")
    intent = await till.open(order_id)
    till.gateway.pay(intent.intent_id)
    found = await reconciled(till, since)
    assert {one.what for one in found.differences} >= {"missing_here:charged"}
    await till.payments.refresh(order_id)
    assert (await reconciled(till, since)).differences == []


async def test_a_posting_stripe_does_not_have_is_a_difference(till: Till, since: datetime) -> None:
    order_id = new_id("ord")
    payment = await till.paid(order_id)
    await execute(
        "INSERT INTO postings SELECT 'pst_wrong', 'wrong', 'refund', 'seller:sel_1', 'buyers', 77, currency, "
        "order_id, id, seller_id, created_at, created_at FROM payments WHERE id = $1",
        payment.id,
    )
    found = await reconciled(till, since)
    assert {(one.what, one.ours, one.theirs) for one in found.differences} == {
        ("refunded", -77, 0),
        ("transfer_reversed", 77, 0),
    }
    assert {one.order_id for one in found.differences} == {order_id}
