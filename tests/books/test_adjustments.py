"""Adjustments of the books: asked for by one admin, posted when another one approves, seen by the seller."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from marketplace.books import statements
from marketplace.books.adjustments import Adjustments, AdjustmentWish
from marketplace.books.earnings import EarningsFilter, earnings
from marketplace.books.errors import AdjustmentRefused
from marketplace.books.months import Month
from marketplace.books.words import words_for
from marketplace.invariants.check import RULES, broken
from marketplace.orders.errors import OrderNotFound
from marketplace.oversight.approval_errors import ApprovalAsked, OwnApproval
from marketplace.oversight.approvals import ApprovalRecord, Approvals
from marketplace.oversight.audit import AuditFilter, entries
from marketplace.paging import PageRequest
from marketplace.sellers.errors import OwnSellerDecision, ReasonRequired, SellerNotFound
from payments.database import execute, rows
from payments.reconciliation import reconcile
from tests.orders.shop import Shop, account, listing

WHY = "A goodwill transfer was made in the dashboard"


@dataclass
class Desk:
    """A seller with a paid order, and two admins."""

    shop: Shop
    approvals: Approvals
    adjustments: Adjustments
    owner: str
    seller_id: str
    order_id: str
    first: str
    second: str

    def wish(self, **changes: Any) -> AdjustmentWish:
        facts: dict[str, Any] = {
            "source": "platform:fees",
            "target": f"seller:{self.seller_id}",
            "amount": 1_500,
            "currency": "eur",
        }
        return AdjustmentWish(**(facts | changes))

    async def ask(
        self, *, by: str | None = None, reason: str = WHY, **changes: Any
    ) -> ApprovalRecord:
        return await self.adjustments.ask(
            self.wish(**changes), reason=reason, asked_by=by or self.first, now=self.shop.clock()
        )

    async def approve(self, approval: ApprovalRecord, by: str | None = None) -> None:
        await self.approvals.approve(
            approval.id, by=by or self.second, reason="Yes", now=self.shop.clock()
        )

    async def posted(self) -> list[dict[str, Any]]:
        found = await rows(
            "SELECT * FROM postings WHERE kind = 'adjustment' AND seller_id = $1 ORDER BY id",
            self.seller_id,
        )
        return [dict(each) for each in found]


@pytest.fixture
async def desk(shop: Shop) -> Desk:
    approvals = Approvals()
    owner, seller_id = await shop.a_seller()
    thing = await listing(owner, kind="session", unit_amount=6_000)
    order_id = await shop.place(await account(), (thing.id, 1))
    await shop.pay(order_id)
    return Desk(
        shop=shop,
        approvals=approvals,
        adjustments=Adjustments(approvals),
        owner=owner,
        seller_id=seller_id,
        order_id=order_id,
        first=await account(),
        second=await account(),
    )


async def test_nothing_is_posted_until_another_admin_approves(desk: Desk) -> None:
    asked = await desk.ask()
    assert (asked.action, asked.subject) == ("ledger.adjustment", desk.seller_id)
    assert await desk.posted() == []
    with pytest.raises(OwnApproval):
        await desk.approve(asked, by=desk.first)
    assert await desk.posted() == []
    await desk.approve(asked)
    (posting,) = await desk.posted()
    assert posting["cause"] == f"{asked.id}:adjustment"
    assert (posting["source"], posting["target"], posting["amount"]) == (
        "platform:fees",
        f"seller:{desk.seller_id}",
        1_500,
    )
    found = await entries(
        AuditFilter(subject=desk.seller_id, action="ledger.adjusted"), PageRequest()
    )
    (entry,) = found.data
    assert (entry.actor, entry.reason) == (desk.second, WHY)
    assert entry.after is not None
    assert (entry.after["approval"], entry.after["amount"]) == (asked.id, 1_500)


async def test_what_is_refused_is_never_posted(desk: Desk) -> None:
    asked = await desk.ask()
    await desk.approvals.refuse(asked.id, by=desk.second, reason="No", now=desk.shop.clock())
    assert await desk.posted() == []


async def test_one_waits_at_a_time_for_each_order_or_seller(desk: Desk) -> None:
    first = await desk.ask()
    with pytest.raises(ApprovalAsked):
        await desk.ask(amount=7)
    of_order = await desk.ask(order_id=desk.order_id, amount=200)
    await desk.approve(of_order)
    await desk.approve(first)
    await desk.approve(await desk.ask(amount=7))
    assert [posting["amount"] for posting in await desk.posted()] == [200, 1_500, 7]


async def test_the_seller_sees_it_on_the_statement_and_in_the_orders_earnings(desk: Desk) -> None:
    await desk.approve(await desk.ask())
    taken = desk.wish()
    await desk.approve(
        await desk.ask(
            order_id=desk.order_id, source=taken.target, target="platform:recovered", amount=300
        )
    )
    now = desk.shop.clock()
    month = Month.named(f"{now:%Y-%m}")
    (currency,) = (await statements.statement(desk.seller_id, month, now)).currencies
    (kind,) = (each for each in currency.by_kind if each.kind == "adjustment")
    assert (kind.movements, kind.amount) == (2, 1_200)
    assert currency.closing == 5_100 + 1_200
    assert words_for("adjustment") == "Adjustment by the platform"
    (earned,) = (await earnings(desk.seller_id, EarningsFilter(), PageRequest())).data
    assert (earned.net, earned.adjustments) == (5_100 - 300, -300)


async def test_invariants_and_reconciliation_take_no_offence(desk: Desk) -> None:
    await desk.approve(await desk.ask(order_id=desk.order_id))
    await desk.approve(
        await desk.ask(
            source="stripe:processing", target="platform:written_off", seller_id=desk.seller_id
        )
    )
    now = desk.shop.clock()
    books = [rule for rule in RULES if rule.code.startswith("L")]
    assert await broken(now, rules=books) == []
    compared = await reconcile(
        desk.shop.stripe, since=now - timedelta(days=1), until=now + timedelta(seconds=1)
    )
    ours = [one for one in compared.differences if one.order_id == desk.order_id]
    assert ours == []


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"source": "buyers"}, "account_not_adjustable"),
        ({"target": "banks"}, "account_not_adjustable"),
        ({"source": "disputes"}, "account_not_adjustable"),
        ({"target": "seller:sel_1:debt"}, "account_not_adjustable"),
        ({"target": "seller:sel_1:reserve"}, "account_not_adjustable"),
        ({"target": "seller:"}, "account_not_adjustable"),
        ({"target": "platform:fees"}, "one_account"),
        ({"source": "seller:sel_1"}, "two_sellers"),
        ({"target": "platform:refunds"}, "seller_needed"),
        ({"seller_id": "sel_other"}, "seller_differs"),
        ({"currency": "usd"}, "currency_differs"),
        ({"amount": 0}, "amount"),
        ({"amount": -5}, "amount"),
        ({"amount": 100_000_000}, "amount"),
    ],
)
async def test_only_sensible_adjustments_can_be_asked_for(
    desk: Desk, changes: dict[str, Any], why: str
) -> None:
    with pytest.raises(AdjustmentRefused) as refused:
        await desk.ask(**changes)
    assert refused.value.why == why


async def test_orders_of_others_and_unpaid_ones_are_refused(desk: Desk) -> None:
    owner, _ = await desk.shop.a_seller()
    thing = await listing(owner, kind="session", unit_amount=6_000)
    another = await desk.shop.place(await account(), (thing.id, 1))
    with pytest.raises(AdjustmentRefused) as refused:
        await desk.ask(order_id=another)
    assert refused.value.why == "order_not_paid"
    await desk.shop.pay(another)
    with pytest.raises(AdjustmentRefused) as refused:
        await desk.ask(order_id=another)
    assert refused.value.why == "seller_differs"
    with pytest.raises(OrderNotFound):
        await desk.ask(order_id="ord_unknown")
    with pytest.raises(SellerNotFound):
        await desk.ask(target="seller:sel_unknown")
    with pytest.raises(ReasonRequired):
        await desk.ask(reason=" ")


async def test_nobody_adjusts_their_own_shop(desk: Desk) -> None:
    with pytest.raises(OwnSellerDecision):
        await desk.ask(by=desk.owner)
    asked = await desk.ask()
    with pytest.raises(OwnSellerDecision):
        await desk.approve(asked, by=desk.owner)
    assert await desk.posted() == []
    assert (await desk.approvals.require(asked.id)).state == "asked"


async def test_an_orders_adjustment_is_of_its_payment_and_in_its_currency(desk: Desk) -> None:
    await execute("UPDATE sellers SET currency = 'usd' WHERE id = $1", desk.seller_id)
    await desk.approve(await desk.ask(order_id=desk.order_id))
    (posting,) = await desk.posted()
    payment = (await desk.shop.see(desk.order_id)).payment
    assert payment is not None
    assert posting["payment_id"] == payment.id
    assert (posting["order_id"], posting["currency"]) == (desk.order_id, "eur")
