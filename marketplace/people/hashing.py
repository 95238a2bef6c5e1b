"""Password hashes: argon2id, off the event loop, in a pool that cannot be flooded."""

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from marketplace.people.errors import HashingBusy

T = TypeVar("T")

# OWASP's recommendation for argon2id: 19 MiB, 2 passes, 1 lane; some 25 to 40 ms on one core.
MEMORY_KIB = 19 * 1024
PASSES = 2
LANES = 1

# Two passwords are hashed at once and twenty more may wait, about half a second: beyond that a quick
# no is kinder than silence.
_THREADS = 2
_ROOM = 22


class Hashing:
    """Hashes and checks passwords; one for the whole process."""

    def __init__(self, *, room: int = _ROOM) -> None:
        self._argon2 = PasswordHasher(
            time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES, type=Type.ID
        )
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="passwords")
        self._room = room
        self._inside = 0
        self._nobodys = self._argon2.hash(secrets.token_hex())

    async def hash(self, password: str) -> str:
        """The hash to store. Raises HashingBusy."""
        return await self._work(lambda: self._argon2.hash(password))

    async def matches(self, stored: str | None, password: str) -> bool:
        """Whether `password` is the one that was hashed; for None it takes as long and is false.

        Raises HashingBusy.
        """
        compared = self._nobodys if stored is None else stored
        found = await self._work(lambda: self._verify(compared, password))
        return found and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._argon2.check_needs_rehash(stored)

    def close(self) -> None:
        """Let the threads end."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._argon2.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _work(self, work: Callable[[], T]) -> T:
        if self._inside >= self._room:
            raise HashingBusy
        self._inside += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._inside -= 1
