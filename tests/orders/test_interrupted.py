"""A change or a confirmation that ends at any of its waits: the order, the payment and Stripe stay one."""

from payments.operations import LEASE_SECONDS
from tests.faults.test_cancelled_anywhere import LONGEST, cancelled_at
from tests.orders.carts import a_basket
from tests.orders.shop import Shop, stock_of
from tests.orders.test_changes import require_one_truth


async def sweeps_run(shop: Shop) -> None:
    await shop.operations.resume_due(shop.clock.move(seconds=2 * LEASE_SECONDS + 1))


async def test_a_change_cancelled_at_any_of_its_waits_is_made_whole_or_never_was(
    shop: Shop,
) -> None:
    outcomes = set()
    for at in range(1, LONGEST):
        basket = await a_basket(shop)
        await basket.begin()
        over = await cancelled_at(basket.change((basket.thing, 3)), at)
        await sweeps_run(shop)
        view = await shop.see(basket.id)
        assert view.change is None
        await require_one_truth(basket)
        quantity = view.lines[0].quantity
        assert await stock_of(basket.thing) == (10, quantity)
        outcomes.add(quantity)
        # Asked again it is that cart, whatever had become of the first time.
        assert (await basket.change((basket.thing, 3))).order.total == 7_500
        await require_one_truth(basket)
        if over:
            break
    assert outcomes == {2, 3}
    assert 5 < at < LONGEST - 1


async def test_a_confirmation_cancelled_at_any_of_its_waits_charges_once(shop: Shop) -> None:
    for at in range(1, LONGEST):
        basket = await a_basket(shop, "session")
        card = await basket.card()
        over = await cancelled_at(basket.confirm(5_000, card_id=card), at)
        await sweeps_run(shop)
        if await shop.status(basket.id) == "checkout":
            assert (await basket.confirm(5_000, card_id=card)).status == "succeeded"
        view = await shop.see(basket.id)
        assert (view.order.status, view.order.held_reason) == ("paid", None)
        assert view.payment is not None
        assert view.payment.amount_captured == 5_000
        keys = [
            one.key
            for one in shop.stripe.asked
            if one.method == "confirm_intent" and basket.id in one.key
        ]
        assert len(set(keys)) == 1
        if over:
            break
    assert 5 < at < LONGEST - 1
