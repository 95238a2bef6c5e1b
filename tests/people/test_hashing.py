"""Passwords are hashed as strongly as decided, beside the event loop, and never by the hundred."""

import asyncio
import statistics
import time
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher, extract_parameters

from marketplace.people.errors import HashingBusy
from marketplace.people.hashing import LANES, MEMORY_KIB, PASSES, Hashing


@pytest.fixture
def hashing() -> Iterator[Hashing]:
    found = Hashing()
    yield found
    found.close()


async def test_a_hash_matches_its_password_only(hashing: Hashing) -> None:
    stored = await hashing.hash("seven otters")
    assert await hashing.matches(stored, "seven otters")
    assert not await hashing.matches(stored, "Seven otters")
    assert not await hashing.matches(None, "seven otters")
    assert not await hashing.matches("not a hash", "seven otters")
    assert await hashing.hash("seven otters") != stored


async def test_the_parameters_are_those_decided(hashing: Hashing) -> None:
    found = extract_parameters(await hashing.hash("seven otters"))
    assert found.type.name == "ID"
    assert (found.memory_cost, found.time_cost, found.parallelism) == (MEMORY_KIB, PASSES, LANES)
    assert MEMORY_KIB >= 19 * 1024


async def test_a_weaker_hash_is_known_as_outdated(hashing: Hashing) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("seven otters")
    assert hashing.is_outdated(weak)
    assert not hashing.is_outdated(await hashing.hash("seven otters"))


async def test_the_event_loop_goes_on_meanwhile(hashing: Hashing) -> None:
    work = [asyncio.create_task(hashing.hash(f"password {n}")) for n in range(8)]
    longest, last = 0.0, time.perf_counter()
    while not all(task.done() for task in work):
        await asyncio.sleep(0.001)
        longest, last = max(longest, time.perf_counter() - last), time.perf_counter()
    one = await _seconds_of_one(hashing)
    # On the loop each hash would stop it for its whole length, eight times in a row.
    assert longest < 8 * one


async def test_beyond_its_room_it_says_no_at_once() -> None:
    small = Hashing(room=3)
    work = [asyncio.create_task(small.hash("x")) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(HashingBusy):
        await small.matches(None, "x")
    await asyncio.gather(*work)
    assert await small.hash("there is room again")
    small.close()


async def test_nobody_takes_as_long_as_somebody(hashing: Hashing) -> None:
    stored = await hashing.hash("seven otters")
    somebody, nobody = [], []
    for _ in range(9):
        for times, each in ((somebody, stored), (nobody, None)):
            started = time.perf_counter()
            await hashing.matches(each, "wrong")
            times.append(time.perf_counter() - started)
    ratio = statistics.median(nobody) / statistics.median(somebody)
    assert 0.5 < ratio < 2


async def _seconds_of_one(hashing: Hashing) -> float:
    started = time.perf_counter()
    await hashing.hash("one")
    return time.perf_counter() - started
