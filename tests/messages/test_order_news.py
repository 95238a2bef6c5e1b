"""An order's steps are told to whom they concern, once, with what there is to know."""

import json
from datetime import datetime
from typing import Any

from marketplace.messages.kinds import Kind
from marketplace.messages.order_news import NEWS, news_of
from marketplace.messages.texts import letter
from marketplace.orders import records, steps
from marketplace.orders.hold_stages import ENDED
from marketplace.orders.order_states import STEPS, TRANSITIONS
from marketplace.orders.reactions import react
from marketplace.orders.refunds import RefundWish
from marketplace.orders.shipping import Parcel
from marketplace.orders.steps import STRIPE
from marketplace.orders.totals import Wanted
from payments.database import execute, row, rows, transaction, value
from payments.events import DisputeOpened
from payments.ids import new_id
from tests.orders.deals import ADMIN, a_deal, a_dispute, a_held_deal, a_paid_deal
from tests.orders.shop import Shop, account


async def heard(account_id: str) -> list[tuple[Kind, dict[str, Any]]]:
    found = await rows(
        "SELECT kind, facts FROM messages WHERE account_id = $1 ORDER BY id", account_id
    )
    return [(one["kind"], json.loads(one["facts"])) for one in found]


async def kinds(account_id: str) -> list[str]:
    return sorted(kind for kind, _ in await heard(account_id))


async def events_of(order_id: str) -> list[tuple[str, str, dict[str, Any]]]:
    found = await rows(
        "SELECT type, subject_id, data FROM seller_events WHERE data::json ->> 'order_id' = $1 "
        "ORDER BY id",
        order_id,
    )
    return [(one["type"], one["subject_id"], json.loads(one["data"])) for one in found]


async def an_admin() -> str:
    admin = await account()
    await execute("UPDATE accounts SET is_admin = true WHERE id = $1", admin)
    return admin


def test_every_step_says_who_hears_of_it_even_if_nobody() -> None:
    assert set(NEWS) == set(STEPS)


def test_only_what_was_paid_for_is_news_when_it_is_canceled() -> None:
    assert news_of("canceled", "checkout").silent
    for status in ("authorized", "paid", "shipped"):
        assert (status, "canceled") in TRANSITIONS
        assert news_of("canceled", status).buyer == "order_canceled"


async def test_a_hold_is_an_order_to_prepare_and_a_capture_its_payment(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    assert await kinds(deal.buyer.account_id) == []
    ((kind, facts),) = await heard(deal.seller.account_id)
    assert kind == "order_to_prepare"
    assert facts["total"] == 5_000
    assert facts["items"] == "2 x A yoga mat"
    before, prepare_by = (
        datetime.fromisoformat(facts[at]) for at in ("capture_before", "prepare_by")
    )
    assert before - prepare_by == ENDED, "when it is canceled, not when the bank lets go"
    whole = " ".join(letter("order_to_prepare", facts, "").paragraphs)
    assert f"{prepare_by:%H:%M} UTC" in whole
    assert f"{before:%H:%M} UTC" not in whole
    await shop.preparation.prepare(deal.id, deal.seller, shop.clock())
    ((kind, facts),) = await heard(deal.buyer.account_id)
    assert (kind, facts["captured_amount"]) == ("order_prepared", 5_000)
    assert len(letter("order_prepared", facts, "").paragraphs) == 2, "nothing is released"
    (first, _, told), (last, subject, data) = await events_of(deal.id)
    assert (first, last) == ("order.authorized", "order.paid")
    assert datetime.fromisoformat(told["prepare_by"]) == prepare_by
    assert subject == deal.id
    assert (data["status"], data["captured_amount"]) == ("paid", 5_000)
    for over in ("buyer", "capture_before", "prepare_by", "released_amount"):
        assert over not in data


async def test_a_parcel_is_told_by_its_own_words_and_not_as_a_reason(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    await shop.preparation.prepare(deal.id, deal.seller, shop.clock())
    parcel = Parcel(carrier="DHL", tracking_number="123456")
    await shop.shipping.ship(deal.id, deal.seller, parcel, shop.clock())
    type, _, data = (await events_of(deal.id))[-1]
    assert (type, data["carrier"], data["tracking_number"]) == ("order.shipped", "DHL", "123456")
    assert not {"reason", "capture_before"} & set(data)


async def test_a_bank_that_only_asks_is_not_told_as_a_dispute(shop: Shop) -> None:
    deal = await a_paid_deal(shop)
    await a_dispute(shop, deal, 5_000, lost=False)
    await execute(
        "UPDATE disputes SET inquiry = true, status = 'warning_needs_response' WHERE order_id = $1",
        deal.id,
    )
    dispute_id = await value("SELECT id FROM disputes WHERE order_id = $1", deal.id)
    for step in ("disputed", "dispute_closed"):
        async with transaction():
            order = await records.lock(deal.id)
            await steps.take(order, step, actor=STRIPE, now=shop.clock(), reason=dispute_id)
        await execute("UPDATE disputes SET status = 'warning_closed' WHERE id = $1", dispute_id)
    assert await kinds(deal.seller.account_id) == ["inquiry_closed", "inquiry_opened", "order_paid"]
    for kind, facts in (await heard(deal.seller.account_id))[1:]:
        whole = " ".join(letter(kind, facts, "").paragraphs)
        assert "cannot be refunded" not in whole
        assert "warning" not in whole
    assert [type for type, *_ in await events_of(deal.id)][1:] == [
        "dispute.opened",
        "dispute.closed",
    ]


async def test_what_was_left_out_is_told_to_nobody_as_theirs(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    await shop.preparation.prepare(deal.id, deal.seller, shop.clock(), [Wanted(deal.thing, 1)])
    ((_, facts),) = await heard(deal.buyer.account_id)
    assert facts["items"] == "1 x A yoga mat"
    assert "The rest of what your bank held is released: 25.00 EUR." in " ".join(
        letter("order_prepared", facts, "").paragraphs
    )
    _, _, data = (await events_of(deal.id))[-1]
    captured = await row("SELECT * FROM payments WHERE order_id = $1", deal.id)
    assert captured is not None
    assert 0 < captured["fee_captured"] < captured["application_fee"]
    assert (data["captured_amount"], data["fee_amount"]) == (2_500, captured["fee_captured"])


async def test_a_paid_session_is_told_to_the_coach_once_however_often_stripe_says_it(
    shop: Shop,
) -> None:
    deal = await a_paid_deal(shop)
    await shop.hear(deal.id)
    await shop.hear(deal.id)
    assert await kinds(deal.seller.account_id) == ["order_paid"]
    assert len(await events_of(deal.id)) == 1


async def test_an_abandoned_checkout_is_nobodys_news(shop: Shop) -> None:
    deal = await a_deal(shop)
    await shop.begin(deal.id)
    await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())
    assert await shop.status(deal.id) == "canceled"
    assert await kinds(deal.buyer.account_id) == []
    assert await kinds(deal.seller.account_id) == []
    assert await events_of(deal.id) == []


async def test_both_hear_that_a_held_order_was_canceled(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())
    assert await kinds(deal.buyer.account_id) == ["order_canceled"]
    assert await kinds(deal.seller.account_id) == ["order_to_prepare", "sale_canceled"]


async def test_an_inquiry_that_becomes_a_dispute_is_told_again_as_one(shop: Shop) -> None:
    deal = await a_paid_deal(shop)
    await a_dispute(shop, deal, 5_000, lost=False)
    found = await row("SELECT id, payment_id FROM disputes WHERE order_id = $1", deal.id)
    assert found is not None
    for inquiry in (True, False):
        await execute("UPDATE disputes SET inquiry = $2 WHERE id = $1", found["id"], inquiry)
        opened = DisputeOpened(
            order_id=deal.id,
            payment_id=found["payment_id"],
            occurred_at=shop.clock(),
            dispute_id=found["id"],
            amount=5_000,
            reason="fraudulent",
            inquiry=inquiry,
            evidence_due_by=None,
        )
        async with transaction():
            await records.lock(deal.id)
            await react(opened)
    assert await kinds(deal.seller.account_id) == ["disputed", "inquiry_opened", "order_paid"]


async def test_a_refund_is_told_with_its_own_amount(shop: Shop) -> None:
    deal = await a_paid_deal(shop)
    refund = await shop.refunds.ask(
        deal.id,
        ADMIN,
        RefundWish(amount=1_200),
        idempotency_key=new_id("key"),
        now=shop.clock(),
    )
    ((kind, facts),) = await heard(deal.buyer.account_id)
    assert (kind, facts["amount"], facts["refund_id"]) == ("order_refunded", 1_200, refund.id)
    assert "reason" not in facts
    type, subject, data = (await events_of(deal.id))[-1]
    assert (type, subject, data["amount"]) == ("order.refunded", refund.id, 1_200)


async def test_a_late_payment_is_told_to_admins_too(shop: Shop) -> None:
    admin = await an_admin()
    deal = await a_deal(shop)
    intent = await shop.begin(deal.id)
    await execute("UPDATE orders SET status = 'canceled' WHERE id = $1", deal.id)
    shop.stripe.pay(intent.intent_id)
    await shop.hear(deal.id)
    assert "order_revived" in await kinds(admin)
    await execute("UPDATE accounts SET is_admin = false WHERE id = $1", admin)


async def test_trying_the_same_again_is_not_told_again(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    for reason in ("transfers_inactive", "transfers_inactive", "suspended"):
        async with transaction():
            order = await records.lock(deal.id)
            await steps.take(
                order, "preparation_refused", actor=STRIPE, now=shop.clock(), reason=reason
            )
    assert await kinds(deal.buyer.account_id) == ["order_not_prepared"] * 2
    assert (await shop.steps(deal.id)).count("preparation_refused") == 3


async def test_the_same_refusal_is_told_again_when_more_has_happened_meanwhile(shop: Shop) -> None:
    """A seller who was restricted, reminded, and restricted again hears of it twice."""
    deal = await a_held_deal(shop)
    for step in ("preparation_refused", "deadline_reminded", "preparation_asked") * 2:
        reason = "transfers_inactive" if step == "preparation_refused" else None
        async with transaction():
            order = await records.lock(deal.id)
            await steps.take(order, step, actor=STRIPE, now=shop.clock(), reason=reason)
    assert await kinds(deal.buyer.account_id) == ["order_not_prepared"] * 2
    assert (await kinds(deal.seller.account_id)).count("sale_not_prepared") == 2
