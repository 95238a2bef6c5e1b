"""Signed webhook delivery: in order per destination, repeated until it is accepted.

A destination's events leave one after the other in the order they were emitted. An attempt that
is not answered 2xx (a redirect is not) steps aside and is repeated with growing waits, by the
virtual clock; later events do not wait for it. At least once, therefore, and after a failure
unordered, as Stripe's own deliveries are.
"""

import asyncio
import heapq
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import aiohttp
import msgspec

from .config import Destination, SandboxConfig
from .faults import Fault, Faults
from .signatures import signature_header
from .world import Emission

KEPT_RECORDS = 20_000
REORDER_WAIT_SECONDS = 2.0
USER_AGENT = "Stripe/1.0 (+https://stripe.com/docs/webhooks)"


@dataclass(slots=True)
class Attempt:
    """One try: when (virtual unix seconds), and the status answered or what went wrong."""

    at: float
    status: int | None
    error: str | None


@dataclass(slots=True, eq=False)
class Delivery:
    """One event on its way to one destination, with everything that was tried."""

    event: Emission
    destination: Destination
    emitted_at: float
    era: int
    copy: int = 0
    state: str = "queued"
    attempts: list[Attempt] = field(default_factory=list)
    next_attempt_at: float | None = None

    def record(self) -> dict[str, Any]:
        """What `GET /_sandbox/deliveries` shows of it."""
        return {
            "event": self.event.event_id,
            "type": self.event.body["type"],
            "destination": self.destination.scope,
            "url": self.destination.url,
            "copy": self.copy,
            "state": self.state,
            "attempts": [msgspec.to_builtins(a) for a in self.attempts],
            "next_attempt_at": self.next_attempt_at,
        }


class Deliveries:
    """Every delivery, and the tasks that make them. `clock` tells virtual unix seconds."""

    def __init__(self, config: SandboxConfig, faults: Faults, clock: Callable[[], float]) -> None:
        self.config = config
        self.faults = faults
        self.clock = clock
        self.destinations: list[Destination] = []
        self.records: deque[Delivery] = deque(maxlen=KEPT_RECORDS)
        self._queues: dict[Destination, asyncio.Queue[Delivery]] = {}
        self._held: dict[Destination, list[Delivery]] = {}
        self._due: list[tuple[float, int, Delivery]] = []
        self._accepted: set[tuple[str, Destination]] = set()
        self._numbers = count()
        self._wake = asyncio.Event()
        self._era = 0  # counts resets: what was in the air during one is forgotten when it lands
        self._busy = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._tasks: list[asyncio.Task[None]] = []
        self._session: aiohttp.ClientSession | None = None
        for destination in config.destinations:
            self._open(destination)

    # ------------------------------------------------------------------------- life and death

    async def start(self) -> None:
        """Open the client and begin to deliver what is queued."""
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=self.config.delivery_timeout_seconds),
            connector=aiohttp.TCPConnector(limit=0),
        )
        self._tasks = [asyncio.create_task(self._schedule())]
        for destination in self.destinations:
            self._employ(destination)

    async def stop(self) -> None:
        """End the tasks and close the client; what was not delivered is not."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        if self._session is not None:
            await self._session.close()
            self._session = None

    def replace_destinations(self, destinations: list[Destination]) -> None:
        """Deliver what is emitted from now on to these; what is queued still goes to the old."""
        self.destinations = []
        for destination in destinations:
            fresh = destination not in self._queues
            self._open(destination)
            if fresh and self._session is not None:
                self._employ(destination)

    def reset(self) -> None:
        """Forget every record and every delivery; one in the air lands, but is not repeated."""
        self._era += 1
        self.records.clear()
        self._due.clear()
        self._accepted.clear()
        for held in self._held.values():
            self._busy -= len(held)
            held.clear()
        for queue in self._queues.values():
            while not queue.empty():
                queue.get_nowait()
                self._busy -= 1
        self._rest()

    def _open(self, destination: Destination) -> None:
        self.destinations.append(destination)
        self._queues.setdefault(destination, asyncio.Queue())
        self._held.setdefault(destination, [])

    def _employ(self, destination: Destination) -> None:
        for _ in range(self.config.deliveries_at_once):
            self._tasks.append(asyncio.create_task(self._work(self._queues[destination])))

    # ------------------------------------------------------------------------ events coming in

    def send(self, emission: Emission) -> int:
        """Queue an event for the destinations of its scope; answers how many there are."""
        targets = [d for d in self.destinations if d.scope == emission.scope]
        for destination in targets:
            delivery = self._record(emission, destination)
            fault = self.faults.of_delivery(emission.body["type"], destination.scope)
            self._send(delivery, fault)
        return len(targets)

    def send_again(self, emission: Emission, copies: int = 1) -> list[Delivery]:
        """Deliver an event once more, or several times, whatever became of it before."""
        targets = [d for d in self.destinations if d.scope == emission.scope]
        again = [
            self._record(emission, destination, copy=number)
            for destination in targets
            for number in range(1, copies + 1)
        ]
        for delivery in again:
            self._enqueue(delivery)
        return again

    def wake(self) -> None:
        """Queue what became due, for the clock was moved: who waits for `settled` next waits for it too."""
        self._release_due()
        self._wake.set()

    async def settled(self, timeout_seconds: float) -> bool:
        """Wait until nothing is queued or in the air (waits between attempts are not waited for).

        Answers False when that takes longer.
        """
        try:
            await asyncio.wait_for(self._idle.wait(), timeout_seconds)
        except TimeoutError:
            return False
        return True

    def _record(self, emission: Emission, destination: Destination, copy: int = 0) -> Delivery:
        delivery = Delivery(emission, destination, self.clock(), self._era, copy)
        self.records.append(delivery)
        return delivery

    def _send(self, delivery: Delivery, fault: Fault | None) -> None:
        match fault.fault if fault else None:
            case "drop":
                delivery.state = "dropped"
            case "delay" if fault:
                self._postpone(delivery, "delayed", fault.seconds)
            case "reorder":
                self._busy_with(1)
                self._held[delivery.destination].append(delivery)
                self._postpone(delivery, "held", REORDER_WAIT_SECONDS)
            case "duplicate" if fault:
                self._enqueue(delivery)
                for number in range(1, fault.copies + 1):
                    self._enqueue(self._record(delivery.event, delivery.destination, number))
            case _:
                self._enqueue(delivery)

    def _enqueue(self, delivery: Delivery) -> None:
        self._busy_with(1)
        held = self._held[delivery.destination]
        for each in [delivery, *held]:
            each.state, each.next_attempt_at = "queued", None
            self._queues[each.destination].put_nowait(each)
        held.clear()

    def _busy_with(self, more: int) -> None:
        self._busy += more
        self._idle.clear()

    def _rest(self) -> None:
        if self._busy <= 0:
            self._busy = 0
            self._idle.set()

    # ----------------------------------------------------------------------- events going out

    async def _work(self, queue: asyncio.Queue[Delivery]) -> None:
        while True:
            delivery = await queue.get()
            try:
                await self._attempt(delivery)
            finally:
                self._busy -= 1
                self._rest()

    async def _attempt(self, delivery: Delivery) -> None:
        status, error = await self._post(delivery)
        if delivery.era != self._era:
            return
        delivery.attempts.append(Attempt(self.clock(), status, error))
        if status is not None and 200 <= status < 300:
            delivery.state = "delivered"
            self._count_accepted(delivery)
            return
        waits = self.config.retry_seconds
        wait = waits[min(len(delivery.attempts), len(waits)) - 1]
        if self.clock() + wait - delivery.emitted_at > self.config.give_up_seconds:
            delivery.state = "failed"
        else:
            self._postpone(delivery, "retrying", wait)

    def _count_accepted(self, delivery: Delivery) -> None:
        """An event has one webhook less to go when a destination takes it for the first time."""
        taken = (delivery.event.event_id, delivery.destination)
        if taken not in self._accepted and delivery.event.body.get("pending_webhooks"):
            delivery.event.body["pending_webhooks"] -= 1
        self._accepted.add(taken)

    async def _post(self, delivery: Delivery) -> tuple[int | None, str | None]:
        assert self._session is not None, "deliveries were not started"
        body = msgspec.json.encode(delivery.event.body)
        now = self.clock() if self.config.receiver_shares_clock else time.time()
        signature = signature_header(body, delivery.destination.secrets, int(now))
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": USER_AGENT,
            "Stripe-Signature": signature,
        }
        try:
            async with self._session.post(
                delivery.destination.url, data=body, headers=headers, allow_redirects=False
            ) as response:
                await response.read()
                return response.status, None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return None, type(error).__name__

    def _postpone(self, delivery: Delivery, state: str, seconds: float) -> None:
        due = self.clock() + seconds
        delivery.state, delivery.next_attempt_at = state, due
        heapq.heappush(self._due, (due, next(self._numbers), delivery))
        self._wake.set()

    async def _schedule(self) -> None:
        while True:
            self._wake.clear()
            self._release_due()
            wait = self._due[0][0] - self.clock() if self._due else None
            try:
                await asyncio.wait_for(self._wake.wait(), wait)
            except TimeoutError:
                continue

    def _release_due(self) -> None:
        while self._due and self._due[0][0] <= self.clock():
            due, _number, delivery = heapq.heappop(self._due)
            if delivery.next_attempt_at == due:  # else it left by another way meanwhile
                self._release(delivery)

    def _release(self, delivery: Delivery) -> None:
        held = self._held[delivery.destination]
        if delivery in held:
            held.remove(delivery)
            self._busy -= 1  # it was counted when it was held
        self._enqueue(delivery)
