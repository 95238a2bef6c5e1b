"""What sellers owe: netted from next orders as they agreed, never twice, and given up by two admins only."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import pytest
from asyncpg import IntegrityConstraintViolationError

from marketplace.orders.reactions import react
from marketplace.orders.refunds import RefundWish
from marketplace.oversight.approval_errors import (
    ApprovalAsked,
    ApprovalDecided,
    ApprovalExpired,
    ApprovalNotFound,
    OwnApproval,
)
from marketplace.oversight.approvals import Approvals
from marketplace.paging import PageRequest
from marketplace.sellers.debts import SellerDebts
from marketplace.sellers.errors import OwnSellerDecision, ReasonRequired, SellerNotFound
from payments import ledger
from payments.database import execute, lock_order, row, rows, transaction, value
from payments.debts import DebtFilter, Debts, age_of
from payments.errors import (
    DebtClosed,
    DebtNotFound,
    NothingToTakeBack,
    OutcomeUnknown,
    StripeRejected,
)
from payments.ids import OperationId, new_id
from tests.clocks import MovedClock
from tests.orders.deals import ADMIN
from tests.orders.shop import NOON, Shop, account, assembled, database, listing

__all__ = ["database"]


@dataclass
class Owing:
    """A seller with a debt of 50.00, the shop around them, and the debts of it."""

    shop: Shop
    debts: SellerDebts
    approvals: Approvals
    owner: str
    seller_id: str
    first: str
    second: str
    third: str
    debt_id: str = ""

    async def sells(self, unit_amount: int = 10_000) -> str:
        """A session that somebody buys and pays; answers the order."""
        thing = await listing(self.owner, kind="session", unit_amount=unit_amount)
        order_id = await self.shop.place(await account(), (thing.id, 1))
        await self.shop.pay(order_id)
        return order_id

    async def refunds(self, order_id: str, amount: int | None = None) -> str:
        refund = await self.shop.refunds.ask(
            order_id,
            ADMIN,
            RefundWish(amount=amount),
            idempotency_key=new_id("key"),
            now=self.shop.clock(),
        )
        return refund.id

    async def sweep(self) -> None:
        self.shop.clock.move(seconds=1)
        await self.debts.net_due(self.shop.clock(), 100)
        while await self.shop.operations.resume_due(self.shop.clock(), 100):
            pass

    async def agrees(self, basis_points: int | None) -> None:
        await self.debts.agree(self.seller_id, self.owner, basis_points, self.shop.clock())
        self.shop.clock.move(seconds=1)

    async def owes(self) -> int:
        """Of all debts of the seller, by the books and by the rows, which agree."""
        left: int = await value(
            "SELECT coalesce(sum(amount - amount_settled - amount_written_off), 0)::bigint FROM debts "
            "WHERE seller_id = $1",
            self.seller_id,
        )
        found = {one.account: one.amount for one in await ledger.balances()}
        assert found.get(ledger.debt_account(self.seller_id), 0) == -left
        return left


@pytest.fixture
async def owing(database: None) -> Owing:
    """Half of a session was refunded while Stripe would not take anything back."""
    shop = assembled(MovedClock(NOON))
    await shop.schedules.ensure_first(NOON)
    owner, seller_id = await shop.a_seller()
    approvals = Approvals()
    debts = SellerDebts(Debts(react), shop.transfers, approvals)
    admins = [await account() for _ in range(3)]
    owing = Owing(shop, debts, approvals, owner, seller_id, *admins)
    order_id = await owing.sells()
    # A dispute that was won: the money lies in a transfer of its own, which a refund cannot reverse.
    payment = await shop.payments.find_live(order_id)
    assert payment is not None
    cause = f"dispute:{new_id('dsp')}"
    await _both_ways(shop, payment.id, order_id, cause)
    shop.stripe_transfers.reversals_refused = "balance_insufficient"
    await owing.refunds(order_id, 5_000)
    shop.stripe_transfers.reversals_refused = None
    owing.debt_id = await value("SELECT id FROM debts WHERE seller_id = $1", seller_id)
    shop.clock.move(seconds=1)
    return owing


async def _both_ways(shop: Shop, payment_id: str, order_id: str, cause: str) -> None:
    for plan in (shop.transfers.plan_reversal, shop.transfers.plan_transfer):
        async with transaction():
            await lock_order(order_id)
            operation_id = await plan(payment_id, 10_000, cause, shop.clock())
        assert operation_id is not None
        await shop.transfers.carry_out(operation_id)


async def test_nothing_is_kept_back_without_consent(owing: Owing) -> None:
    await owing.sells()
    await owing.sweep()
    assert await owing.owes() == 5_000


async def test_the_next_orders_settle_what_is_owed_as_far_as_was_agreed(owing: Owing) -> None:
    before = await owing.sells()
    await owing.agrees(2_500)
    first = await owing.sells()
    await owing.sweep()
    # A quarter of what the seller gets of 100.00 with a fee of 15 %.
    assert await owing.owes() == 5_000 - 2_125
    await owing.sweep()
    assert await owing.owes() == 5_000 - 2_125, "once for each order"
    await owing.sells()
    await owing.sells()
    await owing.sweep()
    await owing.sweep()
    assert await owing.owes() == 0
    debt = await owing.debts.debts.require(owing.debt_id)
    assert (debt.amount_settled, debt.closed_at is not None) == (5_000, True)
    netted = await rows(
        "SELECT order_id, amount FROM transfer_movements WHERE cause LIKE 'debt:' || $1 || '%' ORDER BY id",
        owing.debt_id,
    )
    assert [r["amount"] for r in netted] == [2_125, 2_125, 750]
    assert netted[0]["order_id"] == first
    assert before not in {r["order_id"] for r in netted}
    told = await rows(
        "SELECT kind FROM messages WHERE account_id = $1 AND kind LIKE 'debt%' ORDER BY id",
        owing.owner,
    )
    assert [r["kind"] for r in told] == ["debt_opened", *["debt_settled"] * 3]


async def test_a_seller_who_changed_their_mind_keeps_everything(owing: Owing) -> None:
    await owing.agrees(10_000)
    await owing.agrees(None)
    await owing.sells()
    await owing.sweep()
    assert await owing.owes() == 5_000


async def test_what_a_dispute_held_up_is_netted_when_it_is_over_however_much_later(
    owing: Owing,
) -> None:
    await owing.agrees(1_000)
    order_id = await owing.sells()
    dispute = {"id": new_id("dsp"), "order_id": order_id, "seller_id": owing.seller_id}
    await execute(
        "INSERT INTO disputes SELECT (jsonb_populate_record(NULL::disputes, $1::text::jsonb || "
        "jsonb_build_object('payment_id', p.id, 'stripe_dispute_id', $1::text::jsonb ->> 'id', "
        "'currency', 'eur', 'amount', 1, 'reason', 'general', 'status', 'under_review', 'inquiry', true, "
        "'amount_withdrawn', 0, 'amount_reinstated', 0, 'cost', 0, 'cost_returned', 0, "
        "'policy', 'reverse', 'refundable', false, 'opened_at', p.created_at, "
        "'updated_at', p.created_at, 'checked_at', p.created_at))).* "
        "FROM payments p WHERE p.order_id = $2",
        msgspec.json.encode(dispute).decode(),
        order_id,
    )
    await owing.sweep()
    owing.shop.clock.move(seconds=3 * 3600)
    await owing.sweep()
    until = await value("SELECT debts_netted_until FROM sellers WHERE id = $1", owing.seller_id)
    assert (until, await owing.owes()) == (owing.shop.clock(), 5_000)
    await execute(
        "UPDATE disputes SET status = 'won', closed_at = $2 WHERE id = $1",
        dispute["id"],
        owing.shop.clock(),
    )
    await owing.sweep()
    assert await owing.owes() == 5_000 - 850


async def test_two_workers_net_an_order_once(owing: Owing) -> None:
    await owing.agrees(1_000)
    await owing.sells()
    now = owing.shop.clock()
    await asyncio.gather(*[owing.debts.net_due(now, 10) for _ in range(6)])
    await owing.sweep()
    assert await owing.owes() == 5_000 - 850


async def test_an_order_whose_money_settled_a_debt_can_still_be_refunded(owing: Owing) -> None:
    """What the debt took of its transfer is owed again: nobody pays twice, nobody gets away."""
    await owing.agrees(10_000)
    order_id = await owing.sells()
    await owing.sweep()
    assert await owing.owes() == 0
    await owing.agrees(None)
    await owing.refunds(order_id)
    await owing.sweep()
    payment = await owing.shop.payments.find_live(order_id)
    assert payment is not None
    assert (payment.amount_refunded, payment.fee_refunded) == (10_000, 1_500)
    assert payment.transfer_reversed == 10_000
    assert await owing.owes() == 5_000
    held = owing.shop.stripe_transfers.seller_has(payment.intent_id or "")
    assert held == 0


async def test_a_netting_that_stripe_refuses_leaves_the_debt_as_it_was(owing: Owing) -> None:
    await owing.agrees(10_000)
    await owing.sells()
    owing.shop.stripe_transfers.reversals_refused = "balance_insufficient"
    await owing.sweep()
    await owing.sweep()
    assert await owing.owes() == 5_000
    assert await value("SELECT count(*) FROM debts WHERE seller_id = $1", owing.seller_id) == 1


async def test_a_debt_is_taken_from_its_own_order_once_the_seller_has_money(owing: Owing) -> None:
    """Refused again it stays owed, once; taken it is settled, and no order is asked for it any more."""
    admin = await account()

    async def again() -> int:
        taken = await owing.debts.take_again(owing.debt_id, actor=admin, now=owing.shop.clock())
        return taken.left

    owed = await owing.owes()
    owing.shop.stripe_transfers.reversals_refused = "balance_insufficient"
    with pytest.raises(StripeRejected):
        await again()
    assert await owing.owes() == owed
    owing.shop.stripe_transfers.reversals_refused = None
    owing.shop.stripe_transfers.lose_answer_after()
    with pytest.raises(OutcomeUnknown):
        await again()
    with pytest.raises(DebtClosed):
        await again()
    await owing.shop.resume()
    assert await owing.owes() == 0
    with pytest.raises(DebtClosed):
        await again()
    tried = await value("SELECT count(*) FROM audit_log WHERE subject = $1", owing.debt_id)
    assert tried == 2


async def test_a_debt_without_an_order_can_only_be_netted_or_given_up(owing: Owing) -> None:
    await execute("UPDATE debts SET payment_id = NULL WHERE id = $1", owing.debt_id)
    with pytest.raises(NothingToTakeBack):
        await owing.debts.take_again(owing.debt_id, actor="acc_1", now=owing.shop.clock())


async def test_consent_is_the_sellers_own(owing: Owing) -> None:
    with pytest.raises(SellerNotFound):
        await owing.debts.agree(owing.seller_id, await account(), 100, owing.shop.clock())
    with pytest.raises(SellerNotFound):
        await owing.debts.consent("sel_nobody")


async def test_debts_are_listed_with_their_age(owing: Owing) -> None:
    shop, debt = owing.shop, await owing.debts.debts.require(owing.debt_id)
    for days, age in (
        (0, "up_to_30_days"),
        (31, "up_to_60_days"),
        (90, "up_to_90_days"),
        (91, "older"),
    ):
        now = debt.created_at + timedelta(days=days)
        assert age_of(debt, now) == age
        [total] = await owing.debts.debts.totals(DebtFilter(seller_id=owing.seller_id), now)
        assert (total.left, total.debts, total.by_age[age]) == (5_000, 1, 5_000)
    wanted = DebtFilter(seller_id=owing.seller_id, older_than_days=30)
    assert (await owing.debts.page(wanted, PageRequest(), shop.clock())).data == []
    later = shop.clock() + timedelta(days=31)
    [listed] = (await owing.debts.page(wanted, PageRequest(), later)).data
    assert listed.id == owing.debt_id
    closed = DebtFilter(seller_id=owing.seller_id, is_open=False)
    assert (await owing.debts.page(closed, PageRequest(), later)).data == []


async def test_a_debt_is_given_up_when_two_admins_agree(owing: Owing) -> None:
    now = owing.shop.clock()
    asked = await owing.debts.ask_write_off(
        owing.debt_id, reason="bankrupt", asked_by=owing.first, now=now
    )
    assert await owing.owes() == 5_000, "nothing happened yet"
    with pytest.raises(OwnApproval):
        await owing.approvals.approve(asked.id, by=owing.first, reason="sure", now=now)
    with pytest.raises(ApprovalAsked) as waiting:
        await owing.debts.ask_write_off(
            owing.debt_id, reason="again", asked_by=owing.third, now=now
        )
    assert waiting.value.approval_id == asked.id
    decided = await owing.approvals.approve(asked.id, by=owing.second, reason="agreed", now=now)
    assert (decided.state, decided.decided_by) == ("approved", owing.second)
    assert await owing.owes() == 0
    debt = await owing.debts.debts.require(owing.debt_id)
    assert (debt.amount_written_off, debt.left) == (5_000, 0)
    posting = await row(
        "SELECT source, target, amount, order_id FROM postings WHERE kind = 'debt_written_off' "
        "AND seller_id = $1",
        owing.seller_id,
    )
    assert posting is not None
    assert tuple(posting) == (
        ledger.WRITTEN_OFF,
        ledger.debt_account(owing.seller_id),
        5_000,
        None,
    )
    entries = await rows(
        "SELECT actor, action FROM audit_log WHERE subject = $1 ORDER BY id", owing.debt_id
    )
    assert {tuple(entry) for entry in entries} == {
        (owing.first, "approval.asked"),
        (owing.second, "approval.approved"),
        (owing.second, "debt.written_off"),
    }
    with pytest.raises(ApprovalDecided):
        await owing.approvals.refuse(asked.id, by=owing.third, reason="late", now=now)
    with pytest.raises(DebtClosed):
        await owing.debts.ask_write_off(owing.debt_id, reason="more", asked_by=owing.first, now=now)


async def test_a_write_off_that_was_refused_leaves_the_debt(owing: Owing) -> None:
    now = owing.shop.clock()
    asked = await owing.debts.ask_write_off(
        owing.debt_id, reason="a friend", asked_by=owing.first, now=now
    )
    # Who asked may withdraw it.
    withdrawn = await owing.approvals.refuse(asked.id, by=owing.first, reason="a mistake", now=now)
    assert withdrawn.state == "refused"
    assert await owing.owes() == 5_000
    again = await owing.debts.ask_write_off(
        owing.debt_id, reason="really", asked_by=owing.first, now=now
    )
    assert again.id != asked.id


async def test_two_admins_who_approve_at_once_give_it_up_once(owing: Owing) -> None:
    now = owing.shop.clock()
    asked = await owing.debts.ask_write_off(
        owing.debt_id, reason="bankrupt", asked_by=owing.first, now=now
    )
    answers = await asyncio.gather(
        *[
            owing.approvals.approve(asked.id, by=admin, reason="agreed", now=now)
            for admin in [await account() for _ in range(5)]
        ],
        return_exceptions=True,
    )
    assert sum(isinstance(one, ApprovalDecided) for one in answers) == 4
    assert await owing.owes() == 0


async def test_what_is_settled_meanwhile_is_not_written_off_too(owing: Owing) -> None:
    now = owing.shop.clock()
    asked = await owing.debts.ask_write_off(
        owing.debt_id, reason="bankrupt", asked_by=owing.first, now=now
    )
    await owing.agrees(2_500)
    await owing.sells()
    await owing.sweep()
    await owing.approvals.approve(asked.id, by=owing.second, reason="agreed", now=now)
    debt = await owing.debts.debts.require(owing.debt_id)
    assert (debt.amount_settled, debt.amount_written_off) == (2_125, 2_875)
    assert await owing.owes() == 0


async def test_what_nobody_decided_in_a_week_is_refused_by_time(owing: Owing) -> None:
    began = owing.shop.clock()
    facts = {"debt_id": owing.debt_id, "asked_by": owing.first}
    asked = await owing.debts.ask_write_off(**facts, reason="bankrupt", now=began)
    at_last, over = began + timedelta(days=7, microseconds=-1), began + timedelta(days=7)
    assert await owing.approvals.expire_due(at_last, 10) == 0
    with pytest.raises(ApprovalAsked):
        await owing.debts.ask_write_off(**facts, reason="again", now=at_last)
    with pytest.raises(ApprovalExpired):
        await owing.approvals.approve(asked.id, by=owing.second, reason="agreed", now=over)
    assert await owing.owes() == 5_000
    # Asked for anew it waits anew, whether or not the sweep has been here.
    anew = await owing.debts.ask_write_off(**facts, reason="still bankrupt", now=over)
    ended = await owing.approvals.require(asked.id)
    assert (ended.state, ended.decided_by) == ("refused", "expiry")
    assert await owing.approvals.expire_due(over + timedelta(days=7), 10) >= 1
    assert await owing.approvals.expire_due(over + timedelta(days=7), 10) == 0
    told = await rows(
        "SELECT cause FROM messages WHERE account_id = $1 AND kind = 'approval_decided'",
        owing.first,
    )
    assert {one["cause"] for one in told} == {f"{asked.id}:decided", f"{anew.id}:decided"}
    found = await rows(
        "SELECT action FROM audit_log WHERE subject = $1 AND actor = 'expiry'", owing.debt_id
    )
    assert [one["action"] for one in found] == ["approval.refused"] * 2


async def test_the_database_lets_nobody_change_what_is_agreed_on(owing: Owing) -> None:
    """Neither what waits for its decision nor the decision: not even with a statement by hand."""
    now = owing.shop.clock()
    asked = await owing.debts.ask_write_off(
        owing.debt_id, reason="bankrupt", asked_by=owing.first, now=now
    )
    for change in ("facts = '{}'", "asked_by = 'acc_x'", "subject = 'dbt_x'", "reason = 'x'"):
        with pytest.raises(IntegrityConstraintViolationError, match="as it was asked for"):
            await execute(f"UPDATE approvals SET {change} WHERE id = $1", asked.id)
    await owing.approvals.approve(asked.id, by=owing.second, reason="agreed", now=now)
    for statement, why in (
        ("UPDATE approvals SET decided_by = 'acc_x' WHERE id = $1", "is decided"),
        ("UPDATE approvals SET state = 'refused' WHERE id = $1", "is decided"),
        ("DELETE FROM approvals WHERE id = $1", "append-only"),
    ):
        with pytest.raises(IntegrityConstraintViolationError, match=why):
            await execute(statement, asked.id)


async def test_nobody_gives_up_what_their_own_shop_owes(owing: Owing) -> None:
    now = owing.shop.clock()
    facts = {"debt_id": owing.debt_id, "reason": "bankrupt", "now": now}
    with pytest.raises(OwnSellerDecision):
        await owing.debts.ask_write_off(**facts, asked_by=owing.owner)
    asked = await owing.debts.ask_write_off(**facts, asked_by=owing.first)
    with pytest.raises(OwnSellerDecision):
        await owing.approvals.approve(asked.id, by=owing.owner, reason="agreed", now=now)
    assert (await owing.approvals.require(asked.id)).state == "asked"


async def test_what_does_not_exist_is_neither_written_off_nor_approved(owing: Owing) -> None:
    now = owing.shop.clock()
    with pytest.raises(DebtNotFound):
        await owing.debts.ask_write_off("dbt_no", reason="why", asked_by=owing.first, now=now)
    with pytest.raises(ReasonRequired):
        await owing.debts.ask_write_off(owing.debt_id, reason=" ", asked_by=owing.first, now=now)
    with pytest.raises(ApprovalNotFound):
        await owing.approvals.approve("apv_no", by="acc_1", reason="why", now=now)
    page = await owing.approvals.page("asked", PageRequest())
    assert all(one.state == "asked" for one in page.data)


class _OneBreaks(Debts):
    """Netting from one payment raises what nobody foresaw."""

    broken = ""

    async def net(self, payment_id: str, most: int, now: datetime) -> Sequence[OperationId]:
        if payment_id == self.broken:
            raise LookupError(payment_id)
        return await super().net(payment_id, most, now)


async def test_one_payment_that_cannot_be_netted_does_not_stop_the_others(owing: Owing) -> None:
    await owing.agrees(2_500)
    first = await owing.sells()
    await owing.sells()
    debts = _OneBreaks(react)
    debts.broken = await value("SELECT id FROM payments WHERE order_id = $1", first)
    owing.debts = SellerDebts(debts, owing.shop.transfers, Approvals())
    await owing.sweep()
    assert await owing.owes() == 5_000 - 2_125
