"""A buyer pays a session by bank debit: on its way for days, never treated as paid until it is."""

import pytest_asyncio

from tests.stories.test_a_buyer_keeps_a_card import status_of
from tests.stories.town import Person, Town


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def coach(town: Town, admin: Person) -> Person:
    """A coach in the United States: these debits are in dollars."""
    person = await town.arrives("coach")
    await town.opens_shop(person, country="US", currency="usd")
    await town.onboards(person)
    await town.approves(admin, person)
    return person


async def debited(town: Town, coach: Person, buyer: Person, account: str) -> str:
    """An order whose debit is on its way; answers its id."""
    await town.signs_in(coach)
    order = await buyer.order((await town.lists(coach, currency="usd"), 1))
    checkout = await buyer.checkout(order["id"])
    answer = await town.confirm(checkout, f"pm_usBankAccount_{account}")
    assert answer.status_code == 200, answer.text
    await town.settle()
    return str(order["id"])


async def steps_of(buyer: Person, order_id: str) -> list[str]:
    return [one["step"] for one in (await buyer.get(f"/v1/orders/{order_id}/history"))["data"]]


async def test_the_money_comes_after_days_and_after_the_checkout_would_have_expired(
    town: Town, coach: Person, buyer: Person
) -> None:
    order_id = await debited(town, coach, buyer, "success")
    order = await buyer.get(f"/v1/orders/{order_id}")
    assert (order["status"], order["payment"]["status"]) == ("checkout", "processing")
    assert order["payment"]["amount_captured"] == 0
    assert (await steps_of(buyer, order_id)).count("payment_processing") == 1
    await town.passes(hours=30)
    await town.signs_in(buyer)
    assert await status_of(buyer, order_id) == "checkout", "what is on its way is not given up"
    await town.passes(days=4)
    await town.signs_in(buyer)
    assert await status_of(buyer, order_id) == "paid"


async def test_the_bank_says_no_after_days(town: Town, coach: Person, buyer: Person) -> None:
    order_id = await debited(town, coach, buyer, "insufficientFunds")
    await town.passes(days=5)
    await town.signs_in(buyer)
    order = await buyer.get(f"/v1/orders/{order_id}")
    assert order["status"] in ("checkout", "expired")
    assert order["payment"]["amount_captured"] == 0
    assert "payment_failed" in await steps_of(buyer, order_id)
    [attempt] = (await buyer.get(f"/v1/orders/{order_id}/attempts"))["data"]
    assert attempt["outcome"] == "declined"
