"""Idempotency keys: what is kept, what is not, and for how long."""

import asyncio

import httpx
import pytest

from .accounts import RECIPIENT

INTENT = {"amount": "1000", "currency": "usd"}
KEY = {"Idempotency-Key": "order:1:g1:pi:create"}


async def count_intents(stripe: httpx.AsyncClient) -> int:
    return len((await stripe.get("/v1/payment_intents")).json()["data"])


async def test_a_repeat_gets_the_first_answer_again(stripe: httpx.AsyncClient) -> None:
    first = await stripe.post("/v1/payment_intents", data=INTENT, headers=KEY)
    again = await stripe.post("/v1/payment_intents", data=INTENT, headers=KEY)
    assert again.content == first.content
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["original-request"] == first.headers["request-id"]
    assert await count_intents(stripe) == 1


async def test_without_a_key_everything_is_done_again(stripe: httpx.AsyncClient) -> None:
    for _ in range(2):
        await stripe.post("/v1/payment_intents", data=INTENT)
    assert await count_intents(stripe) == 2


async def test_other_parameters_under_a_used_key_are_refused(stripe: httpx.AsyncClient) -> None:
    await stripe.post("/v1/payment_intents", data=INTENT, headers=KEY)
    other = await stripe.post("/v1/payment_intents", data={**INTENT, "amount": "2"}, headers=KEY)
    assert (other.status_code, other.json()["error"]["type"]) == (400, "idempotency_error")
    assert "with the same parameters" in other.json()["error"]["message"]
    elsewhere = await stripe.post("/v1/refunds", data={"payment_intent": "pi_1"}, headers=KEY)
    assert elsewhere.json()["error"]["type"] == "idempotency_error"
    assert "('/v1/refunds' vs '/v1/payment_intents')" in elsewhere.json()["error"]["message"]
    assert await count_intents(stripe) == 1


async def test_validation_keeps_nothing(stripe: httpx.AsyncClient) -> None:
    refused = await stripe.post("/v1/payment_intents", data={"amount": "1"}, headers=KEY)
    assert refused.status_code == 400
    mended = await stripe.post("/v1/payment_intents", data=INTENT, headers=KEY)
    assert mended.status_code == 200
    assert "idempotent-replayed" not in mended.headers


async def test_a_wrong_key_to_the_door_keeps_nothing(stripe: httpx.AsyncClient) -> None:
    wrong = {**KEY, "Authorization": "Bearer sk_live_x"}
    assert (await stripe.post("/v1/payment_intents", data=INTENT, headers=wrong)).is_error
    assert (await stripe.post("/v1/payment_intents", data=INTENT, headers=KEY)).is_success


async def test_a_refusal_while_executing_is_kept(stripe: httpx.AsyncClient) -> None:
    path = "/v1/payment_intents/pi_none/capture"
    first = await stripe.post(path, headers=KEY)
    again = await stripe.post(path, headers=KEY)
    assert first.status_code == again.status_code == 404
    assert again.headers["idempotent-replayed"] == "true"


async def test_a_key_is_pruned_after_a_day(stripe: httpx.AsyncClient) -> None:
    await stripe.post("/v1/payment_intents", data=INTENT, headers=KEY)
    await stripe.post("/_sandbox/clock", json={"advance": 24 * 3600 - 60})
    assert (await stripe.post("/v1/payment_intents", data=INTENT, headers=KEY)).headers[
        "idempotent-replayed"
    ] == "true"
    await stripe.post("/_sandbox/clock", json={"advance": 120})
    later = await stripe.post("/v1/payment_intents", data=INTENT, headers=KEY)
    assert "idempotent-replayed" not in later.headers
    assert await count_intents(stripe) == 2


async def test_a_key_in_use_answers_409(stripe: httpx.AsyncClient) -> None:
    slow = {"fault": "slow", "seconds": 0.9, "path": "/v1/payment_intents"}
    await stripe.post("/_sandbox/faults", json=slow)
    first = asyncio.create_task(stripe.post("/v1/payment_intents", data=INTENT, headers=KEY))
    await asyncio.sleep(0.1)
    second = await stripe.post("/v1/payment_intents", data=INTENT, headers=KEY)
    assert second.status_code == 409
    assert second.json()["error"]["code"] == "idempotency_key_in_use"
    assert (await first).status_code == 200
    third = await stripe.post("/v1/payment_intents", data=INTENT, headers=KEY)
    assert third.json()["id"] == (await first).json()["id"]


async def test_a_key_that_is_too_long_is_refused(stripe: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "k" * 256}
    answer = await stripe.post("/v1/payment_intents", data=INTENT, headers=headers)
    assert answer.status_code == 400
    assert await count_intents(stripe) == 0


async def test_reading_ignores_keys(stripe: httpx.AsyncClient) -> None:
    for _ in range(2):
        answer = await stripe.get("/v1/events", headers=KEY)
        assert "idempotent-replayed" not in answer.headers


async def test_keys_of_two_accounts_are_two_keys(stripe: httpx.AsyncClient) -> None:
    opened = await stripe.post("/v2/core/accounts", json=RECIPIENT, headers=KEY)
    answer = await stripe.post("/v1/payment_intents", data=INTENT, headers=KEY)
    assert answer.status_code == 200  # v1 and v2 keep their keys apart
    other = {**KEY, "Stripe-Account": opened.json()["id"]}
    answer = await stripe.post("/v1/balance_settings", headers=other)
    assert answer.status_code == 200


async def test_v2_keeps_success_for_thirty_days(stripe: httpx.AsyncClient) -> None:
    first = await stripe.post("/v2/core/accounts", json=RECIPIENT, headers=KEY)
    await stripe.post("/_sandbox/clock", json={"advance": 29 * 24 * 3600})
    again = await stripe.post("/v2/core/accounts", json=RECIPIENT, headers=KEY)
    assert again.json() == first.json()
    await stripe.post("/_sandbox/clock", json={"advance": 2 * 24 * 3600})
    later = await stripe.post("/v2/core/accounts", json=RECIPIENT, headers=KEY)
    assert later.json()["id"] != first.json()["id"]


@pytest.mark.parametrize("fault", ["error_500", "error_500_after"])
async def test_v2_executes_a_failure_again_but_never_a_success(
    stripe: httpx.AsyncClient, fault: str
) -> None:
    await stripe.post("/_sandbox/faults", json={"fault": fault})
    first = await stripe.post("/v2/core/accounts", json=RECIPIENT, headers=KEY)
    assert first.status_code == 500
    again = await stripe.post("/v2/core/accounts", json=RECIPIENT, headers=KEY)
    assert again.status_code == 200
    assert len((await stripe.get("/v2/core/accounts")).json()["data"]) == 1
