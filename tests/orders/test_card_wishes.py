"""Whether a buyer's card is kept: the last thing they said before paying, and never a reason not to pay."""

from payments.ids import IntentId
from tests.orders.carts import Basket, a_basket
from tests.orders.shop import Shop


async def kept(shop: Shop, basket: Basket) -> bool:
    intent_id = IntentId(await shop.intent_of(basket.id))
    return (await shop.stripe.retrieve_intent(intent_id)).saves_card


def asked(shop: Shop) -> int:
    return len([one for one in shop.stripe.asked if one.method == "keep_card"])


async def test_the_box_can_be_unticked_and_ticked_again(shop: Shop) -> None:
    basket = await a_basket(shop)
    await basket.begin(save_card=True)
    assert await kept(shop, basket)
    await basket.begin(save_card=False)
    assert not await kept(shop, basket)
    await basket.begin(save_card=True)
    assert await kept(shop, basket)
    assert asked(shop) == 2


async def test_unticking_when_confirming_counts(shop: Shop) -> None:
    basket = await a_basket(shop)
    await basket.begin(save_card=True)
    await basket.confirm(5_000, save_card=False)
    assert not await kept(shop, basket)


async def test_who_says_nothing_changes_nothing(shop: Shop) -> None:
    basket = await a_basket(shop)
    await basket.begin()
    assert not await kept(shop, basket)
    await basket.begin(save_card=True)
    await basket.begin()
    await basket.begin(save_card=True)
    assert await kept(shop, basket)
    assert asked(shop) == 1


async def test_a_refusal_stops_no_checkout_and_is_asked_again_under_another_number(
    shop: Shop,
) -> None:
    basket = await a_basket(shop)
    first = await basket.begin()
    shop.stripe.keepings_refused = 1
    assert (await basket.begin(save_card=True)).intent_id == first.intent_id
    assert not await kept(shop, basket)
    assert (await basket.begin(save_card=True)).intent_id == first.intent_id
    assert await kept(shop, basket)
    keys = [one.key for one in shop.stripe.asked if one.method == "keep_card"]
    assert [key.rpartition(":")[2] for key in keys] == ["1", "2"]


async def test_an_earlier_wish_whose_answer_is_lost_comes_before_the_last_one(shop: Shop) -> None:
    basket = await a_basket(shop)
    first = await basket.begin()
    shop.stripe.lose_answer_before()
    assert (await basket.begin(save_card=True)).intent_id == first.intent_id
    shop.clock.move(seconds=120)
    await basket.begin(save_card=False)
    assert not await kept(shop, basket)
    told = [one.draft.keep for one in shop.stripe.asked if one.method == "keep_card"]  # type: ignore[attr-defined]
    assert told == [True, False]
