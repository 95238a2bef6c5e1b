"""How tests of the sandbox's money pay, and what they read back."""

from typing import Any

import httpx

from tests.sandbox.accounts import open_account

Json = dict[str, Any]

AMOUNT, FEE = 10_000, 1_230
PROCESSING = 320  # 2.9 % of 100.00 and 0.30
RETURN_URL = "http://platform.test/return?order=ord_1"
DAY_SECONDS = 86_400


def form(params: Json, prefix: str = "") -> dict[str, str]:
    """Parameters as v1 wants them: `transfer_data[destination]=...`, `expand[0]=...`."""
    flat: dict[str, str] = {}
    for key, value in params.items():
        name = f"{prefix}[{key}]" if prefix else key
        if isinstance(value, list):
            value = {str(index): each for index, each in enumerate(value)}
        if isinstance(value, dict):
            flat.update(form(value, name))
        else:
            flat[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return flat


async def send(stripe: httpx.AsyncClient, path: str, **params: Any) -> Json:
    """POST that has to succeed."""
    answer = await stripe.post(path, data=form(params))
    assert answer.status_code == 200, answer.text
    sent: Json = answer.json()
    return sent


async def read(
    stripe: httpx.AsyncClient, path: str, account: str | None = None, **params: Any
) -> Json:
    """GET that has to succeed, for a connected account if one is named."""
    headers = {"Stripe-Account": account} if account else {}
    answer = await stripe.get(path, params=form(params), headers=headers)
    assert answer.status_code == 200, answer.text
    got: Json = answer.json()
    return got


async def refused(stripe: httpx.AsyncClient, path: str, **params: Any) -> Json:
    """POST that has to be refused with 400 or 402 and change no status; answers the error."""
    answer = await stripe.post(path, data=form(params))
    assert answer.status_code in (400, 402, 404), answer.text
    error: Json = answer.json()["error"]
    return error


async def open_seller(stripe: httpx.AsyncClient) -> str:
    """A connected account that can be paid."""
    account = await open_account(stripe)
    await set_transfers(stripe, account["id"], "active")
    return str(account["id"])


async def set_transfers(stripe: httpx.AsyncClient, account: str, status: str) -> None:
    change = {"stripe_transfers": status, "payouts": "active"}
    answer = await stripe.post(f"/_sandbox/accounts/{account}", json=change)
    assert answer.status_code == 200, answer.text


def destination_charge(seller: str, **params: Any) -> Json:
    return {
        "amount": AMOUNT,
        "currency": "usd",
        "application_fee_amount": FEE,
        "transfer_data": {"destination": seller},
        "transfer_group": "order_ord_1",
        "metadata": {"order_id": "ord_1"},
        "automatic_payment_methods": {"enabled": True},
        **params,
    }


async def create(stripe: httpx.AsyncClient, seller: str, **params: Any) -> Json:
    return await send(stripe, "/v1/payment_intents", **destination_charge(seller, **params))


async def confirm(
    stripe: httpx.AsyncClient, intent: Json, card: str = "pm_card_visa", **params: Any
) -> Json:
    """Confirm as the platform's server does."""
    path = f"/v1/payment_intents/{intent['id']}/confirm"
    return await send(stripe, path, payment_method=card, return_url=RETURN_URL, **params)


async def pay(stripe: httpx.AsyncClient, seller: str, **params: Any) -> Json:
    """A destination charge, paid and captured."""
    return await confirm(stripe, await create(stripe, seller, **params))


async def hold(stripe: httpx.AsyncClient, seller: str, **params: Any) -> Json:
    """A destination charge, authorized and waiting for its capture."""
    return await pay(stripe, seller, capture_method="manual", **params)


async def read_intent(stripe: httpx.AsyncClient, intent: Json, *expand: str) -> Json:
    return await read(stripe, f"/v1/payment_intents/{intent['id']}", expand=list(expand))


async def charge_of(stripe: httpx.AsyncClient, intent: Json) -> Json:
    found: Json = (await read_intent(stripe, intent, "latest_charge"))["latest_charge"]
    return found


async def event_types(stripe: httpx.AsyncClient) -> list[str]:
    """Every event so far, oldest first."""
    listed = await read(stripe, "/v1/events", limit=100)
    return [event["type"] for event in reversed(listed["data"])]


async def newest_event(stripe: httpx.AsyncClient, type: str) -> Json:
    listed = await read(stripe, "/v1/events", type=type, limit=1)
    event: Json = listed["data"][0]
    return event


async def advance(stripe: httpx.AsyncClient, seconds: int) -> None:
    answer = await stripe.post("/_sandbox/clock", json={"advance": seconds})
    assert answer.status_code == 200, answer.text


async def movements(stripe: httpx.AsyncClient, account: str | None = None) -> list[Json]:
    """Every balance transaction of the platform or an account, oldest first."""
    listed = await read(stripe, "/v1/balance_transactions", account, limit=100)
    return list(reversed(listed["data"]))


def booked(transactions: list[Json]) -> list[tuple[str, str, int, int]]:
    """Type, category, amount and fee of each movement, having checked its net."""
    assert all(t["net"] == t["amount"] - t["fee"] for t in transactions)
    assert all(t["fee"] == sum(f["amount"] for f in t["fee_details"]) for t in transactions)
    return [(t["type"], t["reporting_category"], t["amount"], t["fee"]) for t in transactions]


def total(transactions: list[Json]) -> int:
    return sum(t["net"] for t in transactions)
