"""How tests of the sandbox keep cards: customers, setups, challenges."""

from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.sandbox.money import RETURN_URL, Json, read, send

ALWAYS = "pm_card_authenticationRequired"
UNLESS_SET_UP = "pm_card_authenticationRequiredOnSetup"


async def open_customer(stripe: httpx.AsyncClient, **params: Any) -> str:
    made = await send(stripe, "/v1/customers", email="bo@example.com", **params)
    return str(made["id"])


async def attached(stripe: httpx.AsyncClient, customer: str, card: str = "pm_card_visa") -> Json:
    """A card the customer keeps, without having been asked by the bank."""
    return await send(stripe, f"/v1/payment_methods/{card}/attach", customer=customer)


async def set_up(
    stripe: httpx.AsyncClient, customer: str, card: str = "pm_card_visa", **params: Any
) -> Json:
    """A SetupIntent confirmed by the platform's server with a card."""
    return await send(
        stripe,
        "/v1/setup_intents",
        customer=customer,
        payment_method=card,
        confirm=True,
        return_url=RETURN_URL,
        **params,
    )


async def pass_challenge(
    browser: httpx.AsyncClient, intent: Json, outcome: str = "complete"
) -> httpx.Response:
    """Answer the bank's page of a PaymentIntent or SetupIntent."""
    path = urlsplit(intent["next_action"]["redirect_to_url"]["url"]).path
    return await browser.post(path, data={"outcome": outcome})


async def kept_card(
    stripe: httpx.AsyncClient, browser: httpx.AsyncClient, customer: str, card: str
) -> str:
    """The id of a card the customer keeps, set up for payments without the buyer."""
    setup = await set_up(stripe, customer, card)
    if setup["status"] == "requires_action":
        await pass_challenge(browser, setup)
    setup = await read(stripe, f"/v1/setup_intents/{setup['id']}")
    assert setup["status"] == "succeeded"
    return str(setup["payment_method"])
