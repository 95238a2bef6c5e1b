"""Preparing a part: what is left out is never captured, its stock goes back, and the fee follows."""

import asyncio
import json

import pytest

from marketplace.orders.errors import FulfilmentHeld, ListingRepeated, OrderStepRefused
from marketplace.orders.fulfilment_errors import (
    LineUnknown,
    NothingPrepared,
    PreparationUnderWay,
    PreparedTooMany,
)
from marketplace.orders.totals import Wanted
from marketplace.sellers.errors import SellerNotPayable
from payments.database import execute, value
from payments.errors import AmountNotChargeable, OutcomeUnknown, SellerCannotReceive
from payments.gateway import CaptureDraft
from tests.orders.deals import ADMIN, Deal, a_held_deal
from tests.orders.shop import Shop, account, listing, stock_of


class TwoThings(Deal):
    """An order of two mats and three bottles, held."""

    other: str


async def two_things(shop: Shop) -> TwoThings:
    owner, _ = await shop.a_seller()
    mat = (await listing(owner, unit_amount=2_500)).id
    bottle = (await listing(owner, unit_amount=1_000)).id
    buyer = await account()
    deal = TwoThings(await shop.place(buyer, (mat, 2), (bottle, 3)), mat, buyer, owner)
    deal.other = bottle
    await shop.pay(deal.id)
    return deal


async def quantities(order_id: str) -> dict[str, int | None]:
    found = await value(
        "SELECT json_object_agg(listing_id, quantity_prepared)::text FROM order_lines "
        "WHERE order_id = $1",
        order_id,
    )
    told: dict[str, int | None] = json.loads(found)
    return told


async def test_what_is_left_out_is_not_captured_and_its_stock_goes_back(shop: Shop) -> None:
    deal = await two_things(shop)
    ready = [Wanted(deal.thing, 1), Wanted(deal.other, 2)]
    view = await shop.preparation.prepare(deal.id, deal.seller, shop.clock(), ready)
    assert view.payment is not None
    assert (view.order.status, view.payment.amount_captured) == ("paid", 4_500)
    assert view.payment.fee_captured == 4_500 // 10 + 30, "by the order's own schedule, anew"
    assert {line.listing_id: line.quantity_prepared for line in view.lines} == {
        deal.thing: 1,
        deal.other: 2,
    }
    assert (await stock_of(deal.thing), await stock_of(deal.other)) == ((9, 0), (8, 0))
    [capture] = [one for one in shop.stripe.asked if one.method == "capture_intent"]
    assert isinstance(capture.draft, CaptureDraft)
    assert (capture.draft.amount, capture.draft.application_fee) == (4_500, 480)
    told = (await shop.orders.history(deal.id, ADMIN))[-2:]
    assert [(step.step, step.reason) for step in told] == [
        ("preparation_asked", "4500 of 8000"),
        ("prepared", "captured 4500 of 8000"),
    ]


async def test_a_line_that_is_not_named_is_left_out(shop: Shop) -> None:
    deal = await two_things(shop)
    await shop.preparation.prepare(deal.id, deal.seller, shop.clock(), [Wanted(deal.other, 3)])
    assert await quantities(deal.id) == {deal.thing: 0, deal.other: 3}
    assert (await stock_of(deal.thing), await stock_of(deal.other)) == ((10, 0), (7, 0))


async def test_everything_is_prepared_unless_said_otherwise(shop: Shop) -> None:
    deal = await two_things(shop)
    await shop.preparation.prepare(deal.id, deal.seller, shop.clock())
    assert await quantities(deal.id) == {deal.thing: 2, deal.other: 3}


async def test_what_cannot_be_prepared_is_refused_and_asks_nothing_of_stripe(shop: Shop) -> None:
    deal = await two_things(shop)
    mat, bottle = deal.thing, deal.other
    for ready, refusal in (
        ([], NothingPrepared),
        ([Wanted(mat, 0), Wanted(bottle, 0)], NothingPrepared),
        ([Wanted(mat, 3)], PreparedTooMany),
        ([Wanted(mat, -1)], PreparedTooMany),
        ([Wanted(mat, 1), Wanted(mat, 1)], ListingRepeated),
        ([Wanted("lst_of_somebody_else", 1)], LineUnknown),
    ):
        with pytest.raises(refusal):
            await shop.preparation.prepare(deal.id, deal.seller, shop.clock(), ready)
    assert shop.asked("capture_intent") == 0
    assert await quantities(deal.id) == {mat: None, bottle: None}
    assert await shop.status(deal.id) == "authorized"


async def test_a_part_below_stripes_minimum_is_refused(shop: Shop) -> None:
    deal = await two_things(shop)
    # As from a time when cheaper things could be listed.
    await execute(
        "UPDATE order_lines SET unit_amount = 20, amount = 60 "
        "WHERE order_id = $1 AND listing_id = $2",
        deal.id,
        deal.other,
    )
    with pytest.raises(AmountNotChargeable):
        await shop.preparation.prepare(deal.id, deal.seller, shop.clock(), [Wanted(deal.other, 2)])
    assert shop.asked("capture_intent") == 0


async def test_other_lines_while_a_capture_is_under_way_are_refused(shop: Shop) -> None:
    deal = await two_things(shop)
    now, first = shop.clock(), [Wanted(deal.thing, 2)]
    shop.stripe.lose_answer_before()
    with pytest.raises(OutcomeUnknown):
        await shop.preparation.prepare(deal.id, deal.seller, now, first)
    # The same money for other lines is not the same preparation either.
    for other in ([Wanted(deal.thing, 1)], [Wanted(deal.other, 3)], None):
        with pytest.raises(PreparationUnderWay):
            await shop.preparation.prepare(deal.id, deal.seller, now, other)
    view = await shop.preparation.prepare(deal.id, deal.seller, now, first)
    assert view.order.status == "paid"
    assert await quantities(deal.id) == {deal.thing: 2, deal.other: 0}
    with pytest.raises(OrderStepRefused):
        await shop.preparation.prepare(deal.id, deal.seller, now, [Wanted(deal.other, 1)])
    assert (await shop.steps(deal.id)).count("preparation_asked") == 1


async def test_two_different_parts_at_once_are_captured_once(shop: Shop) -> None:
    deal = await two_things(shop)
    parts = [[Wanted(deal.thing, 1)], [Wanted(deal.other, 1)]]
    await asyncio.gather(
        *(shop.preparation.prepare(deal.id, deal.seller, shop.clock(), part) for part in parts),
        return_exceptions=True,
    )
    view = await shop.see(deal.id)
    assert view.payment is not None
    worth = sum(line.unit_amount * (line.quantity_prepared or 0) for line in view.lines)
    assert view.payment.amount_captured == worth
    assert worth in (2_500, 1_000)
    assert shop.asked("capture_intent") == 1


async def test_the_sweep_that_concludes_a_lost_capture_knows_what_was_prepared(shop: Shop) -> None:
    deal = await two_things(shop)
    shop.stripe.lose_answer_after()
    with pytest.raises(OutcomeUnknown):
        await shop.preparation.prepare(deal.id, deal.seller, shop.clock(), [Wanted(deal.other, 2)])
    await shop.hear(deal.id)
    view = await shop.see(deal.id)
    assert view.order.status == "paid"
    assert await quantities(deal.id) == {deal.thing: 0, deal.other: 2}
    assert (await stock_of(deal.thing), await stock_of(deal.other)) == ((10, 0), (8, 0))


async def test_a_part_captured_at_the_dashboard_names_no_lines(shop: Shop) -> None:
    deal = await two_things(shop)
    shop.stripe.capture(await shop.intent_of(deal.id), 3_000, 100)
    await shop.hear(deal.id)
    assert await quantities(deal.id) == {deal.thing: None, deal.other: None}
    assert (await stock_of(deal.thing), await stock_of(deal.other)) == ((8, 0), (7, 0))


async def test_a_seller_restricted_since_then_is_told_once_for_each_reason(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    suspend = "UPDATE sellers SET suspended_at = $2 WHERE account_id = $1"
    await execute(suspend, deal.seller.account_id, shop.clock())
    for _ in range(3):
        with pytest.raises(SellerNotPayable):
            await shop.preparation.prepare(deal.id, deal.seller, shop.clock())
    told = (await shop.orders.history(deal.id, ADMIN))[-2:]
    assert [(step.step, step.reason) for step in told] == [
        ("authorized", None),
        ("preparation_refused", "suspended"),
    ]
    assert shop.asked("capture_intent") == 0
    await execute(suspend, deal.seller.account_id, None)
    assert (
        await shop.preparation.prepare(deal.id, deal.seller, shop.clock())
    ).order.status == "paid"


async def test_stripes_own_no_to_the_seller_is_told_and_makes_us_doubt_the_account(
    shop: Shop,
) -> None:
    deal = await two_things(shop)
    payment = await shop.payments.find_live(deal.id)
    assert payment is not None
    shop.stripe.closed_destinations.add(payment.destination)
    with pytest.raises(SellerCannotReceive):
        await shop.preparation.prepare(deal.id, deal.seller, shop.clock(), [Wanted(deal.thing, 1)])
    last = (await shop.orders.history(deal.id, ADMIN))[-1]
    assert (last.step, last.to_status) == ("preparation_refused", "authorized")
    assert last.reason == "insufficient_capabilities_for_transfer"
    assert await quantities(deal.id) == {deal.thing: None, deal.other: None}
    assert await value(
        "SELECT nudges > nudges_absorbed FROM connected_accounts WHERE account_id = $1",
        payment.destination,
    )
    shop.stripe.closed_destinations.clear()
    view = await shop.preparation.prepare(
        deal.id, deal.seller, shop.clock(), [Wanted(deal.other, 1)]
    )
    assert view.payment is not None
    assert view.payment.amount_captured == 1_000, "a definite no leaves the choice open again"


async def test_nothing_is_captured_while_fulfilment_is_held(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    await execute("UPDATE orders SET held_reason = 'too little' WHERE id = $1", deal.id)
    with pytest.raises(FulfilmentHeld):
        await shop.preparation.prepare(deal.id, deal.seller, shop.clock())
    assert shop.asked("capture_intent") == 0


async def test_what_was_marked_is_forgotten_when_the_hold_is_released(shop: Shop) -> None:
    deal = await two_things(shop)
    shop.stripe.lose_answer_before()
    with pytest.raises(OutcomeUnknown):
        await shop.preparation.prepare(deal.id, deal.seller, shop.clock(), [Wanted(deal.other, 1)])
    shop.stripe.end(await shop.intent_of(deal.id), "automatic")
    await shop.hear(deal.id)
    assert await shop.status(deal.id) == "expired"
    assert await quantities(deal.id) == {deal.thing: None, deal.other: None}
    assert (await stock_of(deal.thing), await stock_of(deal.other)) == ((10, 0), (10, 0))
