"""An order's whole life while webhooks come twice, late, in any order or never, and old ones come back.

Declined, held, prepared, refunded in parts: whatever reaches us and when, the end is the one that Stripe has.
"""

import asyncio
import json
import random
from collections.abc import Sequence
from typing import Any

import pytest

from payments.database import rows, value
from payments.ids import new_id
from tests.stories.test_webhooks_arrive_as_they_like import deliver
from tests.stories.town import PATIENCE_SECONDS, Person, Town

KINDS = ("duplicate", "reorder", "drop", "delay")


async def unreliable(town: Town, chance: random.Random) -> None:
    """From now on about every second delivery comes twice, after the next one, late, or never."""
    for _ in range(4):
        kind = chance.choice(KINDS)
        await town.fault(
            fault=kind,
            times=chance.randint(1, 3),
            skip=chance.randint(0, 2),
            copies=chance.randint(1, 3),
            seconds=chance.randint(1, 200),
        )


async def all_events(town: Town) -> list[bytes]:
    """Everything Stripe ever told about the platform's objects, oldest first."""
    found: list[Any] = []
    after: dict[str, str] = {}
    while True:
        page = await town.stripe("GET", "/v1/events", params={"limit": 100, **after})
        found += page["data"]
        if not page["has_more"]:
            return [json.dumps(one).encode() for one in reversed(found)]
        after = {"starting_after": found[-1]["id"]}


async def deliver_all(town: Town, bodies: Sequence[bytes]) -> None:
    for start in range(0, len(bodies), 40):
        answers = await asyncio.gather(*[deliver(town, b) for b in bodies[start : start + 40]])
        assert {answer.status_code for answer in answers} == {200}


async def _refund(seller: Person, order_id: str, amount: int | None) -> None:
    body = {} if amount is None else {"amount": amount}
    await seller.post(f"/v1/orders/{order_id}/refunds", body)


async def live_through(town: Town, coach: Person, buyer: Person, chance: random.Random) -> str:
    """A product: declined, paid, prepared, refunded twice; each step waits for no webhook of the last."""
    order = await buyer.order((await town.product(coach, stock=3), 2))
    order_id = str(order["id"])
    await unreliable(town, chance)
    checkout = await buyer.checkout(order_id)
    await town.confirm(checkout, "pm_card_visa_chargeDeclined")
    if chance.random() < 0.5:
        await town.passes(seconds=10)
    await town.confirm(checkout)
    await unreliable(town, chance)
    # The browser's own question stands in for the webhook that may never come.
    refreshed = await buyer.post(f"/v1/orders/{order_id}/refresh")
    assert refreshed["status"] == "authorized"
    await coach.post(f"/v1/orders/{order_id}/preparation")
    if chance.random() < 0.5:
        await town.passes(seconds=10)
    await unreliable(town, chance)
    await _refund(coach, order_id, chance.randint(1, 4000))
    await _refund(coach, order_id, None)
    return order_id


@pytest.mark.parametrize("seed", range(12))
async def test_a_whole_life_ends_the_same_whatever_the_webhooks_do(
    town: Town, coach: Person, buyer: Person, seed: int
) -> None:
    chance = random.Random(seed)
    order_id = await live_through(town, coach, buyer, chance)
    for _ in range(6):
        await town.passes(seconds=60)
    await town.stripe("DELETE", "/_sandbox/faults")
    order = await buyer.get(f"/v1/orders/{order_id}")
    assert (order["status"], order["payment"]["amount_refunded"]) == ("paid", 5000)
    attempts = (await buyer.get(f"/v1/orders/{order_id}/attempts"))["data"]
    # A decline that was followed by a success before anybody read Stripe is not among them.
    assert [one["outcome"] for one in attempts].count("authorized") == 1
    assert len(attempts) <= 2

    before = await _books_of(order_id)
    bodies = (await all_events(town))[-60:] * 2
    chance.shuffle(bodies)
    await deliver_all(town, bodies)
    await town.settle()
    assert await _books_of(order_id) == before


async def _books_of(order_id: str) -> list[tuple[Any, ...]]:
    found = await rows(
        "SELECT 'posting', cause, amount::text FROM postings WHERE order_id = $1 "
        "UNION ALL SELECT 'step', step, position::text FROM order_steps WHERE order_id = $1 "
        "UNION ALL SELECT 'attempt', reference, outcome FROM attempts WHERE order_id = $1 "
        "UNION ALL SELECT 'refund', id, status FROM refunds WHERE order_id = $1 ORDER BY 1, 2, 3",
        order_id,
    )
    return [tuple(record) for record in found]


async def test_every_webhook_lost_the_life_goes_on_by_reading(
    town: Town, coach: Person, buyer: Person
) -> None:
    await town.fault(fault="drop", times=1000)
    order_id = await live_through(town, coach, buyer, random.Random(99))
    await town.passes(minutes=5)
    await town.stripe("DELETE", "/_sandbox/faults")
    order = await buyer.get(f"/v1/orders/{order_id}")
    assert (order["status"], order["payment"]["amount_refunded"]) == ("paid", 5000)


async def test_a_webhook_faster_than_the_answer_finds_its_payment(
    town: Town, coach: Person, buyer: Person
) -> None:
    """Stripe made the PaymentIntent, its answer is lost, its event arrives: the event tells the id."""
    order = await buyer.order((await town.lists(coach), 1))
    await town.fault(fault="lost_after", method="POST", path="/v1/payment_intents")
    path = f"/v1/orders/{order['id']}/checkout"
    assert (await buyer.call("POST", path, key=new_id("k"))).status_code == 503
    await town.sandbox.sandbox.deliveries.settled(PATIENCE_SECONDS)
    await town.composition.services.inbox.process_due(town.clock(), 100)
    known = "SELECT intent_id FROM payments WHERE order_id = $1"
    intent_id = await value(known, order["id"])
    assert intent_id is not None
    assert (await buyer.checkout(order["id"]))["payment_intent"] == intent_id


async def test_a_day_late_they_change_nothing(town: Town, coach: Person, buyer: Person) -> None:
    await town.fault(fault="delay", seconds=24 * 3600, times=30)
    order_id = await live_through(town, coach, buyer, random.Random(5))
    await town.passes(minutes=5)
    before = await _books_of(order_id)
    await town.passes(days=1, hours=1)
    await town.stripe("DELETE", "/_sandbox/faults")
    assert await _books_of(order_id) == before
    for person in (coach, buyer):
        await town.signs_in(person)


@pytest.mark.parametrize("reversed_transfer", ["true", "false"])
async def test_what_is_done_at_stripe_s_own_dashboard_reaches_the_books(
    town: Town, coach: Person, buyer: Person, reversed_transfer: str
) -> None:
    """Captured, then refunded in part, by somebody who never asked us."""
    order_id = await buyer.pays(await town.product(coach, unit_amount=4000))
    intent_id = await value("SELECT intent_id FROM payments WHERE order_id = $1", order_id)
    await town.stripe("POST", f"/v1/payment_intents/{intent_id}/capture")
    await town.settle()
    assert (await buyer.get(f"/v1/orders/{order_id}"))["status"] == "paid"
    asked = {"payment_intent": intent_id, "amount": "900", "reverse_transfer": reversed_transfer}
    await town.stripe("POST", "/v1/refunds", data=asked)
    await town.settle()
    order = await buyer.get(f"/v1/orders/{order_id}")
    assert order["payment"]["amount_refunded"] == 900
    bearer = "SELECT source FROM postings WHERE order_id = $1 AND kind = 'refund'"
    expected = f"seller:{coach.seller_id}" if reversed_transfer == "true" else "platform:refunds"
    assert await value(bearer, order_id) == expected


async def test_canceled_at_stripe_s_own_dashboard_the_order_and_its_stock_follow(
    town: Town, coach: Person, buyer: Person
) -> None:
    listing = await town.product(coach, stock=4)
    order_id = await buyer.pays(listing, quantity=3)
    intent_id = await value("SELECT intent_id FROM payments WHERE order_id = $1", order_id)
    await town.stripe("POST", f"/v1/payment_intents/{intent_id}/cancel")
    await town.settle()
    assert (await buyer.get(f"/v1/orders/{order_id}"))["status"] == "canceled"
    assert (await buyer.get(f"/v1/listings/{listing}"))["available"] == 4


async def test_a_hold_nobody_captures_lapses_and_the_order_follows(
    town: Town, coach: Person, buyer: Person
) -> None:
    listing = await town.product(coach, stock=4)
    order_id = await buyer.pays(listing, quantity=3)
    await town.passes(days=8)
    for person in (coach, buyer):
        await town.signs_in(person)
    assert (await buyer.get(f"/v1/orders/{order_id}"))["status"] == "expired"
    assert (await buyer.get(f"/v1/listings/{listing}"))["available"] == 4
