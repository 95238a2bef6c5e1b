"""A session with a coach: captured at checkout, from the price to the platform's fee."""

from payments.database import rows
from tests.stories.town import Person, Town


async def test_a_session_is_ordered_paid_and_booked(
    town: Town, admin: Person, coach: Person, buyer: Person
) -> None:
    listing = await town.lists(coach, unit_amount=6000)
    order = await buyer.order((listing, 1))
    assert (order["status"], order["total"], order["currency"]) == ("checkout", 6000, "eur")

    checkout = await buyer.checkout(order["id"])
    assert checkout["client_secret"].startswith(checkout["payment_intent"])
    assert (checkout["amount"], checkout["currency"]) == (6000, "eur")
    answer = await town.confirm(checkout)
    assert answer.json()["status"] == "succeeded"
    assert "application_fee_amount" not in answer.json(), "the buyer never sees the fee"
    await town.settle()

    paid = await buyer.get(f"/v1/orders/{order['id']}")
    assert paid["status"] == "paid"
    steps = (await buyer.get(f"/v1/orders/{order['id']}/history"))["data"]
    assert [step["step"] for step in steps] == ["placed", "checkout_begun", "captured"]

    [intent] = (await town.stripe("GET", "/v1/payment_intents"))["data"][:1]
    assert intent["metadata"]["order_id"] == order["id"]
    assert intent["transfer_group"] == f"order_{order['id']}"
    assert intent["receipt_email"] == buyer.email
    assert intent["application_fee_amount"] == 900, "15 % of a session"


async def test_checkout_asked_again_is_the_same_payment_intent(
    town: Town, coach: Person, buyer: Person
) -> None:
    order = await buyer.order((await town.lists(coach), 1))
    first = await buyer.checkout(order["id"])
    again = await buyer.checkout(order["id"])
    assert again == first
    created = [
        one
        for one in await town.asked("POST", "/v1/payment_intents")
        if order["id"] in (one.get("idempotency_key") or "")
    ]
    assert len(created) == 1


async def test_a_seller_who_cannot_be_paid_is_refused_before_stripe_is_asked(
    town: Town, admin: Person, buyer: Person
) -> None:
    """opencollective 5997: checkout was open, and buyers saw the provider's raw error."""
    coach = await town.seller(admin=admin)
    listing = await town.lists(coach)
    order = await buyer.order((listing, 1))
    await admin.post(f"/v1/admin/sellers/{coach.seller_id}/suspension", {"reason": "complaints"})
    before = len(await town.asked("POST", "/v1/payment_intents"))
    answer = await buyer.call("POST", f"/v1/orders/{order['id']}/checkout", key="once")
    assert answer.status_code == 409
    assert answer.json()["code"] == "seller_not_payable"
    assert "suspended" not in answer.text, "why is the seller's business"
    assert len(await town.asked("POST", "/v1/payment_intents")) == before
    assert (await buyer.get(f"/v1/orders/{order['id']}"))["status"] == "checkout"


async def test_declines_are_kept_and_told_in_our_words_and_the_next_card_pays(
    town: Town, coach: Person, buyer: Person
) -> None:
    order = await buyer.order((await town.lists(coach), 1))
    checkout = await buyer.checkout(order["id"])
    cards = (
        ("pm_card_visa_chargeDeclined", "card_declined"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedStolenCard", "card_declined"),
    )
    for card, _ in cards:
        answer = await town.confirm(checkout, card)
        assert answer.status_code == 402
        await town.settle()
    await town.confirm(checkout, "pm_card_visa")
    await town.settle()
    attempts = (await buyer.get(f"/v1/orders/{order['id']}/attempts"))["data"]
    assert [one["outcome"] for one in attempts] == ["declined"] * 3 + ["captured"]
    assert [one["reason"] for one in attempts[:3]] == [reason for _, reason in cards]
    assert all(one["advice"] for one in attempts[:3])
    assert "stolen" not in str(attempts), "never told"
    assert (await buyer.get(f"/v1/orders/{order['id']}"))["status"] == "paid"


async def test_three_d_secure_is_asked_for_and_then_pays(
    town: Town, coach: Person, buyer: Person
) -> None:
    order = await buyer.order((await town.lists(coach), 1))
    checkout = await buyer.checkout(order["id"])
    answer = (await town.confirm(checkout, "pm_card_authenticationRequired")).json()
    assert answer["status"] == "requires_action"
    await town.settle()
    assert (await buyer.get(f"/v1/orders/{order['id']}"))["status"] == "checkout"
    await town.challenge(answer, "complete")
    await town.settle()
    assert (await buyer.get(f"/v1/orders/{order['id']}"))["status"] == "paid"


async def test_a_failed_challenge_is_an_attempt_and_can_be_tried_again(
    town: Town, coach: Person, buyer: Person
) -> None:
    order = await buyer.order((await town.lists(coach), 1))
    checkout = await buyer.checkout(order["id"])
    answer = (await town.confirm(checkout, "pm_card_authenticationRequired")).json()
    await town.challenge(answer, "fail")
    await town.settle()
    [attempt] = (await buyer.get(f"/v1/orders/{order['id']}/attempts"))["data"]
    assert attempt["reason"] == "authentication_required"
    await town.confirm(checkout, "pm_card_visa")
    await town.settle()
    assert (await buyer.get(f"/v1/orders/{order['id']}"))["status"] == "paid"


async def test_the_price_is_the_servers(town: Town, coach: Person, buyer: Person) -> None:
    listing = await town.lists(coach, unit_amount=6000)
    cheap = {"lines": [{"listing_id": listing, "quantity": 1, "unit_amount": 1}]}
    assert (await buyer.refused("POST", "/v1/orders", cheap))[0] == 400
    order = await buyer.order((listing, 2))
    await coach.call("PATCH", f"/v1/listings/{listing}", {"unit_amount": 9000})
    assert (await buyer.get(f"/v1/orders/{order['id']}"))["total"] == 12000, "as it was ordered"


async def test_the_client_secret_is_given_to_nobody_else(
    town: Town, admin: Person, coach: Person, buyer: Person
) -> None:
    order = await buyer.order((await town.lists(coach), 1))
    secret = (await buyer.checkout(order["id"]))["client_secret"]
    path = f"/v1/orders/{order['id']}"
    assert await coach.refused("POST", f"{path}/checkout") == (404, "order_not_found")
    stranger = await town.arrives("stranger")
    assert await stranger.refused("POST", f"{path}/checkout") == (404, "order_not_found")
    assert await stranger.refused("GET", path) == (404, "order_not_found")
    for answer in (await buyer.get(path), await coach.get(path)):
        assert secret not in str(answer)
    await town.settle()
    assert await rows("SELECT 1 FROM stripe_events WHERE payload LIKE '%client_secret%'")
    tables = await rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    for table in tables:
        name = table["tablename"]
        found = await rows(f'SELECT 1 FROM "{name}" t WHERE t::text LIKE $1', f"%{secret}%")
        assert found == [], name
