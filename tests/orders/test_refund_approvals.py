"""Large refunds need two admins: alone up to a limit, counted together, and nobody goes around it."""

import asyncio
from datetime import timedelta

import pytest

from marketplace.orders import records
from marketplace.orders.errors import (
    OrderNotFound,
    OrderStepRefused,
    OwnOrderDecision,
    RefundLinesRefused,
    RefundNeedsApproval,
    RefundPolicyRefused,
    SellerOnly,
)
from marketplace.orders.records import Actor
from marketplace.orders.refund_approvals import ACTION, RefundApprovals
from marketplace.orders.refund_limits import (
    ALONE_UP_TO,
    ORDERS_A_DAY,
    RefundLimits,
    approved_key,
)
from marketplace.orders.refund_lines import RefundLine
from marketplace.orders.refunds import RefundWish
from marketplace.oversight.approval_errors import ApprovalAsked, OwnApproval
from marketplace.oversight.approvals import ApprovalRecord, Approvals
from marketplace.oversight.audit import AuditFilter, entries
from marketplace.paging import PageRequest
from marketplace.sellers.errors import ReasonRequired
from payments.database import execute, rows, transaction, value
from payments.errors import RefundExceedsCaptured
from payments.ids import new_id
from tests.orders.deals import Deal, a_held_deal
from tests.orders.shop import Shop, account, listing

PAID = 150_000
WHY = "The coach never came"


class Desk:
    """An order of 1,500 euros, two admins, and what they may do about it."""

    def __init__(self, shop: Shop, deal: Deal, first: str, second: str) -> None:
        self.shop, self.deal = shop, deal
        self.first, self.second = Actor(first, is_admin=True), Actor(second, is_admin=True)
        self.approvals = Approvals()
        self.asking = RefundApprovals(shop.refunds, self.approvals)

    async def refund(self, actor: Actor, amount: int | None, key: str | None = None) -> None:
        await self.shop.refunds.ask(
            self.deal.id,
            actor,
            RefundWish(amount=amount),
            idempotency_key=key or new_id("key"),
            now=self.shop.clock(),
        )

    async def ask(self, wish: RefundWish | None = None, reason: str = WHY) -> ApprovalRecord:
        return await self.asking.ask(
            self.deal.id, self.first, wish or RefundWish(), reason=reason, now=self.shop.clock()
        )

    async def approve(self, approval: ApprovalRecord, by: Actor) -> None:
        await self.approvals.approve(
            approval.id, by=by.account_id, reason="Yes", now=self.shop.clock()
        )

    async def refunded(self) -> list[tuple[int, str]]:
        found = await rows(
            "SELECT amount, status FROM refunds WHERE order_id = $1 ORDER BY amount", self.deal.id
        )
        return [(each["amount"], each["status"]) for each in found]


@pytest.fixture
async def desk(shop: Shop) -> Desk:
    return Desk(shop, await a_large_deal(shop), await account(), await account())


async def a_large_deal(shop: Shop) -> Deal:
    owner, _ = await shop.a_seller()
    thing = await listing(owner, kind="session", unit_amount=PAID)
    buyer = await account()
    deal = Deal(await shop.place(buyer, (thing.id, 1)), thing.id, buyer, owner)
    await shop.pay(deal.id)
    return deal


def test_currencies_that_are_not_named_have_a_limit_too() -> None:
    limits = RefundLimits({"eur": 1_000})
    assert limits.alone_up_to("eur") == 1_000
    assert limits.alone_up_to("usd") == ALONE_UP_TO == 100_000


async def test_an_admin_refunds_up_to_the_limit_alone_and_no_more(desk: Desk) -> None:
    with pytest.raises(RefundNeedsApproval) as refusal:
        await desk.refund(desk.first, 100_001)
    assert (refusal.value.amount, refusal.value.limit) == (100_001, 100_000)
    assert await desk.refunded() == []
    assert desk.shop.asked("create_refund") == 0
    await desk.refund(desk.first, 100_000)
    assert await desk.refunded() == [(100_000, "succeeded")]


async def test_what_an_admin_gives_back_is_on_record_once(desk: Desk) -> None:
    for _ in range(2):
        await desk.refund(desk.first, 5_000, "the-same")
    await desk.refund(desk.deal.seller, 1)
    (entry,) = (
        await entries(AuditFilter(subject=desk.deal.id, action="refund.asked"), PageRequest())
    ).data
    assert (entry.actor, (entry.after or {})["wish"]["amount"]) == (desk.first.account_id, 5_000)


async def test_small_parts_count_together(desk: Desk) -> None:
    await desk.refund(desk.first, 60_000)
    with pytest.raises(RefundNeedsApproval) as refusal:
        await desk.refund(desk.first, 40_001)
    assert refusal.value.amount == 100_001
    await desk.refund(desk.first, 40_000)
    # Another admin is the second person.
    await desk.refund(desk.second, 1)


async def test_what_an_admin_gives_back_in_a_day_counts_over_all_orders(desk: Desk) -> None:
    for _ in range(ORDERS_A_DAY):
        await desk.refund(desk.first, 100_000)
        desk.deal = await a_large_deal(desk.shop)
    with pytest.raises(RefundNeedsApproval) as refusal:
        await desk.refund(desk.first, 1)
    limit = 100_000 * ORDERS_A_DAY
    assert (refusal.value.amount, refusal.value.limit) == (limit + 1, limit)
    await desk.refund(desk.second, 1)
    await desk.refund(desk.deal.seller, 1)
    desk.shop.clock.move(hours=24)
    await desk.refund(desk.first, 1)


async def test_the_seller_gives_back_their_own_money_without_a_limit(desk: Desk) -> None:
    await desk.refund(desk.deal.seller, None)
    assert await desk.refunded() == [(PAID, "succeeded")]


async def test_a_cancellation_is_no_way_around(desk: Desk) -> None:
    with pytest.raises(RefundNeedsApproval):
        await desk.shop.cancellation.cancel(desk.deal.id, desk.first, desk.shop.clock())
    assert await desk.shop.status(desk.deal.id) == "paid"
    assert await desk.refunded() == []


async def test_two_admins_refund_it_all(desk: Desk) -> None:
    approval = await desk.ask()
    assert (approval.facts["amount"], approval.facts["wish"]["amount"]) == (PAID, PAID)
    assert await desk.refunded() == []
    with pytest.raises(ApprovalAsked):
        await desk.ask()
    with pytest.raises(OwnApproval):
        await desk.approve(approval, desk.first)
    await desk.approve(approval, desk.second)
    assert await desk.refunded() == [(PAID, "planned")]
    desk.shop.clock.move(minutes=1)
    await desk.shop.operations.resume_due(desk.shop.clock())
    assert await desk.refunded() == [(PAID, "succeeded")]
    assert desk.shop.asked("create_refund") == 1


async def test_what_was_approved_does_not_count_as_alone(desk: Desk) -> None:
    await desk.approve(await desk.ask(RefundWish(amount=110_000)), desk.second)
    await desk.refund(desk.first, 40_000)
    assert [amount for amount, _ in await desk.refunded()] == [40_000, 110_000]


async def test_a_key_that_looks_approved_is_not(desk: Desk) -> None:
    approval = await desk.ask(RefundWish(amount=10))
    for actor in (desk.first, desk.second):
        with pytest.raises(RefundNeedsApproval):
            await desk.refund(actor, None, approved_key(approval.id))
    await desk.approve(approval, desk.second)
    with pytest.raises(RefundNeedsApproval):
        await desk.refund(desk.second, 149_990, approved_key(approval.id))


async def test_what_has_become_impossible_is_not_decided(desk: Desk) -> None:
    approval = await desk.ask(RefundWish(amount=110_000))
    await desk.refund(desk.deal.seller, 100_000)
    with pytest.raises(RefundExceedsCaptured):
        await desk.approve(approval, desk.second)
    assert (await desk.approvals.require(approval.id)).state == "asked"


async def test_what_two_admins_saw_is_what_is_given_back(desk: Desk) -> None:
    approval = await desk.ask()
    await desk.refund(desk.deal.seller, 1)
    with pytest.raises(RefundExceedsCaptured) as refusal:
        await desk.approve(approval, desk.second)
    assert (refusal.value.asked, refusal.value.refundable) == (PAID, PAID - 1)


async def test_what_could_not_be_given_back_is_not_asked_for(desk: Desk) -> None:
    impossible = (
        (RefundWish(amount=PAID + 1), RefundExceedsCaptured),
        (RefundWish(amount=0), RefundExceedsCaptured),
        (RefundWish(amount=1, lines=(RefundLine(desk.deal.thing, 1),)), RefundLinesRefused),
        (RefundWish(lines=(RefundLine(desk.deal.thing, 2),)), RefundLinesRefused),
        (RefundWish(bearer="platform", fee="return"), RefundPolicyRefused),
    )
    for wish, refusal in impossible:
        with pytest.raises(refusal):
            await desk.ask(wish)
    approval = await desk.ask(RefundWish(lines=(RefundLine(desk.deal.thing, 1),)))
    assert approval.facts["amount"] == PAID
    await desk.approve(approval, desk.second)
    assert await desk.refunded() == [(PAID, "planned")]


@pytest.mark.parametrize("party", ["seller", "buyer"])
async def test_an_admin_decides_nothing_about_an_order_of_their_own(desk: Desk, party: str) -> None:
    """Who sold or bought it would give themself, or a friend, the platform's money."""
    own = Actor(getattr(desk.deal, party).account_id, is_admin=True)
    by_platform = RefundWish(amount=1, bearer="platform")
    with pytest.raises(OwnOrderDecision if party == "seller" else SellerOnly):
        await desk.shop.refunds.ask(
            desk.deal.id, own, by_platform, idempotency_key="own", now=desk.shop.clock()
        )
    with pytest.raises(OwnOrderDecision):
        await desk.asking.ask(desk.deal.id, own, by_platform, reason=WHY, now=desk.shop.clock())
    approval = await desk.ask(by_platform)
    with pytest.raises(OwnOrderDecision):
        await desk.approve(approval, own)
    assert (await desk.approvals.require(approval.id)).state == "asked"
    with pytest.raises(OwnOrderDecision):
        await desk.shop.holds.release(desk.deal.id, own, WHY, desk.shop.clock())
    assert await desk.refunded() == []


async def test_an_admin_who_bought_it_cancels_by_the_terms_of_a_buyer(desk: Desk) -> None:
    own = Actor(desk.deal.buyer.account_id, is_admin=True)
    soon = desk.shop.clock() + timedelta(hours=2)
    await execute(
        "UPDATE orders SET session_at = $2, session_ends_at = $2::timestamptz + interval '1 hour' "
        "WHERE id = $1",
        desk.deal.id,
        soon,
    )
    for admin, share in ((own, 5_000), (desk.first, 10_000)):
        terms = await desk.shop.cancellation.terms(desk.deal.id, admin, desk.shop.clock())
        assert terms.refund_basis_points == share


async def test_asking_says_why_and_of_what(desk: Desk, shop: Shop) -> None:
    with pytest.raises(ReasonRequired):
        await desk.ask(reason=" ")
    held = await a_held_deal(shop)
    for order_id, refusal in ((held.id, OrderStepRefused), ("ord_nothing", OrderNotFound)):
        with pytest.raises(refusal):
            await desk.asking.ask(order_id, desk.first, RefundWish(), reason=WHY, now=shop.clock())


async def test_asking_does_not_wait_for_who_decides(desk: Desk) -> None:
    """A decision holds its approval and wants the order; who asks holds the order: a circle, once."""
    approval = await desk.ask()

    async def decide() -> None:
        await begun.wait()
        await desk.approve(approval, desk.second)

    begun = asyncio.Event()
    # Made outside of the transaction, so that it has a connection of its own.
    deciding = asyncio.create_task(decide())
    async with transaction():
        order = await records.lock(desk.deal.id)
        begun.set()
        async with asyncio.timeout(60):
            while not await value(SOMEBODY_WAITS_FOR_US):
                await execute("SELECT pg_sleep(0.005)")
        with pytest.raises(ApprovalAsked):
            await desk.approvals.ask(
                action=ACTION,
                subject=order.id,
                facts={},
                reason=WHY,
                asked_by=desk.first.account_id,
                now=desk.shop.clock(),
            )
    await deciding
    assert [status for _, status in await desk.refunded()] != []


SOMEBODY_WAITS_FOR_US = """
SELECT EXISTS (SELECT FROM pg_locks
WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))
"""
