"""Every status of an order and every wish of its buyer: the table decides, each refusal is right."""

from collections.abc import Awaitable, Callable

import pytest

from marketplace.orders import records, steps
from marketplace.orders.errors import FulfilmentNotHeld, OrderStepRefused
from marketplace.orders.order_states import STATUSES, TRANSITIONS, Status, Step
from payments.database import transaction
from tests.orders.carts import Basket, a_basket
from tests.orders.deals import ADMIN
from tests.orders.shop import Shop

_ON_THE_WAY: dict[Status, tuple[Step, ...]] = {
    "paid": (),
    "shipped": ("shipped",),
    "completed": ("shipped", "completed"),
}


async def brought_to(shop: Shop, status: Status) -> Basket:
    """An order in that status, on the way that orders go."""
    basket = await a_basket(shop, "product" if status == "authorized" else "session")
    if status in ("authorized", *_ON_THE_WAY):
        await shop.pay(basket.id)
    elif status == "canceled":
        await shop.cancellation.cancel(basket.id, ADMIN, shop.clock())
    elif status == "expired":
        await shop.expiry.expire_due(shop.clock.move(hours=24))
    for step in _ON_THE_WAY.get(status, ()):
        async with transaction():
            order = await records.lock(basket.id)
            await steps.take(order, step, actor="test", now=shop.clock())
    assert await shop.status(basket.id) == status
    return basket


async def change(basket: Basket) -> object:
    return await basket.change((basket.thing, 1))


async def begin(basket: Basket) -> object:
    return await basket.begin()


async def confirm(basket: Basket) -> object:
    return await basket.confirm()


async def pay_with_a_card(basket: Basket) -> object:
    return await basket.confirm(card_id=await basket.card())


async def go_back(basket: Basket) -> object:
    return await basket.go_back()


WISHES: dict[Step, tuple[Callable[[Basket], Awaitable[object]], ...]] = {
    "changed": (change,),
    # To confirm an order that has expired begins it anew.
    "checkout_begun": (begin, confirm, pay_with_a_card),
    "confirmation_ended": (go_back,),
}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("step", WISHES)
async def test_every_wish_in_every_status(shop: Shop, status: Status, step: Step) -> None:
    for wish in WISHES[step]:
        basket = await brought_to(shop, status)
        before = await shop.steps(basket.id)
        if (status, step) in TRANSITIONS:
            await wish(basket)
            continue
        with pytest.raises(OrderStepRefused) as refusal:
            await wish(basket)
        assert refusal.value.order_status == status
        assert await shop.steps(basket.id) == before


@pytest.mark.parametrize("status", STATUSES)
async def test_nothing_is_released_that_was_not_held(shop: Shop, status: Status) -> None:
    basket = await brought_to(shop, status)
    with pytest.raises(FulfilmentNotHeld):
        await shop.holds.release(basket.id, ADMIN, "looked", shop.clock())


@pytest.mark.parametrize("status", STATUSES)
async def test_a_sweep_ends_only_checkouts(shop: Shop, status: Status) -> None:
    basket = await brought_to(shop, status)
    before = await shop.steps(basket.id)
    shop.clock.move(hours=25)
    await shop.expiry.mark_unpayable(shop.clock())
    await shop.expiry.expire_due(shop.clock())
    changed = await shop.steps(basket.id) != before
    assert changed == (status == "checkout")
