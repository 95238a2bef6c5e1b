"""Long runs, behind `make soak`: many more histories, and real processes killed at any moment."""

import asyncio
import random
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from payments.ids import new_id
from tests.faults.histories import History
from tests.faults.invariants import broken_at_rest, require_invariants
from tests.faults.processes import MortalTown, mortal_town
from tests.stories.town import Person, Town

pytestmark = pytest.mark.soak

HISTORIES = 200
KILLS = 30
REST_SECONDS = 180
"""A lease is half a minute, a forgotten request a minute, and pauses between tries grow."""


async def test_many_histories_end_in_order(
    quiet_town: Town, admin: Person, coach: Person, buyer: Person
) -> None:
    buyers = (buyer, await quiet_town.arrives("second"))
    for seed in range(1000, 1000 + HISTORIES):
        await History(quiet_town, seed, admin, coach, buyers).run(rounds=40)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def mortal(database_url: str) -> AsyncIterator[MortalTown]:
    async with mortal_town(database_url) as running:
        yield running


class Shoppers:
    """People who order, pay, prepare and refund while processes die, and ask until they are answered."""

    def __init__(
        self, seller: Person, buyers: tuple[Person, ...], listings: tuple[str, str]
    ) -> None:
        self._seller, self._buyers, self._listings = seller, buyers, listings
        self.over = False
        self.done = 0

    async def shop(self, seed: int) -> None:
        chance = random.Random(seed)
        while not self.over:
            await self._one_order(chance)
            self.done += 1

    async def _one_order(self, chance: random.Random) -> None:
        kind = chance.randrange(2)
        lines = [{"listing_id": self._listings[kind], "quantity": 1}]
        # Nobody has more than so many checkouts in an hour.
        buyer = chance.choice(self._buyers)
        order = await self._answered(buyer, "/v1/orders", {"lines": lines})
        path = f"/v1/orders/{order['id']}"
        checkout = await self._answered(buyer, f"{path}/checkout", {"again": True})
        await buyer.town.confirm(checkout)
        await self._answered(buyer, f"{path}/refresh")
        last = chance.choice(("/preparation", "/cancellation") if kind else ("/refunds",))
        await self._answered(buyer if last == "/cancellation" else self._seller, path + last)

    async def _answered(self, person: Person, path: str, body: object = None) -> dict[str, str]:
        key = new_id("k")
        for _ in range(900):
            try:
                answer = await person.call("POST", path, body, key=key)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code in (200, 201):
                found: dict[str, str] = answer.json()
                return found
            # In progress by a process that died, or already done by the sweep.
            if answer is not None and answer.status_code == 409:
                if answer.json()["code"] != "request_in_progress":
                    return {}
            else:
                assert answer is None or answer.status_code == 503, answer.text
            await asyncio.sleep(0.2)
        raise AssertionError(f"no answer: {path}")


async def test_processes_killed_at_any_moment_lose_and_double_nothing(mortal: MortalTown) -> None:
    town, service, chance = mortal.town, mortal.service, random.Random(1)
    await service.serve()
    worker = service.work()
    seller = await town.seller("seller")
    buyers = tuple([await town.arrives(f"buyer{number}") for number in range(30)])
    listings = await town.lists(seller), await town.product(seller, stock=1_000_000)
    shoppers = Shoppers(seller, buyers, listings)
    flows = [asyncio.create_task(shoppers.shop(seed)) for seed in range(6)]
    for _ in range(KILLS):
        await asyncio.sleep(chance.random() * 2)
        if chance.random() < 0.6:
            await service.kill_server()
            await service.serve()
        else:
            await service.kill(worker)
            worker = service.work()
        assert not any(flow.done() for flow in flows), [f for f in flows if f.done()]
    shoppers.over = True
    await asyncio.gather(*flows)
    for _ in range(REST_SECONDS):
        if not await broken_at_rest():
            break
        await asyncio.sleep(1)
    await require_invariants(
        town.sandbox.sandbox.world, town.composition.services.gateway, town.clock
    )
    assert shoppers.done > KILLS
