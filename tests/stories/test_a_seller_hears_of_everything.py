"""A seller hears of everything, once: by e-mail and through their own webhooks, however often it is said."""

from collections import Counter
from typing import Any

from tests.mailbox import mails_to, text_of
from tests.messages.receiver import Receiver, is_signed, receiving
from tests.stories.town import Person, Town

DHL = {"carrier": "DHL", "tracking_number": "00340434161094042557"}


async def written(person: Person, *, about: str = "") -> list[str]:
    """The kinds of messages a person was written, the first one first."""
    found = (await person.get("/v1/me/messages", limit=100))["data"]
    assert all(one["state"] == "sent" for one in found)
    return [one["kind"] for one in found if about in ("", one["subject_id"])][::-1]


async def listens(seller: Person, receiver: Receiver, *types: str) -> Any:
    """The seller's program is registered; answers the endpoint with its secret."""
    answer = await seller.call(
        "POST",
        f"/v1/sellers/{seller.seller_id}/webhook-endpoints",
        {"url": receiver.url, "types": list(types)},
    )
    assert answer.status_code == 201, answer.text
    return answer.json()


async def stripe_says_everything_again(town: Town) -> None:
    """Every event of Stripe's is delivered a second time."""
    found = await town.stripe("GET", "/_sandbox/deliveries")
    events = {one["event"] for one in found["deliveries"]}
    assert events
    for event in sorted(events):
        await town.stripe("POST", f"/_sandbox/deliveries/{event}")
    await town.settle()


async def test_a_shop_hears_of_an_orders_whole_life_once(town: Town) -> None:
    admin = await town.admin()
    shop = await town.seller("shop", admin=admin)
    buyer = await town.arrives("buyer")
    await town.settle()
    assert Counter(await written(shop)) == Counter(
        ["email_proof_asked", "onboarding_needed", "account_ready", "seller_approved"]
    )
    async with receiving() as program:
        endpoint = await listens(shop, program)
        order_id = await buyer.pays(await town.product(shop))
        path = f"/v1/orders/{order_id}"
        await shop.post(f"{path}/preparation")
        await town.settle()
        await shop.post(f"{path}/shipment", DHL)
        await buyer.post(f"{path}/messages", {"body": "Thank you!"})
        await shop.post(f"{path}/refunds", {"amount": 500}, key="r")
        await town.settle()
        await stripe_says_everything_again(town)
    assert await written(shop, about=order_id) == [
        "order_to_prepare",
        "order_message",
        "sale_refunded",
    ]
    assert await written(buyer, about=order_id) == [
        "order_prepared",
        "order_shipped",
        "order_refunded",
    ]
    assert Counter(program.types) == Counter(
        ["order.authorized", "order.paid", "order.shipped", "order.refunded"]
    )
    assert all(is_signed(one, endpoint["secret"]) for one in program.received)
    shipped = next(one for one in program.events if one["type"] == "order.shipped")
    assert shipped["data"]["tracking_number"] == DHL["tracking_number"]
    assert shipped["data"]["order_id"] == order_id


async def test_what_is_e_mailed_lies_in_the_mailbox_with_amounts_and_a_link(town: Town) -> None:
    shop = await town.seller("shop")
    buyer = await town.arrives("buyer")
    order_id = await buyer.pays(await town.product(shop, unit_amount=1_999))
    settings = town.composition.services.settings
    mails = {one["X-Marketplace-Kind"]: one for one in mails_to(settings, shop.email)}
    mail = mails["order_to_prepare"]
    assert mail["Subject"] == "An order to prepare: 19.99 EUR"
    text = text_of(mail)
    assert "1 x A yoga mat" in text
    link = f"{town.base_url}/pages/orders/{order_id}"
    assert link in text
    page = await shop.http.get(link)
    assert f"/v1/orders/{order_id}" in page.text
    page = await shop.http.get("/mailbox")
    assert "An order to prepare: 19.99 EUR" in page.text
    assert shop.email in page.text


async def test_a_shop_that_forgets_an_order_is_reminded_and_the_admin_called(town: Town) -> None:
    admin = await town.admin()
    shop = await town.seller("shop", admin=admin)
    buyer = await town.arrives("buyer")
    order_id = await buyer.pays(await town.product(shop))
    for _ in range(60):
        await town.passes(hours=3)
    for person in (admin, shop, buyer):
        await town.signs_in(person)
    told = await written(shop, about=order_id)
    assert told[0] == "order_to_prepare"
    assert told[1:3] == ["deadline_reminded", "deadline_reminded"]
    assert told[3:] in (["sale_canceled"], ["sale_lapsed"])
    assert "deadline_escalated" in await written(admin, about=order_id)
    assert (await written(buyer, about=order_id))[-1] in ("order_canceled", "hold_lapsed")


async def test_a_seller_hears_of_a_restriction_and_of_a_dispute(town: Town) -> None:
    admin = await town.admin()
    coach = await town.seller(admin=admin)
    buyer = await town.arrives("buyer")
    async with receiving() as program:
        await listens(
            coach, program, "dispute.opened", "dispute.closed", "seller.capability_changed"
        )
        order_id = await buyer.pays(await town.lists(coach), card="pm_card_bypassPending")
        intent = (await admin.get(f"/v1/admin/orders/{order_id}"))["payment_intent"]
        dispute = await town.stripe(
            "POST", "/_sandbox/disputes", json={"payment_intent": intent, "reason": "fraudulent"}
        )
        await town.settle()
        await town.stripe("POST", f"/_sandbox/disputes/{dispute['id']}", json={"outcome": "lost"})
        await town.settle()
        await town.restricts(coach)
        await stripe_says_everything_again(town)
    assert await written(coach, about=order_id) == ["order_paid", "disputed", "dispute_closed"]
    assert {"disputed", "dispute_closed"} <= set(await written(admin, about=order_id))
    assert (await written(coach)).count("account_restricted") == 1
    assert (await written(admin, about=coach.seller_id)) == ["seller_restricted"]
    assert Counter(program.types) == Counter(
        ["dispute.opened", "dispute.closed", "seller.capability_changed"]
    )
    opened = next(one for one in program.events if one["type"] == "dispute.opened")
    assert opened["data"]["amount"] == 6_000
    assert opened["data"]["dispute_reason"] == "fraudulent"


async def test_a_program_that_was_away_hears_of_it_when_it_is_back(town: Town) -> None:
    coach = await town.seller()
    buyer = await town.arrives("buyer")
    async with receiving(Receiver(status=503)) as program:
        await listens(coach, program)
        await buyer.pays(await town.lists(coach))
        assert len(program.received) == 1
        program.status = 204
        await town.passes(minutes=1)
        await town.passes(hours=1)
    assert len(program.received) == 2
    first, second = (one["headers"] for one in program.received)
    assert first["webhook-id"] == second["webhook-id"]
    assert first["webhook-timestamp"] != second["webhook-timestamp"]


async def test_an_address_inside_our_own_network_is_refused(town: Town) -> None:
    coach = await town.seller()
    path = f"/v1/sellers/{coach.seller_id}/webhook-endpoints"
    for url in ("http://10.0.0.1/", "https://169.254.169.254/", "http://shop.example/"):
        assert await coach.refused("POST", path, {"url": url}) == (422, "webhook_url_refused")
