"""Webhooks: fifty times, out of order, late, lost, forged. The same end, or a 400."""

import asyncio
import hashlib
import hmac
import json
from typing import Any

import httpx
import pytest

from payments.database import value
from payments.ids import new_id
from tests.stories.town import SECRETS, Person, Town, a_client


def signed(body: bytes, secret: str, at: int) -> str:
    mark = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={mark}"


async def deliver(
    town: Town, body: bytes, *, secret: str = SECRETS["platform"], age: int = 0, **header: str
) -> httpx.Response:
    at = int(town.clock().timestamp()) - age
    headers = {"Stripe-Signature": signed(body, secret, at), **header}
    async with a_client(base_url=town.base_url) as stripe:
        return await stripe.post("/webhooks/stripe/platform", content=body, headers=headers)


def an_event(**changes: Any) -> bytes:
    facts = {
        "id": new_id("evt"),
        "object": "event",
        "type": "customer.created",
        "livemode": False,
        "data": {"object": {"id": "cus_1", "object": "customer"}},
    }
    return json.dumps(facts | changes).encode()


async def means_what_it_says(town: Town, answer: httpx.Response) -> None:
    """The refusal is a problem document whose type leads to the same title and status."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    async with a_client(base_url=town.base_url) as client:
        meaning = (await client.get(problem["type"])).json()
    assert meaning == {name: problem[name] for name in ("code", "status", "title")}
    assert problem["status"] == answer.status_code


async def test_every_event_fifty_times_and_shuffled_changes_nothing(
    town: Town, coach: Person, buyer: Person
) -> None:
    order_id = await buyer.pays(await town.lists(coach))
    before = await value("SELECT count(*) FROM postings")
    events = (await town.stripe("GET", "/v1/events", params={"limit": 100}))["data"]
    bodies = [json.dumps(one).encode() for one in reversed(events)] * 50
    for start in range(0, min(len(bodies), 400), 50):
        answers = await asyncio.gather(*[deliver(town, b) for b in bodies[start : start + 50]])
        assert {answer.status_code for answer in answers} == {200}
    await town.settle()
    assert await value("SELECT count(*) FROM postings") == before
    assert (await buyer.get(f"/v1/orders/{order_id}"))["status"] == "paid"


async def test_deliveries_duplicated_and_reordered_by_stripe_end_the_same(
    town: Town, coach: Person, buyer: Person
) -> None:
    await town.fault(fault="duplicate", copies=3, times=4)
    await town.fault(fault="reorder", times=4)
    order_id = await buyer.pays(await town.product(coach))
    await coach.post(f"/v1/orders/{order_id}/preparation")
    await town.settle()
    assert (await buyer.get(f"/v1/orders/{order_id}"))["status"] == "paid"


async def test_when_every_webhook_is_lost_the_order_is_paid_within_minutes(
    town: Town, coach: Person, buyer: Person
) -> None:
    await town.fault(fault="drop", times=100)
    order_id = await buyer.pays(await town.lists(coach))
    assert (await buyer.get(f"/v1/orders/{order_id}"))["status"] == "checkout"
    await town.passes(minutes=3)
    assert (await buyer.get(f"/v1/orders/{order_id}"))["status"] == "paid"
    await town.stripe("DELETE", "/_sandbox/faults")


async def test_a_good_signature_is_stored_once(town: Town) -> None:
    body = an_event()
    answers = await asyncio.gather(*[deliver(town, body) for _ in range(50)])
    assert {answer.status_code for answer in answers} == {200}
    event_id = json.loads(body)["id"]
    assert await value("SELECT count(*) FROM stripe_events WHERE event_id = $1", event_id) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        {"secret": "whsec_wrong"},
        {"age": 301},
        {"age": -301},
        {"Stripe-Signature": ""},
        {"Stripe-Signature": "t=1,v1=00"},
        {"Stripe-Signature": "t=abc,v1=00"},
        {"Stripe-Signature": "v1=zz"},
        {"secret": SECRETS["accounts"]},
    ],
    ids=[
        "wrong secret",
        "stale",
        "future",
        "empty",
        "old mark",
        "no number",
        "no time",
        "other door",
    ],
)
async def test_a_wrong_or_stale_signature_is_refused_and_stores_nothing(
    town: Town, arguments: dict[str, Any]
) -> None:
    body = an_event()
    answer = await deliver(town, body, **arguments)
    assert answer.status_code == 400
    assert answer.json()["code"] == "signature_refused"
    await means_what_it_says(town, answer)
    event_id = json.loads(body)["id"]
    assert await value("SELECT count(*) FROM stripe_events WHERE event_id = $1", event_id) == 0


async def test_an_altered_body_is_refused(town: Town) -> None:
    body = an_event()
    at = int(town.clock().timestamp())
    async with a_client(base_url=town.base_url) as forger:
        answer = await forger.post(
            "/webhooks/stripe/platform",
            content=body.replace(b"cus_1", b"cus_2"),
            headers={"Stripe-Signature": signed(body, SECRETS["platform"], at)},
        )
    assert answer.status_code == 400


async def test_a_body_larger_than_any_event_is_refused(town: Town) -> None:
    answer = await deliver(town, an_event(padding="x" * 1_100_000))
    assert answer.status_code == 413
    await means_what_it_says(town, answer)


async def test_only_posts_are_taken(town: Town) -> None:
    async with a_client(base_url=town.base_url) as client:
        answer = await client.get("/webhooks/stripe/platform")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    await means_what_it_says(town, answer)
