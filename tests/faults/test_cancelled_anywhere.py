"""A request that ends at any of its awaits: what it had begun is finished, once, and no connection is lost.

A client that hangs up, a deadline, a process told to stop: asyncio raises CancelledError where the task
waits. Each use case is run again and again and cancelled at its first wait, its second, its third, to its
end. Then time passes, the sweeps run, the person asks again, and everything is as if nothing had happened.
Every day each ninth wait is tried; `make soak` tries them all.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from functools import partial
from typing import Any

import pytest

from marketplace.orders.checkout import Buyer
from marketplace.orders.records import Actor
from marketplace.orders.refunds import RefundWish
from payments.operations import LEASE_SECONDS
from tests.faults.scenes import ACTS, Scene
from tests.stories.town import PATIENCE_SECONDS, Person, Town


class CancelledAt:
    """Awaits something and cancels the task at its `at`-th wait; `waits` counts them all."""

    def __init__(self, awaitable: Awaitable[Any], at: int) -> None:
        self._awaitable, self._at = awaitable, at
        self.waits = 0

    def __await__(self) -> Generator[Any, None, Any]:
        inner: Any = self._awaitable.__await__()
        resume: Callable[[], Any] = partial(inner.send, None)
        while True:
            try:
                waited_for = resume()
            except StopIteration as ended:
                return ended.value
            self.waits += 1
            if self.waits == self._at:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            try:
                yield waited_for
                resume = partial(inner.send, None)
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is the inner one's
                resume = partial(inner.throw, error)


async def cancelled_at(awaitable: Awaitable[Any], at: int) -> bool:
    """Run it in a task of its own; answers whether it was over before its `at`-th wait."""

    async def run() -> int:
        cancelled = CancelledAt(awaitable, at)
        try:
            await cancelled
        finally:
            waits.append(cancelled.waits)
        return cancelled.waits

    waits: list[int] = []
    await asyncio.gather(asyncio.create_task(run()), return_exceptions=True)
    return waits[0] < at


def use_case(town: Town, scene: Scene, name: str) -> Awaitable[Any]:
    """What the route calls, without HTTP around it."""
    services, now = town.composition.services, town.clock()
    person = scene.person
    actor = Actor(person.account_id)
    match name:
        case "checkout":
            buyer = Buyer(person.account_id, person.email)
            return services.checkout.begin(scene.order_id, buyer, now)
        case "capture":
            return services.preparation.prepare(scene.order_id, actor, now)
        case "cancellation":
            return services.cancellation.cancel(scene.order_id, actor, now)
        case _:
            return services.refunds.ask(
                scene.order_id,
                actor,
                RefundWish(),
                idempotency_key=scene.key,
                now=now,
            )


LONGEST = 300
"""More waits than any use case has."""

every_ninth_or_all = pytest.mark.parametrize(
    "stride", [9, pytest.param(1, marks=pytest.mark.soak, id="all")]
)


async def made_good(town: Town, scene: Scene, name: str) -> None:
    """A lease passes, the sweeps run, the person asks again: it was done, once."""
    # A minute each: nobody here meets the number of checkouts that a buyer may begin in an hour.
    await town.passes(seconds=2 * LEASE_SECONDS + 1)
    answer = await scene.ask()
    # What the sweep has finished by then cannot be asked for a second time.
    assert answer.status_code in (200, 201, 409), answer.text
    await town.settle()
    await ACTS[name].require_done_once(town.sandbox.sandbox.world, scene.order_id)


@every_ninth_or_all
@pytest.mark.parametrize("name", list(ACTS))
async def test_a_use_case_cancelled_at_any_of_its_waits_is_made_good(
    town: Town, coach: Person, buyer: Person, name: str, stride: int
) -> None:
    for at in range(1, LONGEST, stride):
        scene = await ACTS[name].set_up(town, coach, buyer)
        over = await cancelled_at(use_case(town, scene, name), at)
        await made_good(town, scene, name)
        if over:
            break
        await _still_signed_in(town, coach, buyer)
    assert 5 < at < LONGEST - stride


@every_ninth_or_all
async def test_a_sweep_of_operations_cancelled_at_any_of_its_waits_is_made_good(
    town: Town, coach: Person, buyer: Person, stride: int
) -> None:
    act = ACTS["refund"]
    for at in range(1, LONGEST, stride):
        scene = await act.set_up(town, coach, buyer)
        await town.fault(fault="lost_after", method="POST", path=act.stripe_path)
        assert (await scene.ask()).status_code == 503
        now = town.clock.move(seconds=5)
        over = await cancelled_at(town.composition.services.operations.resume_due(now, 10), at)
        await made_good(town, scene, "refund")
        if over:
            break
        await _still_signed_in(town, coach, buyer)
    assert 5 < at < LONGEST - stride


@every_ninth_or_all
async def test_the_work_on_an_event_cancelled_at_any_of_its_waits_is_made_good(
    town: Town, coach: Person, buyer: Person, stride: int
) -> None:
    listing = await town.lists(coach)
    for at in range(1, LONGEST, stride):
        order = await buyer.order((listing, 1))
        await town.confirm(await buyer.checkout(order["id"]))
        await town.sandbox.sandbox.deliveries.settled(PATIENCE_SECONDS)
        over = await cancelled_at(
            town.composition.services.inbox.process_due(town.clock(), 100), at
        )
        await town.passes(seconds=61)
        assert (await buyer.get(f"/v1/orders/{order['id']}"))["status"] == "paid"
        if over:
            break
        await _still_signed_in(town, coach, buyer)
    assert 5 < at < LONGEST - stride


async def _still_signed_in(town: Town, *people: Person) -> None:
    """Sessions end when nobody uses them for half an hour, and here hours pass."""
    for person in people:
        await person.get("/v1/me")
