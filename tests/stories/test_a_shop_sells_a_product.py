"""A product with stock: authorized at checkout, captured when the seller has prepared it."""

import asyncio

from tests.stories.town import Person, Town


async def _stock(person: Person, listing: str) -> int:
    return int((await person.get(f"/v1/listings/{listing}"))["available"])


async def test_a_product_is_held_prepared_and_captured(
    town: Town, coach: Person, buyer: Person
) -> None:
    listing = await town.product(coach, stock=5, unit_amount=2500)
    order_id = await buyer.pays(listing, quantity=2)
    order = await buyer.get(f"/v1/orders/{order_id}")
    assert (order["status"], order["total"]) == ("authorized", 5000)
    assert await _stock(buyer, listing) == 3, "set aside"

    await coach.post(f"/v1/orders/{order_id}/preparation")
    order = await coach.get(f"/v1/orders/{order_id}")
    assert order["status"] == "paid"
    assert await _stock(buyer, listing) == 3, "sold"
    await town.settle()
    steps = (await coach.get(f"/v1/orders/{order_id}/history"))["data"]
    assert [step["step"] for step in steps][-1] == "prepared"


async def test_preparing_twice_captures_once(town: Town, coach: Person, buyer: Person) -> None:
    """medusa 13301: double capture."""
    order_id = await buyer.pays(await town.product(coach))
    path = f"/v1/orders/{order_id}/preparation"
    answers = await asyncio.gather(*[coach.call("POST", path, key=f"k{n}") for n in range(5)])
    assert 200 in {answer.status_code for answer in answers} <= {200, 409}
    await town.settle()
    captures = [
        one
        for one in await town.asked("POST", "/v1/payment_intents")
        if one["path"].endswith("/capture") and order_id in (one.get("idempotency_key") or "")
    ]
    assert len(captures) == 1
    assert (await buyer.get(f"/v1/orders/{order_id}"))["status"] == "paid"


async def test_a_seller_restricted_since_then_captures_nothing(
    town: Town, admin: Person, buyer: Person
) -> None:
    seller = await town.seller("shop", admin=admin)
    order_id = await buyer.pays(await town.product(seller))
    await town.restricts(seller)
    status, code = await seller.refused("POST", f"/v1/orders/{order_id}/preparation")
    assert (status, code) == (409, "seller_not_payable")
    assert (await buyer.get(f"/v1/orders/{order_id}"))["status"] == "authorized"
    await town.restricts(seller, "active")
    await seller.post(f"/v1/orders/{order_id}/preparation")
    assert (await buyer.get(f"/v1/orders/{order_id}"))["status"] == "paid"


async def test_the_last_one_is_sold_once(town: Town, coach: Person) -> None:
    """openfoodnetwork 3925: three buyers, one item, three charges."""
    listing = await town.product(coach, stock=1)
    buyers = [await town.arrives(f"buyer{n}") for n in range(6)]
    orders = [await buyer.order((listing, 1)) for buyer in buyers]

    async def check_out(buyer: Person, order_id: str) -> int:
        answer = await buyer.call("POST", f"/v1/orders/{order_id}/checkout", key="once")
        return answer.status_code

    answers = await asyncio.gather(
        *[check_out(b, o["id"]) for b, o in zip(buyers, orders, strict=True)]
    )
    assert sorted(answers) == [200] + [409] * 5


async def test_a_canceled_hold_is_released_with_its_stock(
    town: Town, coach: Person, buyer: Person
) -> None:
    """woocommerce-payments 5605: canceled orders stayed capturable."""
    listing = await town.product(coach, stock=3)
    order_id = await buyer.pays(listing)
    canceled = await buyer.post(f"/v1/orders/{order_id}/cancellation")
    assert canceled["status"] == "canceled"
    await town.settle()
    assert await _stock(buyer, listing) == 3
    [intent] = [
        one
        for one in (await town.stripe("GET", "/v1/payment_intents"))["data"]
        if one["metadata"]["order_id"] == order_id
    ]
    assert intent["status"] == "canceled"
    assert (await coach.refused("POST", f"/v1/orders/{order_id}/preparation"))[0] == 409


async def test_an_abandoned_checkout_expires_after_a_day_and_gives_the_stock_back(
    town: Town, coach: Person
) -> None:
    buyer = await town.arrives("buyer")
    listing = await town.product(coach, stock=1)
    order = await buyer.order((listing, 1))
    await buyer.checkout(order["id"])
    assert await _stock(coach, listing) == 0
    await town.passes(hours=25)
    await town.signs_in(buyer)
    await town.signs_in(coach)
    assert (await buyer.get(f"/v1/orders/{order['id']}"))["status"] == "expired"
    assert await _stock(coach, listing) == 1


async def test_sessions_and_products_do_not_share_an_order(
    town: Town, coach: Person, buyer: Person
) -> None:
    lines = [
        {"listing_id": await town.lists(coach), "quantity": 1},
        {"listing_id": await town.product(coach), "quantity": 1},
    ]
    assert (await buyer.refused("POST", "/v1/orders", {"lines": lines}))[0] == 422
