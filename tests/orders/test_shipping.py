"""Shipping: never without captured money, with tracking that Stripe learns too, sooner or later."""

from datetime import timedelta

import msgspec
import pytest

from marketplace.orders.errors import (
    FulfilmentHeld,
    OrderNotFound,
    OrderStepRefused,
    SellerOnly,
    ShippingNotNeeded,
)
from marketplace.orders.fulfilment_errors import CancellationUnderWay, NotPaidFor, ParcelRefused
from marketplace.orders.records import Actor
from marketplace.orders.refunds import RefundWish
from marketplace.orders.shipping import DELIVERY_LASTS, Parcel
from payments.database import execute, value
from payments.errors import OutcomeUnknown
from payments.gateway import Address
from payments.gateway import Shipping as Recipient
from payments.tracking import TrackingDraft
from tests.orders.deals import ADMIN, Deal, a_deal, a_dispute, a_held_deal, a_paid_deal
from tests.orders.shop import Shop, account

DHL = Parcel(carrier="DHL", tracking_number="00340434161094042557")
UPS = Parcel(carrier="UPS", tracking_number="1Z999AA10123456784")
GRACE = Recipient(
    name="Grace Hopper",
    phone="+49 30 1",
    address=Address(line1="Hafen 1", city="Berlin", country="DE", postal_code="10115"),
)


async def to_ship(shop: Shop, *, addressed: bool = True) -> Deal:
    deal = await a_held_deal(shop)
    if addressed:
        await execute(
            "UPDATE orders SET shipping = $2 WHERE id = $1",
            deal.id,
            msgspec.json.encode(GRACE).decode(),
        )
    await shop.preparation.prepare(deal.id, deal.seller, shop.clock())
    return deal


def shown(shop: Shop, charge_id: str) -> tuple[str | None, str | None]:
    written = shop.stripe_tracking.shown[charge_id]
    return written.carrier, written.tracking_number


async def charge_of(deal: Deal) -> str:
    return str(await value("SELECT charge_id FROM payments WHERE order_id = $1", deal.id))


async def test_a_parcel_is_on_its_way_and_stripe_knows(shop: Shop) -> None:
    deal = await to_ship(shop)
    view = await shop.shipping.ship(deal.id, deal.seller, DHL, shop.clock())
    assert view.order.status == "shipped"
    assert view.shipment is not None
    assert (view.shipment.carrier, view.shipment.tracking_number) == (
        DHL.carrier,
        DHL.tracking_number,
    )
    assert view.order.completes_at == shop.clock() + DELIVERY_LASTS
    assert shown(shop, await charge_of(deal)) == (DHL.carrier, DHL.tracking_number)
    [asked] = shop.stripe_tracking.asked
    assert asked.key == f"order:{deal.id}:tracking:1:1"
    assert isinstance(asked.draft, TrackingDraft)
    assert (asked.draft.to.name, asked.draft.to.address.city) == ("Grace Hopper", "Berlin")
    last = (await shop.orders.history(deal.id, ADMIN))[-1]
    assert (last.step, last.reason) == ("shipped", "DHL 00340434161094042557")


async def test_the_hold_lapsed_and_goods_were_shipped_unpaid(shop: Shop) -> None:
    """A hold is no money: nothing leaves the shop before it is captured."""
    for deal in (await a_deal(shop), await a_held_deal(shop)):
        with pytest.raises(OrderStepRefused):
            await shop.shipping.ship(deal.id, deal.seller, DHL, shop.clock())
    shop.stripe.end(await shop.intent_of(deal.id), "automatic")
    await shop.hear(deal.id)
    assert await shop.status(deal.id) == "expired"
    with pytest.raises(OrderStepRefused):
        await shop.shipping.ship(deal.id, deal.seller, DHL, shop.clock())
    assert await value("SELECT count(*) FROM shipments WHERE order_id = $1", deal.id) == 0


async def test_what_was_lost_whole_to_a_dispute_stays_in_the_shop(shop: Shop) -> None:
    deal = await to_ship(shop)
    await a_dispute(shop, deal, 5_000, lost=True)
    with pytest.raises(NotPaidFor):
        await shop.shipping.ship(deal.id, deal.seller, DHL, shop.clock())


async def test_what_was_refunded_whole_stays_in_the_shop(shop: Shop) -> None:
    deal = await to_ship(shop)
    await shop.refunds.ask(
        deal.id, deal.seller, RefundWish(amount=4_999), idempotency_key="a", now=shop.clock()
    )
    shop.stripe.lose_answer_before()
    with pytest.raises(OutcomeUnknown):
        await shop.refunds.ask(
            deal.id, deal.seller, RefundWish(), idempotency_key="b", now=shop.clock()
        )
    with pytest.raises(NotPaidFor):
        await shop.shipping.ship(deal.id, deal.seller, DHL, shop.clock())


async def test_nothing_is_shipped_while_it_is_canceled_or_held(shop: Shop) -> None:
    deal = await to_ship(shop)
    await execute("UPDATE orders SET held_reason = 'too little' WHERE id = $1", deal.id)
    with pytest.raises(FulfilmentHeld):
        await shop.shipping.ship(deal.id, deal.seller, DHL, shop.clock())
    await execute("UPDATE orders SET held_reason = NULL WHERE id = $1", deal.id)
    shop.stripe.lose_answer_before()
    with pytest.raises(OutcomeUnknown):
        await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())
    with pytest.raises(CancellationUnderWay):
        await shop.shipping.ship(deal.id, deal.seller, DHL, shop.clock())


async def test_carrier_and_number_are_corrected_here_and_at_stripe(shop: Shop) -> None:
    deal = await to_ship(shop)
    await shop.shipping.ship(deal.id, deal.seller, DHL, shop.clock())
    shop.clock.move(hours=1)
    view = await shop.shipping.correct(deal.id, deal.seller, UPS, shop.clock())
    assert view.shipment is not None
    assert view.shipment.carrier == "UPS"
    assert view.shipment.shipped_at == shop.clock() - timedelta(hours=1)
    assert shown(shop, await charge_of(deal)) == (UPS.carrier, UPS.tracking_number)
    steps = await shop.steps(deal.id)
    assert steps[-2:] == ["shipped", "tracking_corrected"]
    await shop.shipping.correct(deal.id, deal.seller, UPS, shop.clock())
    assert await shop.steps(deal.id) == steps, "the same again is no news"
    assert len(shop.stripe_tracking.asked) == 2


async def test_a_stripe_that_does_not_listen_holds_no_parcel_up(shop: Shop) -> None:
    deal = await to_ship(shop)
    shop.stripe_tracking.lose_answer_before()
    view = await shop.shipping.ship(deal.id, deal.seller, DHL, shop.clock())
    assert view.order.status == "shipped"
    assert shop.stripe_tracking.shown == {}
    await shop.resume()
    assert shown(shop, await charge_of(deal)) == (DHL.carrier, DHL.tracking_number)


async def test_a_correction_is_never_overtaken_by_what_it_corrects(shop: Shop) -> None:
    deal = await to_ship(shop)
    shop.stripe_tracking.lose_answer_before()
    await shop.shipping.ship(deal.id, deal.seller, DHL, shop.clock())
    await shop.shipping.correct(deal.id, deal.seller, UPS, shop.clock())
    await shop.resume()
    assert shown(shop, await charge_of(deal)) == (UPS.carrier, UPS.tracking_number)
    states = await value(
        "SELECT array_agg(state || ':' || coalesce(error_code, '-') ORDER BY created_at, id) "
        "FROM operations WHERE order_id = $1 AND kind = 'write_tracking'",
        deal.id,
    )
    assert states == ["rejected:superseded", "succeeded:-"]
    assert [one.key[-3:] for one in shop.stripe_tracking.asked] == ["2:1"]


async def test_a_note_whose_key_is_too_old_is_read_back(shop: Shop) -> None:
    deal = await to_ship(shop)
    shop.stripe_tracking.lose_answer_after()
    await shop.shipping.ship(deal.id, deal.seller, DHL, shop.clock())
    shop.clock.move(hours=30)
    await shop.operations.resume_due(shop.clock())
    assert len(shop.stripe_tracking.asked) == 1, "found, not sent again"
    state = "SELECT state FROM operations WHERE order_id = $1 AND kind = 'write_tracking'"
    assert await value(state, deal.id) == "succeeded"


async def test_without_an_address_stripe_keeps_no_tracking_and_is_not_asked(shop: Shop) -> None:
    deal = await to_ship(shop, addressed=False)
    view = await shop.shipping.ship(deal.id, deal.seller, DHL, shop.clock())
    assert view.order.status == "shipped"
    assert shop.stripe_tracking.asked == []


async def test_sessions_are_not_shipped(shop: Shop) -> None:
    deal = await a_paid_deal(shop)
    for use_case in (shop.shipping.ship, shop.shipping.correct):
        with pytest.raises(ShippingNotNeeded):
            await use_case(deal.id, deal.seller, DHL, shop.clock())


async def test_only_the_seller_ships(shop: Shop) -> None:
    deal = await to_ship(shop)
    for use_case in (shop.shipping.ship, shop.shipping.correct):
        with pytest.raises(SellerOnly):
            await use_case(deal.id, deal.buyer, DHL, shop.clock())
        with pytest.raises(OrderNotFound):
            await use_case(deal.id, Actor(await account()), DHL, shop.clock())


@pytest.mark.parametrize(
    ("carrier", "number", "field"),
    [
        ("", "1", "carrier"),
        ("  ", "1", "carrier"),
        ("D" * 61, "1", "carrier"),
        ("DHL\n", "a\tb", "tracking_number"),
        ("DHL", "", "tracking_number"),
        ("DHL", "1" * 81, "tracking_number"),
    ],
)
async def test_a_parcel_nobody_could_follow_is_refused(
    shop: Shop, carrier: str, number: str, field: str
) -> None:
    deal = await to_ship(shop)
    with pytest.raises(ParcelRefused) as refusal:
        await shop.shipping.ship(
            deal.id, deal.seller, Parcel(carrier=carrier, tracking_number=number), shop.clock()
        )
    assert refusal.value.field == field
    assert await shop.status(deal.id) == "paid"
