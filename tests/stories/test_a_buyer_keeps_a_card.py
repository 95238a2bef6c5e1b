"""A buyer keeps cards: saved without a payment or with one, chosen, used with one click, removed."""

from typing import Any

from tests.stories.town import Person, Town, a_client
from tests.stories.wallet import cards, gives_card, saves_card


async def one_click(town: Town, buyer: Person, listing: str, card_id: str) -> tuple[str, int, Any]:
    """Order and pay with a saved card; answers the order's id, the status code and the body."""
    order = await buyer.order((listing, 1))
    answer = await buyer.call(
        "POST",
        f"/v1/orders/{order['id']}/confirmation",
        {"amount": order["total"], "card_id": card_id, "again": True},
    )
    await town.settle()
    return order["id"], answer.status_code, answer.json()


async def status_of(person: Person, order_id: str) -> str:
    return str((await person.get(f"/v1/orders/{order_id}"))["status"])


async def test_a_card_is_saved_without_paying_and_pays_with_one_click(
    town: Town, coach: Person, buyer: Person
) -> None:
    setup = await buyer.post("/v1/cards/setup")
    assert (await buyer.post("/v1/cards/setup"))["id"] == setup["id"], "it is resumed"
    assert await gives_card(town, setup) == 200
    await town.settle()
    seen = await buyer.get(f"/v1/cards/setup/{setup['id']}")
    assert (seen["status"], seen["reason"]) == ("succeeded", None)
    [card] = await cards(buyer)
    assert (card["brand"], card["last4"], card["expired"], card["is_default"]) == (
        "visa",
        "4242",
        False,
        True,
    )
    assert await buyer.get(f"/v1/cards/{card['id']}") == card

    listing = await town.lists(coach)
    for _ in range(2):
        order_id, code, intent = await one_click(town, buyer, listing, card["id"])
        assert (code, intent["status"]) == (200, "succeeded")
        assert await status_of(buyer, order_id) == "paid"


async def test_a_browser_that_does_not_want_to_wait_for_the_webhook(
    town: Town, buyer: Person
) -> None:
    setup = await buyer.post("/v1/cards/setup")
    await town.fault(fault="drop", times=20)
    assert await gives_card(town, setup) == 200
    assert await cards(buyer) == []
    seen = await buyer.post(f"/v1/cards/setup/{setup['id']}/refresh")
    assert seen["status"] == "succeeded"
    assert len(await cards(buyer)) == 1
    await town.stripe("DELETE", "/_sandbox/faults")
    await town.settle()


async def test_a_setup_nobody_came_back_from_is_found_by_the_sweep(
    town: Town, buyer: Person
) -> None:
    setup = await buyer.post("/v1/cards/setup")
    await town.fault(fault="drop", times=20)
    assert await gives_card(town, setup) == 200
    await town.stripe("DELETE", "/_sandbox/faults")
    await town.passes(minutes=16)
    assert len(await cards(buyer)) == 1


async def test_a_bank_that_does_not_want_its_card_kept(town: Town, buyer: Person) -> None:
    setup = await buyer.post("/v1/cards/setup")
    assert await gives_card(town, setup, "pm_card_visa_chargeDeclinedLostCard") == 402
    seen = await buyer.post(f"/v1/cards/setup/{setup['id']}/refresh")
    assert (seen["status"], seen["reason"]) == ("requires_payment_method", "card_declined")
    assert seen["advice"]
    assert await gives_card(town, setup) == 200, "another card, the same setup"


async def test_the_card_of_a_payment_is_kept(town: Town, coach: Person, buyer: Person) -> None:
    order = await buyer.order((await town.lists(coach), 1))
    checkout = await buyer.post(f"/v1/orders/{order['id']}/checkout", {"save_card": True})
    await town.confirm(checkout)
    await town.settle()
    assert [card["last4"] for card in await cards(buyer)] == ["4242"]


async def test_a_card_is_not_kept_where_nobody_asked(
    town: Town, coach: Person, buyer: Person
) -> None:
    await buyer.pays(await town.lists(coach))
    assert (await buyer.post("/v1/cards/refresh"))["data"] == []


async def test_the_default_is_chosen_and_a_card_removed(town: Town, buyer: Person) -> None:
    first = await saves_card(town, buyer)
    second = await saves_card(town, buyer, "pm_card_mastercard")
    assert [(card["id"], card["is_default"]) for card in await cards(buyer)] == [
        (second, False),
        (first, True),
    ]
    newest = await buyer.get("/v1/cards", limit=1)
    rest = await buyer.get("/v1/cards", starting_after=second)
    assert (newest["has_more"], newest["data"] + rest["data"]) == (True, await cards(buyer))
    chosen = await buyer.post(f"/v1/cards/{second}/default")
    assert (chosen["id"], chosen["is_default"]) == (second, True)
    assert (await buyer.call("DELETE", f"/v1/cards/{second}")).status_code == 204
    await town.settle()
    assert [(card["id"], card["is_default"]) for card in await cards(buyer)] == [(first, True)]
    assert await buyer.refused("DELETE", f"/v1/cards/{second}") == (404, "card_not_found")
    assert (await buyer.post("/v1/cards/refresh"))["data"] == await cards(buyer)


async def test_another_persons_card_does_not_exist_and_pays_nothing(
    town: Town, coach: Person, buyer: Person
) -> None:
    card_id = await saves_card(town, buyer)
    setup = await buyer.post("/v1/cards/setup")
    thief = await town.arrives("thief")
    nothing = (404, "card_not_found")
    assert await thief.refused("GET", f"/v1/cards/{card_id}") == nothing
    assert await thief.refused("DELETE", f"/v1/cards/{card_id}") == nothing
    assert await thief.refused("POST", f"/v1/cards/{card_id}/default") == nothing
    no_setup = (404, "card_setup_not_found")
    assert await thief.refused("GET", f"/v1/cards/setup/{setup['id']}") == no_setup
    assert await thief.refused("POST", f"/v1/cards/setup/{setup['id']}/refresh") == no_setup
    order_id, code, problem = await one_click(town, thief, await town.lists(coach), card_id)
    assert (code, problem["code"]) == nothing
    assert await status_of(thief, order_id) == "checkout"
    assert await cards(thief) == []


async def test_a_saved_card_is_declined_and_another_one_pays(
    town: Town, coach: Person, buyer: Person
) -> None:
    bad = await saves_card(town, buyer, "pm_card_chargeCustomerFail")
    good = await saves_card(town, buyer)
    order_id, code, problem = await one_click(town, buyer, await town.lists(coach), bad)
    assert (code, problem["code"]) == (402, "card_declined")
    [attempt] = (await buyer.get(f"/v1/orders/{order_id}/attempts"))["data"]
    assert (attempt["outcome"], attempt["reason"]) == ("declined", "card_declined")
    paid = await buyer.post(
        f"/v1/orders/{order_id}/confirmation", {"amount": 6000, "card_id": good, "again": True}
    )
    assert paid["status"] == "succeeded"
    keys = {
        one["idempotency_key"]
        for one in await town.asked("POST", "/v1/payment_intents")
        if one["path"].endswith("/confirm") and order_id in (one["idempotency_key"] or "")
    }
    assert keys == {f"order:{order_id}:g1:confirm:{number}" for number in (1, 2)}


async def test_the_bank_wants_to_see_the_owner_of_a_saved_card(
    town: Town, coach: Person, buyer: Person
) -> None:
    setup = await buyer.post("/v1/cards/setup")
    async with a_client(base_url=town.sandbox.base_url) as browser:
        await browser.post(
            f"/v1/setup_intents/{setup['setup_intent']}/confirm",
            data={
                "client_secret": setup["client_secret"],
                "payment_method": "pm_card_authenticationRequired",
            },
            headers={"Authorization": f"Bearer {setup['publishable_key']}"},
        )
        await browser.post(f"/3ds/{setup['setup_intent']}", data={"outcome": "complete"})
    await town.settle()
    [card] = await cards(buyer)
    order_id, code, intent = await one_click(town, buyer, await town.lists(coach), card["id"])
    assert (code, intent["status"]) == (200, "requires_action")
    assert intent["client_secret"].startswith(intent["payment_intent"])
    assert await status_of(buyer, order_id) == "checkout"
    async with a_client(base_url=town.sandbox.base_url) as browser:
        await browser.post(f"/3ds/{intent['payment_intent']}", data={"outcome": "complete"})
    await town.settle()
    assert await status_of(buyer, order_id) == "paid"


async def test_a_customer_was_deleted_in_stripes_dashboard(
    town: Town, coach: Person, buyer: Person
) -> None:
    """Their cards are gone; the next checkout makes a Customer anew instead of failing for ever."""
    await saves_card(town, buyer)
    asked = await town.asked("POST", "/v1/customers")
    keys = [one["idempotency_key"] for one in asked]
    assert f"buyer:{buyer.account_id}:customer" in keys
    listed = await town.stripe("GET", "/v1/customers", params={"email": buyer.email})
    await town.stripe("DELETE", f"/v1/customers/{listed['data'][0]['id']}")
    await town.settle()
    assert await cards(buyer) == []
    order_id = await buyer.pays(await town.lists(coach))
    assert await status_of(buyer, order_id) == "paid"


async def test_no_secret_of_a_setup_is_told_twice(town: Town, buyer: Person, coach: Person) -> None:
    setup = await buyer.post("/v1/cards/setup")
    for path in ("/v1/cards", f"/v1/cards/setup/{setup['id']}"):
        assert "secret" not in (await buyer.call("GET", path)).text
    assert (await buyer.call("POST", "/v1/cards/setup")).headers["cache-control"] == "no-store"


async def test_the_box_is_ticked_after_the_checkout_had_begun(
    town: Town, coach: Person, buyer: Person
) -> None:
    order = await buyer.order((await town.lists(coach), 1))
    path = f"/v1/orders/{order['id']}/checkout"
    plain = await buyer.post(path)
    ticked = await buyer.post(path, {"save_card": True})
    assert ticked["payment_intent"] == plain["payment_intent"]
    assert (await buyer.post(path, {"save_card": True}))["payment_intent"] == ticked[
        "payment_intent"
    ]
    updates = await town.asked("POST", f"/v1/payment_intents/{ticked['payment_intent']}")
    assert len([one for one in updates if one["path"].endswith(ticked["payment_intent"])]) == 1
    await town.confirm(ticked)
    await town.settle()
    assert await status_of(buyer, order["id"]) == "paid"
    assert [card["last4"] for card in await cards(buyer)] == ["4242"]
