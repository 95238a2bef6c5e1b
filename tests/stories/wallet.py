"""A buyer's wallet: what their browser does at Stripe to keep a card, and what they then have."""

from typing import Any

from tests.stories.town import Person, Town, a_client


async def gives_card(town: Town, setup: Any, card: str = "pm_card_visa") -> int:
    """The buyer's browser confirms the setup at Stripe, as Stripe.js does."""
    async with a_client(base_url=town.sandbox.base_url) as browser:
        answer = await browser.post(
            f"/v1/setup_intents/{setup['setup_intent']}/confirm",
            data={"client_secret": setup["client_secret"], "payment_method": card},
            headers={"Authorization": f"Bearer {setup['publishable_key']}"},
        )
    return answer.status_code


async def saves_card(town: Town, buyer: Person, card: str = "pm_card_visa") -> str:
    """A card more in the buyer's list; answers its id."""
    setup = await buyer.post("/v1/cards/setup")
    assert await gives_card(town, setup, card) == 200
    await town.settle()
    return str((await cards(buyer))[0]["id"])


async def cards(buyer: Person) -> list[Any]:
    return list((await buyer.get("/v1/cards"))["data"])
