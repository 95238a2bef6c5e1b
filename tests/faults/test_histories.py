"""Seeded histories with faults everywhere; `make soak` lives through many more of them."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.faults.histories import History
from tests.stories.town import Person, Town

ROUNDS = 35
SEEDS = (1, 4, 7)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def buyers(quiet_town: Town) -> AsyncIterator[tuple[Person, ...]]:
    yield await quiet_town.arrives("first"), await quiet_town.arrives("second")


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_history_ends_in_order(
    quiet_town: Town, admin: Person, coach: Person, buyers: tuple[Person, ...], seed: int
) -> None:
    history = History(quiet_town, seed, admin, coach, buyers)
    await history.run(ROUNDS)
    assert history.told["201"] > 0
