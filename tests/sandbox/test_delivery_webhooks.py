"""Signed webhooks: their order, their repetition, and what can go wrong on the way."""

import asyncio
import hashlib
import hmac
import time
from typing import Any

import httpx
import pytest

from stripe_sandbox.config import Destination, SandboxConfig
from stripe_sandbox.server import RunningSandbox, running_sandbox

from .accounts import open_account
from .conftest import SECRET, SIGNING_SECRETS, Receiver

INTENT = {"amount": "1000", "currency": "usd"}


async def create(stripe: httpx.AsyncClient, times: int = 1) -> list[str]:
    made = [await stripe.post("/v1/payment_intents", data=INTENT) for _ in range(times)]
    return [answer.json()["id"] for answer in made]


def arrived(receiver: Receiver) -> list[str]:
    return [event["data"]["object"]["id"] for event in receiver.events()]


async def settle(stripe: httpx.AsyncClient) -> list[dict[str, Any]]:
    answer = (await stripe.get("/_sandbox/deliveries?settle=60")).json()
    assert answer["settled"] is True
    deliveries: list[dict[str, Any]] = answer["deliveries"]
    return deliveries


async def set_fault(stripe: httpx.AsyncClient, fault: str, **switch: Any) -> None:
    body = {"fault": fault, "event": "payment_intent.*", **switch}
    assert (await stripe.post("/_sandbox/faults", json=body)).status_code == 200


async def test_an_event_arrives_signed(stripe: httpx.AsyncClient, listening: Receiver) -> None:
    await create(stripe)
    await settle(stripe)
    [(where, headers, body)] = listening.received
    assert where == "platform"
    signature = dict(part.split("=", 1) for part in headers["stripe-signature"].split(","))
    signed = signature["t"].encode() + b"." + body
    expected = hmac.new(SIGNING_SECRETS["platform"].encode(), signed, hashlib.sha256).hexdigest()
    assert signature["v1"] == expected
    assert abs(time.time() - int(signature["t"])) < 60
    event = listening.events()[0]
    assert (event["object"], event["api_version"]) == ("event", "2026-10-28.endive")
    assert event["livemode"] is False


@pytest.mark.parametrize("shared", [False, True], ids=["receiver by real time", "by virtual time"])
async def test_a_delivery_is_signed_by_the_clock_of_who_receives_it(
    receiver: Receiver, shared: bool
) -> None:
    config = SandboxConfig(
        port=0, destinations=(receiver.destination("platform"),), receiver_shares_clock=shared
    )
    async with running_sandbox(config) as sandbox:
        sandbox.sandbox.advance(86_400)
        headers = {"Authorization": f"Bearer {SECRET}"}
        async with httpx.AsyncClient(base_url=sandbox.base_url, headers=headers) as stripe:
            await create(stripe)
        assert await sandbox.sandbox.deliveries.settled(60)
    [(_where, headers, _body)] = receiver.received
    signed_at = int(headers["stripe-signature"].split(",")[0].removeprefix("t="))
    assert abs(time.time() + (86_400 if shared else 0) - signed_at) < 60


async def test_while_a_secret_is_rolled_there_are_two_signatures(
    stripe: httpx.AsyncClient, sandbox: RunningSandbox, receiver: Receiver
) -> None:
    rolled = receiver.destination("platform", "whsec_old", "whsec_new")
    sandbox.sandbox.deliveries.replace_destinations([rolled])
    await create(stripe)
    await settle(stripe)
    [(_where, headers, body)] = receiver.received
    timestamp, *signatures, decoy = headers["stripe-signature"].split(",")
    assert decoy.startswith("v0=")
    signed = timestamp.removeprefix("t=").encode() + b"." + body
    for secret, signature in zip(("whsec_old", "whsec_new"), signatures, strict=True):
        digest = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
        assert signature == f"v1={digest}"


async def test_events_arrive_in_the_order_they_happened(
    stripe: httpx.AsyncClient, listening: Receiver
) -> None:
    made = await create(stripe, 20)
    await settle(stripe)
    assert arrived(listening) == made


async def test_thin_events_have_no_data(stripe: httpx.AsyncClient, listening: Receiver) -> None:
    account = await open_account(stripe)
    await settle(stripe)
    [event] = listening.events("accounts")
    assert event["object"] == "v2.core.event"
    assert event["related_object"] == {
        "id": account["id"],
        "type": "v2.core.account",
        "url": f"/v2/core/accounts/{account['id']}",
    }
    assert event["reason"]["type"] == "request"
    assert "data" not in event


async def test_a_refused_event_comes_again(stripe: httpx.AsyncClient, listening: Receiver) -> None:
    listening.statuses = [500, 302]
    await create(stripe)
    [delivery] = await settle(stripe)
    assert delivery["state"] == "retrying"
    [pending] = (await stripe.get("/v1/events?delivery_success=false")).json()["data"]
    assert pending["pending_webhooks"] == 1
    for _ in range(2):
        await stripe.post("/_sandbox/clock", json={"advance": 3})
        [delivery] = await settle(stripe)
    assert [a["status"] for a in delivery["attempts"]] == [500, 302, 200]
    assert delivery["state"] == "delivered"
    assert (await stripe.get("/v1/events?delivery_success=false")).json()["data"] == []


async def test_a_refused_event_does_not_hold_up_the_next(
    stripe: httpx.AsyncClient, listening: Receiver
) -> None:
    listening.statuses = [500]
    await create(stripe, 3)
    deliveries = await settle(stripe)
    assert [d["state"] for d in deliveries] == ["retrying", "delivered", "delivered"]


async def test_after_three_days_stripe_gives_up(
    stripe: httpx.AsyncClient, listening: Receiver
) -> None:
    listening.statuses = [500] * 2
    await create(stripe)
    await settle(stripe)
    await stripe.post("/_sandbox/clock", json={"advance": 3 * 24 * 3600})
    [delivery] = await settle(stripe)
    assert delivery["state"] == "failed"
    assert len((await stripe.get("/v1/events?delivery_success=false")).json()["data"]) == 1


async def test_an_endpoint_that_is_away_is_tried_again(
    stripe: httpx.AsyncClient, sandbox: RunningSandbox
) -> None:
    away = Destination("platform", "http://127.0.0.1:9/", ("whsec_x",))
    sandbox.sandbox.deliveries.replace_destinations([away])
    await create(stripe)
    [delivery] = await settle(stripe)
    assert delivery["state"] == "retrying"
    assert delivery["attempts"][0]["error"] == "ClientConnectorError"


async def test_an_endpoint_that_is_slow_is_a_failure(receiver: Receiver) -> None:
    receiver.pause_seconds = 0.3
    config = SandboxConfig(
        port=0, destinations=(receiver.destination("platform"),), delivery_timeout_seconds=0.1
    )
    headers = {"Authorization": "Bearer sk_test_x"}
    async with (
        running_sandbox(config) as sandbox,
        httpx.AsyncClient(base_url=sandbox.base_url, headers=headers) as stripe,
    ):
        await create(stripe)
        [delivery] = await settle(stripe)
    assert delivery["attempts"][0]["error"] == "TimeoutError"


async def test_a_duplicated_event_comes_several_times(
    stripe: httpx.AsyncClient, listening: Receiver
) -> None:
    await set_fault(stripe, "duplicate", copies=3)
    made = await create(stripe, 2)
    await settle(stripe)
    assert arrived(listening) == [made[0]] * 4 + [made[1]]
    assert len({event["id"] for event in listening.events()}) == 2


async def test_a_reordered_event_comes_after_the_next(
    stripe: httpx.AsyncClient, listening: Receiver
) -> None:
    await set_fault(stripe, "reorder")
    first, second, third = await create(stripe, 3)
    await settle(stripe)
    assert arrived(listening) == [second, first, third]


async def test_a_reordered_event_without_a_next_comes_anyway(
    stripe: httpx.AsyncClient, listening: Receiver
) -> None:
    await set_fault(stripe, "reorder")
    made = await create(stripe)
    await stripe.post("/_sandbox/clock", json={"advance": 3})
    await settle(stripe)
    assert arrived(listening) == made


async def test_a_dropped_event_never_comes(stripe: httpx.AsyncClient, listening: Receiver) -> None:
    await set_fault(stripe, "drop")
    dropped, second = await create(stripe, 2)
    deliveries = await settle(stripe)
    assert arrived(listening) == [second]
    assert [d["state"] for d in deliveries] == ["dropped", "delivered"]
    [lost] = (await stripe.get("/v1/events?delivery_success=false")).json()["data"]
    assert lost["data"]["object"]["id"] == dropped


async def test_a_delayed_event_waits_for_the_clock(
    stripe: httpx.AsyncClient, listening: Receiver
) -> None:
    await set_fault(stripe, "delay", seconds=600)
    delayed, second = await create(stripe, 2)
    await settle(stripe)
    assert arrived(listening) == [second]
    await stripe.post("/_sandbox/clock", json={"advance": 601})
    await settle(stripe)
    assert arrived(listening) == [second, delayed]


async def test_a_fault_can_name_a_v2_event(stripe: httpx.AsyncClient, listening: Receiver) -> None:
    account = await open_account(stripe)
    type_name = "v2.core.account[requirements].updated"
    await stripe.post("/_sandbox/faults", json={"fault": "drop", "event": type_name})
    await stripe.post(f"/_sandbox/accounts/{account['id']}", json={"requirements": []})
    await settle(stripe)
    assert listening.types("accounts") == ["v2.core.account.created"]


async def test_what_is_in_the_air_during_a_reset_is_not_repeated(
    stripe: httpx.AsyncClient, listening: Receiver
) -> None:
    listening.statuses, listening.open_door = [500], asyncio.Event()
    await create(stripe)
    await listening.reached.wait()
    await stripe.post("/_sandbox/reset")
    listening.open_door.set()
    assert await settle(stripe) == []
    await stripe.post("/_sandbox/clock", json={"advance": 3600})
    assert await settle(stripe) == []
    assert len(listening.received) == 1


async def test_an_event_can_be_delivered_again(
    stripe: httpx.AsyncClient, listening: Receiver
) -> None:
    await create(stripe)
    await settle(stripe)
    [event] = listening.events()
    again = await stripe.post(f"/_sandbox/deliveries/{event['id']}", json={"copies": 49})
    assert again.json() == {"queued": 49, "event": event["id"]}
    await settle(stripe)
    assert len(listening.received) == 50
    assert {e["id"] for e in listening.events()} == {event["id"]}
    assert (await stripe.post("/_sandbox/deliveries/evt_none")).status_code == 404
    wrong = await stripe.post(f"/_sandbox/deliveries/{event['id']}", json={"copies": 0})
    assert wrong.status_code == 400


async def test_a_thin_event_can_be_delivered_again(
    stripe: httpx.AsyncClient, listening: Receiver
) -> None:
    await open_account(stripe)
    await settle(stripe)
    [event] = listening.events("accounts")
    await stripe.post(f"/_sandbox/deliveries/{event['id']}")
    await settle(stripe)
    assert listening.events("accounts") == [event, event]


async def test_without_destinations_events_are_only_listed(stripe: httpx.AsyncClient) -> None:
    await create(stripe)
    assert await settle(stripe) == []
    [event] = (await stripe.get("/v1/events")).json()["data"]
    assert event["pending_webhooks"] == 0


async def test_destinations_can_be_changed_while_it_runs(
    stripe: httpx.AsyncClient, receiver: Receiver
) -> None:
    chosen = {"scope": "platform", "url": f"{receiver.base_url}/platform", "secrets": ["whsec_a"]}
    changed = await stripe.post("/_sandbox/destinations", json={"destinations": [chosen]})
    assert changed.json()["destinations"] == [{"scope": "platform", "url": chosen["url"]}]
    made = await create(stripe)
    await settle(stripe)
    assert arrived(receiver) == made
    changes: list[dict[str, Any]] = [
        {"secrets": []},
        {"secrets": [""]},
        {"url": "ftp://x"},
        {"scope": "moon"},
    ]
    for wrong in changes:
        body = {"destinations": [{**chosen, **wrong}]}
        assert (await stripe.post("/_sandbox/destinations", json=body)).status_code == 400


@pytest.mark.parametrize("secrets", [(), ("",), ("whsec_a", "")])
def test_an_empty_signing_secret_is_refused(secrets: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="signing secret"):
        Destination("platform", "http://127.0.0.1/", secrets)
