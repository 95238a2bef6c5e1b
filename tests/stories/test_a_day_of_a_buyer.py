"""A buyer's day: minds are changed, browsers closed, banks ask; one total is shown and that one is paid."""

import asyncio
from typing import Any

from tests.stories.town import Person, Town, a_client
from tests.stories.wallet import cards, gives_card, saves_card

ADDRESS = {
    "name": "Ada Example",
    "address": {
        "line1": "Torstraße 1",
        "postal_code": "10119",
        "city": "Berlin",
        "country": "DE",
    },
}


def lines(*wanted: tuple[str, int]) -> dict[str, Any]:
    return {"lines": [{"listing_id": each, "quantity": number} for each, number in wanted]}


async def intent_of(town: Town, checkout: Any) -> Any:
    return await town.stripe("GET", f"/v1/payment_intents/{checkout['payment_intent']}")


async def changed(buyer: Person, order_id: str, **body: Any) -> Any:
    answer = await buyer.call("PATCH", f"/v1/orders/{order_id}", body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def confirm(buyer: Person, order: Any, **more: Any) -> Any:
    """The buyer was shown the total and agrees."""
    body = {"amount": order["total"], "currency": order["currency"], **more}
    return await buyer.post(f"/v1/orders/{order['id']}/confirmation", body)


async def status_of(person: Person, order_id: str) -> str:
    return str((await person.get(f"/v1/orders/{order_id}"))["status"])


async def passes_the_banks_page(town: Town, intent_id: str) -> None:
    """The buyer's browser shows the bank's page, and the buyer is who they say."""
    async with a_client(base_url=town.sandbox.base_url) as browser:
        answer = await browser.post(f"/3ds/{intent_id}", data={"outcome": "complete"})
    assert answer.status_code < 400, answer.text


async def test_minds_are_changed_until_it_is_confirmed(
    town: Town, coach: Person, buyer: Person
) -> None:
    """Fills a cart, opens the checkout, adds, removes, gives an address, and pays the last total."""
    mat, block = await town.product(coach), await town.product(coach, unit_amount=900)
    order = await buyer.order((mat, 1))
    checkout = await buyer.checkout(order["id"])
    order = await changed(buyer, order["id"], **lines((mat, 2), (block, 3)))
    order = await changed(buyer, order["id"], shipping=ADDRESS)
    order = await changed(buyer, order["id"], **lines((mat, 1), (block, 2)))
    assert (order["total"], order["cart_version"]) == (4_300, 4)
    intent = await intent_of(town, checkout)
    seen = await coach.get(f"/v1/orders/{order['id']}")
    assert (intent["amount"], intent["application_fee_amount"]) == (4_300, seen["application_fee"])
    assert intent["shipping"]["address"]["city"] == "Berlin"
    paying = await confirm(buyer, order)
    assert paying["payment_intent"] == checkout["payment_intent"], "one PaymentIntent all the way"
    await town.confirm(paying)
    await town.settle()
    assert await status_of(buyer, order["id"]) == "authorized"
    assert (await buyer.get(f"/v1/listings/{mat}"))["available"] == 4
    await coach.post(f"/v1/orders/{order['id']}/preparation")
    assert await status_of(buyer, order["id"]) == "paid"


async def test_an_interrupted_checkout_goes_on_where_it_was(town: Town, coach: Person) -> None:
    """The train enters a tunnel; in the evening the same PaymentIntent is paid."""
    buyer = await town.arrives("commuter")
    order = await buyer.order((await town.lists(coach), 1))
    morning = await buyer.checkout(order["id"])
    await town.confirm(morning, "pm_card_visa_chargeDeclinedInsufficientFunds")
    await town.passes(hours=9)
    await town.signs_in(buyer)
    evening = await confirm(buyer, order)
    assert evening["payment_intent"] == morning["payment_intent"]
    await town.confirm(evening)
    await town.settle()
    assert await status_of(buyer, order["id"]) == "paid"


async def test_a_day_later_the_checkout_is_over_and_begins_anew(town: Town, admin: Person) -> None:
    """Twenty-four hours unpaid: canceled at Stripe, stock released; then the buyer comes back."""
    await town.signs_in(admin)
    shop = await town.seller("shop", admin=admin)
    buyer = await town.arrives("dreamer")
    mat = await town.product(shop, stock=1)
    order = await buyer.order((mat, 1))
    first = await buyer.checkout(order["id"])
    await town.passes(hours=25)
    await town.signs_in(buyer)
    assert await status_of(buyer, order["id"]) == "expired"
    assert (await intent_of(town, first))["status"] == "canceled"
    assert (await buyer.get(f"/v1/listings/{mat}"))["available"] == 1
    second = await confirm(buyer, order)
    assert second["payment_intent"] != first["payment_intent"]
    await town.confirm(second)
    await town.settle()
    assert await status_of(buyer, order["id"]) == "authorized"


async def test_one_click_and_the_bank_wants_to_see_the_buyer(town: Town, admin: Person) -> None:
    """A kept card pays at once; another one's bank shows its page, and the browser goes on."""
    await town.signs_in(admin)
    coach, buyer = await town.seller("trainer", admin=admin), await town.arrives("regular")
    hour = await town.lists(coach)
    card = await saves_card(town, buyer)
    paid = await buyer.order((hour, 1))
    assert (await confirm(buyer, paid, card_id=card))["status"] == "succeeded"
    await town.settle()
    setup = await buyer.post("/v1/cards/setup")
    await gives_card(town, setup, "pm_card_authenticationRequired")
    await passes_the_banks_page(town, setup["setup_intent"])
    await town.settle()
    strict = (await cards(buyer))[0]["id"]
    order = await buyer.order((hour, 2))
    asked = await confirm(buyer, order, card_id=strict)
    assert asked["status"] == "requires_action"
    assert (await buyer.get(f"/v1/orders/{order['id']}"))["confirming"] is True
    await passes_the_banks_page(town, asked["payment_intent"])
    await town.settle()
    assert await status_of(buyer, order["id"]) == "paid"
    assert await status_of(buyer, paid["id"]) == "paid"


async def test_a_cart_of_three_shops_with_one_card_given_once(town: Town, admin: Person) -> None:
    """The first payment keeps the card; one of the others gets no answer, is told, and is finished."""
    await town.signs_in(admin)
    shops = [await town.seller(f"shop{n}", admin=admin) for n in range(3)]
    buyer = await town.arrives("collector")
    things = [(await town.product(shops[0]), 1), (await town.lists(shops[1]), 1)]
    things.append((await town.product(shops[2], unit_amount=700), 2))
    group = await buyer.post("/v1/checkout-groups", lines(*things))
    path = f"/v1/checkout-groups/{group['id']}"
    begun = await buyer.post(f"{path}/checkout")
    totals = {"totals": begun["totals"]}
    assert begun["totals"] == [{"currency": "eur", "amount": 2_500 + 6_000 + 1_400}]
    shown = await buyer.post(f"{path}/confirmation", totals)
    await town.confirm(shown["confirm_next"])
    await town.fault(
        fault="lost_before", method="POST", path="/v1/payment_intents/*/confirm", skip=1
    )
    told = await buyer.post(f"{path}/confirmation", totals)
    assert told["state"] == "partly_paid"
    assert [each["order"]["status"] for each in told["orders"]] == [
        "authorized",
        "paid",
        "checkout",
    ]
    assert told["orders"][2]["refusal"]["code"] == "payments_unavailable"
    await town.passes(minutes=1)
    await town.signs_in(buyer)
    assert len((await buyer.get("/v1/cards"))["data"]) == 1
    await town.fault(fault="lost_after", method="POST", path="/v1/payment_methods/*/detach")
    done = await buyer.post(f"{path}/confirmation", totals)
    await town.settle()
    assert [each["order"]["status"] for each in done["orders"]] == [
        "authorized",
        "paid",
        "authorized",
    ]
    assert (await buyer.get(path))["state"] == "paid"
    intents = {
        one["metadata"]["order_id"]: one["payment_method"]
        for one in (await town.stripe("GET", "/v1/payment_intents"))["data"]
        if one["metadata"]["order_id"] in {each["order"]["id"] for each in done["orders"]}
    }
    assert len(intents) == 3
    assert len(set(intents.values())) == 1, "one card for them all"
    await town.passes(hours=2)
    await town.signs_in(buyer)
    assert (await buyer.get("/v1/cards"))["data"] == [], "it was given for this cart alone"


async def test_a_cart_of_two_shops_is_given_up_half_paid(town: Town, admin: Person) -> None:
    """The second card payment is declined; the buyer wants none of it, and gets the first back."""
    await town.signs_in(admin)
    shops = [await town.seller(f"stall{n}", admin=admin) for n in range(2)]
    buyer = await town.arrives("waverer")
    group = await buyer.post(
        "/v1/checkout-groups",
        lines((await town.product(shops[0]), 1), (await town.product(shops[1]), 1)),
    )
    path, totals = f"/v1/checkout-groups/{group['id']}", {"totals": group["totals"]}
    shown = await buyer.post(f"{path}/confirmation", totals)
    await town.confirm(shown["confirm_next"])
    poor = await saves_card(town, buyer, "pm_card_chargeCustomerFail")
    told = await buyer.post(f"{path}/confirmation", {**totals, "card_id": poor})
    assert (told["state"], told["orders"][1]["refusal"]["status"]) == ("partly_paid", 402)
    given_up = await buyer.post(f"{path}/abandonment", {"paid": "give_back"})
    await town.settle()
    assert given_up["state"] == "abandoned"
    assert [each["order"]["status"] for each in given_up["orders"]] == ["canceled", "canceled"]


async def test_a_suspended_sellers_buyers_are_let_go(town: Town, admin: Person) -> None:
    """Nobody pays a shop that was closed this morning."""
    await town.signs_in(admin)
    shop, buyer = await town.seller("closing", admin=admin), await town.arrives("late")
    order = await buyer.order((await town.product(shop), 1))
    checkout = await buyer.checkout(order["id"])
    await admin.post(f"/v1/admin/sellers/{shop.seller_id}/suspension", {"reason": "complaints"})
    await town.passes(minutes=2)
    await town.signs_in(buyer)
    assert await status_of(buyer, order["id"]) == "canceled"
    assert (await intent_of(town, checkout))["status"] == "canceled"


async def test_ten_tabs_change_and_confirm_at_once(town: Town, admin: Person) -> None:
    """Whatever comes first: the total that is charged is the one that was shown to whoever confirmed."""
    await town.signs_in(admin)
    shop, buyer = await town.seller("busy", admin=admin), await town.arrives("tabs")
    mat = await town.product(shop, stock=50)
    order = await buyer.order((mat, 1))
    path = f"/v1/orders/{order['id']}"
    await buyer.checkout(order["id"])
    changes = [buyer.call("PATCH", path, lines((mat, number))) for number in range(2, 7)]
    confirmations = [
        buyer.call("POST", f"{path}/confirmation", {"amount": 2_500 * number})
        for number in range(1, 6)
    ]
    answers = await asyncio.gather(*changes, *confirmations)
    assert {answer.status_code for answer in answers} <= {200, 409}
    confirmed = [each.json() for each in answers[5:] if each.status_code == 200]
    await town.settle()
    order = await buyer.get(path)
    for each in confirmed:
        assert each["amount"] == order["total"]
    paying = await confirm(buyer, order)
    await town.confirm(paying)
    await town.settle()
    order = await buyer.get(path)
    assert order["status"] == "authorized"
    assert (await intent_of(town, paying))["amount_capturable"] == order["total"]
