"""Fixtures of the people."""

from collections.abc import Iterator

import pytest

from marketplace.people.people import People
from tests.clocks import MovedClock
from tests.orders.shop import database

__all__ = ["database"]


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def people(database: None, clock: MovedClock) -> Iterator[People]:
    """The use cases, on this module's database."""
    found = People(clock)
    yield found
    found.close()
