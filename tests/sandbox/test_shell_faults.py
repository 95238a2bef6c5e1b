"""The fault switches: what the caller sees, and what really happened."""

from typing import Any

import httpx
import pytest

INTENT = {"amount": "1000", "currency": "usd"}
KEY = {"Idempotency-Key": "order:1:g1:pi:create"}


async def set_fault(stripe: httpx.AsyncClient, fault: str, **switch: Any) -> None:
    body = {"fault": fault, "method": "POST", "path": "/v1/payment_intents", **switch}
    assert (await stripe.post("/_sandbox/faults", json=body)).status_code == 200


async def create(stripe: httpx.AsyncClient) -> httpx.Response:
    return await stripe.post("/v1/payment_intents", data=INTENT, headers=KEY)


async def count_intents(stripe: httpx.AsyncClient) -> int:
    return len((await stripe.get("/v1/payment_intents")).json()["data"])


async def test_lost_before_execution(stripe: httpx.AsyncClient) -> None:
    await set_fault(stripe, "lost_before")
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        await create(stripe)
    assert await count_intents(stripe) == 0
    repeated = await create(stripe)
    assert repeated.status_code == 200
    assert "idempotent-replayed" not in repeated.headers


async def test_lost_after_execution(stripe: httpx.AsyncClient) -> None:
    await set_fault(stripe, "lost_after")
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        await create(stripe)
    assert await count_intents(stripe) == 1
    repeated = await create(stripe)
    assert repeated.headers["idempotent-replayed"] == "true"
    assert await count_intents(stripe) == 1
    statuses = (await stripe.get("/_sandbox/requests?path=/v1/payment_intents")).json()["requests"]
    assert [r["status"] for r in statuses if r["method"] == "POST"] == [None, 200]


@pytest.mark.parametrize(("fault", "made"), [("error_500", 0), ("error_500_after", 1)])
async def test_a_stored_500_replays(stripe: httpx.AsyncClient, fault: str, made: int) -> None:
    await set_fault(stripe, fault)
    first = await create(stripe)
    assert (first.status_code, first.json()["error"]["type"]) == (500, "api_error")
    again = await create(stripe)
    assert again.status_code == 500
    assert again.headers["idempotent-replayed"] == "true"
    assert await count_intents(stripe) == made


async def test_a_definite_no_for_want_of_money_is_kept_under_the_key(
    stripe: httpx.AsyncClient,
) -> None:
    made = await count_intents(stripe)
    await set_fault(stripe, "balance_insufficient")
    refused, again = await create(stripe), await create(stripe)
    for answer in (refused, again):
        code = answer.json()["error"]["code"]
        assert (answer.status_code, code) == (400, "balance_insufficient")
    assert again.headers["idempotent-replayed"] == "true"
    assert await count_intents(stripe) == made


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("rate_limit", 429, "rate_limit"),
        ("lock_timeout", 429, "lock_timeout"),
        ("in_use", 409, "idempotency_key_in_use"),
        ("missing", 404, "resource_missing"),
    ],
)
async def test_limits_and_conflicts_keep_nothing(
    stripe: httpx.AsyncClient, fault: str, status: int, code: str
) -> None:
    await set_fault(stripe, fault)
    refused = await create(stripe)
    assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)
    repeated = await create(stripe)
    assert repeated.status_code == 200
    assert "idempotent-replayed" not in repeated.headers


async def test_the_kinds_of_429_are_told_apart_by_headers(stripe: httpx.AsyncClient) -> None:
    await set_fault(stripe, "rate_limit")
    await set_fault(stripe, "lock_timeout")
    limited, locked = await create(stripe), await create(stripe)
    assert limited.headers["stripe-rate-limited-reason"] == "global-rate"
    assert "stripe-rate-limited-reason" not in locked.headers
    assert locked.headers["stripe-should-retry"] == "true"


async def test_garbage_hides_a_success(stripe: httpx.AsyncClient) -> None:
    await set_fault(stripe, "garbage")
    answer = await create(stripe)
    assert answer.status_code == 200
    with pytest.raises(ValueError, match="Expecting value"):
        answer.json()
    assert await count_intents(stripe) == 1


async def test_a_switch_counts_and_skips(stripe: httpx.AsyncClient) -> None:
    await set_fault(stripe, "rate_limit", times=2, skip=1)
    statuses = [
        (await stripe.post("/v1/payment_intents", data=INTENT)).status_code for _ in range(4)
    ]
    assert statuses == [200, 429, 429, 200]


async def test_a_switch_hits_only_what_it_names(stripe: httpx.AsyncClient) -> None:
    await set_fault(stripe, "rate_limit", path="/v1/payment_intents/*/capture")
    assert (await create(stripe)).status_code == 200
    assert (await stripe.post("/v1/payment_intents/pi_1/capture")).status_code == 429


async def test_switches_are_listed_and_removed(stripe: httpx.AsyncClient) -> None:
    await set_fault(stripe, "rate_limit")
    await set_fault(stripe, "garbage")
    first, second = (await stripe.get("/_sandbox/faults")).json()["faults"]
    assert (first["fault"], second["fault"]) == ("rate_limit", "garbage")
    await stripe.delete(f"/_sandbox/faults?id={first['id']}")
    assert [f["fault"] for f in (await stripe.get("/_sandbox/faults")).json()["faults"]] == [
        "garbage"
    ]
    await stripe.delete("/_sandbox/faults")
    assert (await create(stripe)).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"fault": "fire"},
        {"fault": "slow", "seconds": -1},
        {"fault": "slow", "times": 0},
        {"fault": "duplicate", "copies": 0},
        {"fault": "slow", "colour": "red"},
        {},
    ],
)
async def test_a_switch_nobody_knows_is_refused(
    stripe: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    assert (await stripe.post("/_sandbox/faults", json=body)).status_code == 400
