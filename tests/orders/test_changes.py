"""A cart changes until it is confirmed, and the order always says what Stripe will charge."""

import pytest

from marketplace.catalog.catalog import Catalog
from marketplace.catalog.errors import OutOfStock
from marketplace.catalog.listings import ListingChanges
from marketplace.fees.schedule import FeeRule
from marketplace.fees.schedules import NewSchedule
from marketplace.orders.errors import (
    CartFrozen,
    ChangeUnderWay,
    CheckoutOver,
    ListingNotOffered,
    MixedCapture,
    NoLines,
    OrderNotFound,
    OrderStepRefused,
    SeveralSellers,
    ShippingNotNeeded,
    ShippingRefused,
)
from marketplace.orders.totals import Wanted
from payments.database import transaction, value
from payments.errors import OutcomeUnknown, PaymentStepRefused
from payments.gateway import Address, Shipping
from tests.fakes import CHALLENGED
from tests.orders.carts import BERLIN, Basket, a_basket
from tests.orders.shop import Shop, account, listing, stock_of


async def asked_amount(basket: Basket) -> tuple[int, int]:
    """What Stripe will charge, and the fee of it."""
    payment = await basket.shop.payments.find_live(basket.id)
    assert payment is not None
    shown = await basket.shop.stripe.retrieve_intent(payment.intent_id)  # type: ignore[arg-type]
    assert (payment.amount, payment.application_fee) == (shown.amount, shown.application_fee)
    return shown.amount, shown.application_fee


async def require_one_truth(basket: Basket) -> None:
    """The order's total and fee, the payment's, and Stripe's are one."""
    order = (await basket.shop.see(basket.id)).order
    assert await asked_amount(basket) == (order.total, order.application_fee)


async def test_before_the_first_checkout_a_change_is_applied_at_once(shop: Shop) -> None:
    basket = await a_basket(shop)
    view = await basket.change((basket.thing, 1), (basket.other, 3))
    assert (view.order.total, view.order.cart_version) == (5_500, 2)
    assert [(line.listing_id, line.quantity, line.amount) for line in view.lines] == [
        (basket.thing, 1, 2_500),
        (basket.other, 3, 3_000),
    ]
    assert await shop.steps(basket.id) == ["placed", "changed"]
    assert shop.stripe.asked == []
    assert await stock_of(basket.thing) == (10, 0)


async def test_amount_and_fee_follow_in_one_update(shop: Shop) -> None:
    basket = await a_basket(shop)
    intent = await basket.begin()
    view = await basket.change((basket.thing, 3))
    assert view.order.total == 7_500
    assert view.change is None
    assert shop.asked("update_intent") == 1
    await require_one_truth(basket)
    again = await basket.begin()
    assert (again.intent_id, again.amount) == (intent.intent_id, 7_500)
    assert shop.stripe.asked[-1].key == f"order:{basket.id}:g1:pi:update:2"
    assert await stock_of(basket.thing) == (10, 3)


async def publish(shop: Shop, rules: tuple[FeeRule, ...]) -> None:
    """Put rules in force from now on."""
    new = NewSchedule(
        rules=rules,
        fee_on_refund="return",
        effective_from=shop.clock(),
        effective_to=None,
        draft_id="fdr_test",
        created_by="acc_one",
        approved_by="acc_other",
    )
    async with transaction():
        await shop.schedules.publish(new, "a test", shop.clock())


async def test_the_price_is_that_of_the_moment_and_the_fee_of_the_schedule_in_force(
    shop: Shop,
) -> None:
    basket = await a_basket(shop)
    before = (await shop.see(basket.id)).order
    await basket.begin()
    await Catalog().update(
        basket.owner, basket.thing, ListingChanges(unit_amount=2_600), shop.clock()
    )
    await publish(shop, (FeeRule(id="all", basis_points=2_000, fixed={}, floor={}, cap={}),))
    try:
        assert (await basket.send_to(BERLIN)).order.total == 5_000, "an address changes no price"
        view = await basket.change((basket.thing, 2))
    finally:
        await publish(shop, (await shop.schedules.require(before.fee_schedule_id)).rules)
    assert (view.order.total, view.order.application_fee) == (5_200, 1_040)
    assert view.order.fee_schedule_id != before.fee_schedule_id
    await require_one_truth(basket)


async def test_stock_follows_all_or_nothing(shop: Shop) -> None:
    basket = await a_basket(shop, stock=4)
    await basket.begin()
    with pytest.raises(OutOfStock):
        await basket.change((basket.thing, 5), (basket.other, 1))
    assert (await stock_of(basket.thing), await stock_of(basket.other)) == ((4, 2), (4, 0))
    await basket.change((basket.other, 4))
    assert (await stock_of(basket.thing), await stock_of(basket.other)) == ((4, 0), (4, 4))
    await require_one_truth(basket)


async def test_nothing_changed_asks_stripe_nothing(shop: Shop) -> None:
    basket = await a_basket(shop)
    await basket.begin()
    view = await basket.change((basket.thing, 2))
    assert (view.order.cart_version, shop.asked("update_intent")) == (1, 0)


async def test_a_lost_answer_leaves_the_order_as_it_was_until_the_outcome_is_known(
    shop: Shop,
) -> None:
    """The timeout of an update must neither charge an unknown total nor forget what was asked."""
    basket = await a_basket(shop)
    await basket.begin()
    shop.stripe.lose_answer_after()
    with pytest.raises(OutcomeUnknown):
        await basket.change((basket.thing, 4))
    view = await shop.see(basket.id)
    assert view.order.total == 5_000
    assert view.change is not None
    assert (view.change.version, view.change.total) == (2, 10_000)
    assert await stock_of(basket.thing) == (10, 4), "enough for either cart"
    for refused in (basket.begin, basket.confirm):
        with pytest.raises(ChangeUnderWay):
            await refused()
    with pytest.raises(ChangeUnderWay):
        await basket.change((basket.thing, 1))
    await shop.operations.resume_due(shop.clock.move(minutes=1))
    view = await shop.see(basket.id)
    assert (view.order.total, view.change) == (10_000, None)
    await require_one_truth(basket)


async def test_a_webhook_may_tell_of_the_change_before_the_answer_does(shop: Shop) -> None:
    basket = await a_basket(shop)
    await basket.begin()
    shop.stripe.lose_answer_after()
    with pytest.raises(OutcomeUnknown):
        await basket.change((basket.thing, 4))
    await shop.hear(basket.id)
    assert (await shop.see(basket.id)).order.total == 10_000
    await shop.operations.resume_due(shop.clock.move(minutes=1))
    assert (await shop.steps(basket.id)).count("changed") == 1


async def test_paid_while_a_change_was_on_its_way_it_is_what_stripe_charged(shop: Shop) -> None:
    """Craft's delayed cart save: the money tells which of the two carts it was."""
    for lose, total, quantity in ((False, 5_000, 2), (True, 10_000, 4)):
        basket = await a_basket(shop)
        intent = await basket.begin()
        (shop.stripe.lose_answer_after if lose else shop.stripe.lose_answer_before)()
        with pytest.raises(OutcomeUnknown):
            await basket.change((basket.thing, 4))
        shop.stripe.pay(intent.intent_id)
        await shop.hear(basket.id)
        view = await shop.see(basket.id)
        assert (view.order.status, view.order.total) == ("authorized", total)
        assert view.order.held_reason is None
        await shop.operations.resume_due(shop.clock.move(minutes=1))
        assert await stock_of(basket.thing) == (10, quantity)
        await require_one_truth(basket)


async def test_stripes_no_leaves_the_cart_and_its_stock_as_they_were(shop: Shop) -> None:
    basket = await a_basket(shop)
    intent = await basket.begin()
    # Paid, and nobody has told us yet.
    shop.stripe.pay(intent.intent_id)
    with pytest.raises(PaymentStepRefused):
        await basket.change((basket.thing, 5))
    assert await shop.status(basket.id) == "authorized"
    assert (await shop.see(basket.id)).order.total == 5_000
    assert await stock_of(basket.thing) == (10, 2)
    assert "change_refused" in await shop.steps(basket.id)


async def test_a_refused_change_and_the_next_one_have_keys_of_their_own(shop: Shop) -> None:
    basket = await a_basket(shop)
    await basket.begin()
    for quantity in (3, 2, 3):
        await basket.change((basket.thing, quantity))
    keys = [one.key for one in shop.stripe.asked if one.method == "update_intent"]
    assert [key.rsplit(":", 1)[1] for key in keys] == ["2", "3", "4"]


async def test_a_frozen_cart_stands_still(shop: Shop) -> None:
    basket = await a_basket(shop)
    await basket.confirm()
    with pytest.raises(CartFrozen) as refusal:
        await basket.change((basket.thing, 1))
    assert refusal.value.total == 5_000
    assert (await shop.see(basket.id)).order.total == 5_000


async def test_a_decline_thaws_the_cart(shop: Shop) -> None:
    """WooCommerce charged the old total after an order was edited between two attempts."""
    basket = await a_basket(shop)
    intent = await basket.confirm()
    shop.stripe.pay(intent.intent_id, "pm_card_visa_chargeDeclined")
    await shop.hear(basket.id)
    await basket.change((basket.thing, 1))
    assert (await basket.confirm()).amount == 2_500
    await require_one_truth(basket)
    shop.stripe.pay(intent.intent_id)
    await shop.hear(basket.id)
    view = await shop.see(basket.id)
    assert (view.order.status, view.order.held_reason) == ("authorized", None)


async def test_a_cart_nobody_confirms_thaws_after_ten_minutes(shop: Shop) -> None:
    basket = await a_basket(shop)
    await basket.confirm()
    shop.clock.move(minutes=9)
    with pytest.raises(CartFrozen):
        await basket.change((basket.thing, 1))
    shop.clock.move(minutes=1)
    assert (await basket.change((basket.thing, 1))).order.total == 2_500
    assert "confirmation_ended" in await shop.steps(basket.id)


async def test_a_challenge_of_the_earlier_total_keeps_the_cart_still(shop: Shop) -> None:
    basket = await a_basket(shop)
    intent = await basket.begin()
    shop.stripe.pay(intent.intent_id, CHALLENGED)
    await shop.hear(basket.id)
    with pytest.raises(CartFrozen):
        await basket.change((basket.thing, 1))


async def test_where_it_is_sent_travels_with_it(shop: Shop) -> None:
    basket = await a_basket(shop)
    view = await basket.send_to(BERLIN)
    assert view.order.shipping is not None
    await basket.begin()
    assert shop.stripe.asked[-1].draft.shipping == BERLIN  # type: ignore[attr-defined]
    other = Shipping(name="Ben", address=Address(line1="Rue 1", city="Paris", country="FR"))
    await basket.send_to(other)
    assert shop.stripe.asked[-1].draft.shipping == other  # type: ignore[attr-defined]
    assert (await basket.send_to(None)).order.shipping is None


@pytest.mark.parametrize(
    ("shipping", "field"),
    [
        (Shipping(name=" ", address=BERLIN.address), "name"),
        (Shipping(name="A\nB", address=BERLIN.address), "name"),
        (Shipping(name="Ada", phone="call me", address=BERLIN.address), "phone"),
        (
            Shipping(name="Ada", address=Address(line1="1", city=None, country="DE")),
            "address.city",
        ),
        (
            Shipping(name="Ada", address=Address(line1="1", city="X", country="XX")),
            "address.country",
        ),
        (
            Shipping(name="Ada", address=Address(line1="", city="X", country="DE")),
            "address.line1",
        ),
    ],
)
async def test_an_address_nobody_could_send_to(shop: Shop, shipping: Shipping, field: str) -> None:
    basket = await a_basket(shop)
    with pytest.raises(ShippingRefused) as refusal:
        await basket.send_to(shipping)
    assert refusal.value.field == field


async def test_a_session_is_not_sent(shop: Shop) -> None:
    basket = await a_basket(shop, "session")
    with pytest.raises(ShippingNotNeeded):
        await basket.send_to(BERLIN)


async def test_what_cannot_be_this_order(shop: Shop) -> None:
    basket, elsewhere = await a_basket(shop), await a_basket(shop)
    hour = (await listing(basket.owner, kind="session")).id
    for lines, refusal in (
        ([], NoLines),
        ([(elsewhere.thing, 1)], SeveralSellers),
        ([(hour, 1)], MixedCapture),
        ([("lst_unknown", 1)], ListingNotOffered),
    ):
        with pytest.raises(refusal):
            await basket.change(*lines)
    assert await shop.steps(basket.id) == ["placed"]


async def test_only_its_buyer_changes_a_cart(shop: Shop) -> None:
    basket = await a_basket(shop)
    for somebody in (basket.owner, await account()):
        with pytest.raises(OrderNotFound):
            await shop.changes.change(
                basket.id,
                somebody,
                wanted=[Wanted(basket.thing, 1)],
                shipping=None,
                now=shop.clock(),
            )


async def test_after_its_time_and_after_its_payment_a_cart_is_no_cart(shop: Shop) -> None:
    basket, late = await a_basket(shop, "session"), await a_basket(shop)
    await shop.pay(basket.id)
    with pytest.raises(OrderStepRefused):
        await basket.change((basket.thing, 1))
    shop.clock.move(hours=25)
    with pytest.raises(CheckoutOver):
        await late.change((late.thing, 1))


async def test_every_change_is_on_record(shop: Shop) -> None:
    basket = await a_basket(shop)
    await basket.change((basket.thing, 1))
    await basket.begin()
    await basket.change((basket.thing, 3))
    kept = await value(
        "SELECT string_agg(version || ' ' || state || ' ' || total, ', ' ORDER BY version) "
        "FROM order_changes WHERE order_id = $1",
        basket.id,
    )
    assert kept == "2 applied 2500, 3 applied 7500"
