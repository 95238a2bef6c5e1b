"""Reading events back, as a platform does that may have missed some."""

from typing import Any

import httpx
import pytest

from tests.sandbox.conftest import Receiver
from tests.sandbox.controls import control
from tests.sandbox.money import DAY_SECONDS, Json, advance, create, open_seller, pay, read, send


async def listed(stripe: httpx.AsyncClient, **params: Any) -> list[Json]:
    found: list[Json] = (await read(stripe, "/v1/events", **{"limit": 100, **params}))["data"]
    return found


async def settle(stripe: httpx.AsyncClient) -> list[Json]:
    answer = await stripe.get("/_sandbox/deliveries", params={"settle": "60"})
    assert answer.json()["settled"] is True
    deliveries: list[Json] = answer.json()["deliveries"]
    return deliveries


async def test_events_are_filtered_by_one_type_several_or_a_pattern(
    stripe: httpx.AsyncClient,
) -> None:
    await pay(stripe, await open_seller(stripe))
    every = [event["type"] for event in await listed(stripe)]
    assert "payment_intent.succeeded" in every
    one = await listed(stripe, type="charge.succeeded")
    assert [event["type"] for event in one] == ["charge.succeeded"]
    some = await listed(stripe, types=["transfer.created", "application_fee.created"])
    assert [e["type"] for e in some] == ["application_fee.created", "transfer.created"]
    pattern = await listed(stripe, type="payment_intent.*")
    assert [e["type"] for e in pattern] == [t for t in every if t.startswith("payment_intent.")]
    assert await listed(stripe, type="nothing.happened") == []


@pytest.mark.parametrize(
    "params",
    [
        {"type": "charge.succeeded", "types[0]": "charge.failed"},
        {f"types[{number}]": f"charge.kind_{number}" for number in range(21)},
        {"delivery_success": "perhaps"},
        {"created[since]": "1"},
        {"starting_after": "evt_none"},
        {"limit": "101"},
    ],
)
async def test_a_wrong_filter_is_refused(stripe: httpx.AsyncClient, params: Json) -> None:
    answer = await stripe.get("/v1/events", params=params)
    assert answer.status_code == 400


async def test_events_are_found_by_when_they_happened(stripe: httpx.AsyncClient) -> None:
    await create(stripe, await open_seller(stripe))
    (first,) = await listed(stripe)
    await advance(stripe, 10 * DAY_SECONDS)
    await send(stripe, "/v1/payment_intents", amount=500, currency="usd")
    (second,) = await listed(stripe, created={"gt": first["created"]})
    assert second["created"] >= first["created"] + 10 * DAY_SECONDS
    between = {"gte": first["created"], "lt": second["created"]}
    assert await listed(stripe, created=between) == [first]
    assert await listed(stripe, created=second["created"]) == [second]


async def test_after_thirty_days_an_event_is_forgotten(stripe: httpx.AsyncClient) -> None:
    await create(stripe, await open_seller(stripe))
    (event,) = await listed(stripe)
    await advance(stripe, 30 * DAY_SECONDS - 5)
    assert await listed(stripe) == [event]
    assert await read(stripe, f"/v1/events/{event['id']}") == event
    await advance(stripe, 10)
    assert await listed(stripe) == []
    answer = await stripe.get(f"/v1/events/{event['id']}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "resource_missing")


async def test_what_happened_while_the_clock_was_moved_has_its_own_time(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await open_seller(stripe)
    held = await create(stripe, seller, capture_method="manual")
    path = f"/v1/payment_intents/{held['id']}"
    await send(
        stripe, f"{path}/confirm", payment_method="pm_card_visa", return_url="https://a.test/b"
    )
    whole = await read(stripe, path, expand=["latest_charge"])
    ends = whole["latest_charge"]["payment_method_details"]["card"]["capture_before"]
    await advance(stripe, 20 * DAY_SECONDS)
    (event,) = await listed(stripe, type="charge.expired")
    assert event["created"] == ends
    assert (await read(stripe, path))["canceled_at"] == ends


async def test_undelivered_events_are_listed_until_a_repetition_arrives(
    stripe: httpx.AsyncClient, listening: Receiver
) -> None:
    await control(stripe, "faults", fault="drop", event="payment_intent.created")
    await create(stripe, await open_seller(stripe))
    await settle(stripe)
    (lost,) = await listed(stripe, delivery_success=False)
    assert lost["pending_webhooks"] == 1
    for _ in range(2):
        await control(stripe, f"deliveries/{lost['id']}")
        await settle(stripe)
        assert await listed(stripe, delivery_success=False) == []
    (found,) = await listed(stripe, delivery_success=True)
    assert (found["id"], found["pending_webhooks"]) == (lost["id"], 0)
    assert [e["id"] for e in listening.events()] == [lost["id"], lost["id"]]


async def test_one_can_page_on_from_an_event_that_was_delivered_meanwhile(
    stripe: httpx.AsyncClient, listening: Receiver
) -> None:
    await control(stripe, "faults", fault="drop", event="payment_intent.created", times=3)
    seller = await open_seller(stripe)
    made = [(await create(stripe, seller))["id"] for _ in range(3)]
    await settle(stripe)
    page = await read(stripe, "/v1/events", delivery_success=False, limit=1)
    (newest,) = page["data"]
    assert (newest["data"]["object"]["id"], page["has_more"]) == (made[2], True)
    await control(stripe, f"deliveries/{newest['id']}")
    await settle(stripe)
    rest = await listed(stripe, delivery_success=False, starting_after=newest["id"])
    assert [event["data"]["object"]["id"] for event in rest] == [made[1], made[0]]


async def test_a_connected_accounts_events_are_read_as_that_account(
    stripe: httpx.AsyncClient,
) -> None:
    seller = await open_seller(stripe)
    intent = await create(stripe, seller)
    await send(
        stripe,
        f"/v1/payment_intents/{intent['id']}/confirm",
        payment_method="pm_card_bypassPending",
        return_url="https://a.test/b",
    )
    await control(stripe, "payouts", account=seller, amount=10)
    theirs = (await read(stripe, "/v1/events", seller, types=["payout.created"]))["data"]
    assert [event["account"] for event in theirs] == [seller]
    assert await listed(stripe, type="payout.created") == []
