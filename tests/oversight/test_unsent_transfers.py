"""A seller's money that Stripe will not send is a case, until somebody's next try sends it."""

import pytest

from marketplace.orders.reactions import react
from marketplace.oversight import cases
from marketplace.oversight.cases import CaseFilter, CaseRecord
from marketplace.oversight.errors import CaseNotTried, CaseResolved
from marketplace.oversight.unsent_transfers import UnsentTransfers
from marketplace.paging import PageRequest
from payments.database import execute, lock_order, transaction, value
from payments.errors import PaymentsUnavailable, StripeRejected
from payments.events import TransferGivenUp
from payments.ids import new_id
from tests.orders.shop import Shop, account, database, listing, shop

__all__ = ["database", "shop"]


async def _given_up(shop: Shop) -> tuple[CaseRecord, str]:
    """A dispute was won, and for a month the seller's money could not be sent; the case and the order."""
    owner, _ = await shop.a_seller()
    order_id = await shop.place(await account(), ((await listing(owner, kind="session")).id, 1))
    await shop.pay(order_id)
    payment = await shop.payments.find_live(order_id)
    assert payment is not None
    cause = f"dispute:{new_id('dsp')}"
    async with transaction():
        await lock_order(order_id)
        taken = await shop.transfers.plan_reversal(payment.id, 1_000, cause, shop.clock())
    assert taken is not None
    await shop.transfers.carry_out(taken)
    async with transaction():
        await lock_order(order_id)
        await shop.transfers.plan_transfer(payment.id, 1_000, cause, shop.clock())
    shop.stripe_transfers.transfers_refused = "balance_insufficient"
    for _ in range(31):
        await shop.operations.resume_due(shop.clock.move(days=1, seconds=1))
    [case] = (await cases.page(CaseFilter(order_id=order_id), PageRequest(limit=5))).data
    return case, order_id


async def test_it_is_a_case_that_the_next_try_resolves(shop: Shop) -> None:
    admin = await account()
    await execute("UPDATE accounts SET is_admin = true WHERE id = $1", admin)
    case, order_id = await _given_up(shop)
    assert (case.kind, case.ours, case.theirs, case.state, case.last_run_id) == (
        "transfer_refused",
        1_000,
        "balance_insufficient",
        "open",
        None,
    )
    told = await value(
        "SELECT count(*) FROM messages WHERE kind = 'transfer_given_up' AND subject_id = $1",
        case.id,
    )
    assert told >= 1
    unsent = UnsentTransfers(shop.transfers)
    with pytest.raises(StripeRejected):
        await unsent.try_again(case.id, actor=admin, now=shop.clock())
    again = await cases.find(case.id)
    assert (again.state, again.times_found) == ("open", 2)
    shop.stripe_transfers.transfers_refused = None
    sent = await unsent.try_again(case.id, actor=admin, now=shop.clock())
    assert (sent.state, sent.resolved_by) == ("resolved", "system:transfers")
    with pytest.raises(CaseResolved):
        await unsent.try_again(case.id, actor=admin, now=shop.clock())
    payment = await shop.payments.find_live(order_id)
    assert payment is not None
    assert (payment.transfer_reversed, payment.transfer_restored) == (1_000, 1_000)


async def test_the_worker_may_be_the_one_who_sends_it(shop: Shop) -> None:
    case, _ = await _given_up(shop)
    shop.stripe_transfers.transfers_refused = None
    shop.stripe_transfers.lose_answer_before()
    with pytest.raises(PaymentsUnavailable):
        await UnsentTransfers(shop.transfers).try_again(case.id, actor="acc_1", now=shop.clock())
    assert (await cases.find(case.id)).state == "open"
    await shop.resume()
    assert (await cases.find(case.id)).state == "resolved"


async def test_another_kind_of_case_is_not_tried(shop: Shop) -> None:
    case, order_id = await _given_up(shop)
    await execute("UPDATE cases SET kind = 'amount' WHERE id = $1", case.id)
    with pytest.raises(CaseNotTried):
        await UnsentTransfers(shop.transfers).try_again(case.id, actor="acc_1", now=shop.clock())
    movement_id = case.what.removeprefix("transfer:")
    # The same fact heard twice is the same case.
    async with transaction():
        await react(
            TransferGivenUp(
                order_id=order_id,
                payment_id=case.payment_id or "",
                occurred_at=shop.clock(),
                movement_id=movement_id,
                seller_id="sel_1",
                amount=1_000,
                code="account_closed",
            )
        )
    found = await cases.find(case.id)
    assert (found.times_found, found.theirs) == (2, "account_closed")
