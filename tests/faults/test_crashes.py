"""A server killed (SIGKILL) with money under way: before Stripe heard of it, after, before anybody was told.

Four people ask at once for a checkout, a capture, a cancellation and a refund, and the one process that
serves them dies at the same point of all four. A new server and a real worker are started: each of the four
ends done, once, whether its person asks again or not. No webhook that was acknowledged is lost.
"""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from payments.database import rows, value
from payments.ids import new_id
from tests.faults.invariants import require_invariants
from tests.faults.processes import MortalTown, mortal_town, time_passes
from tests.faults.scenes import ACTS, Scene
from tests.stories.test_webhooks_arrive_as_they_like import an_event, signed
from tests.stories.town import SECRETS, Person, a_client

STRIPE_POSTS = (b"POST /v1/payment_intents", b"POST /v1/refunds")
OUR_POSTS = tuple(f"/{act.what} ".encode() for act in ACTS.values())


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def mortal(database_url: str) -> AsyncIterator[MortalTown]:
    async with mortal_town(database_url) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def people(mortal: MortalTown) -> AsyncIterator[tuple[Person, Person]]:
    """A coach who can be paid and a buyer; they sign up with a first server."""
    await mortal.service.serve()
    coach = await mortal.town.seller("coach")
    yield coach, await mortal.town.arrives("buyer")


async def four_scenes(mortal: MortalTown, coach: Person, buyer: Person) -> dict[str, Scene]:
    return {name: await act.set_up(mortal.town, coach, buyer) for name, act in ACTS.items()}


async def answers_of(asked: dict[str, asyncio.Task[httpx.Response]]) -> list[object]:
    return await asyncio.gather(*asked.values(), return_exceptions=True)


async def worked_off(mortal: MortalTown) -> None:
    """A real worker finishes everything that is open."""
    worker = mortal.service.work()
    for _ in range(600):
        if not await value("SELECT count(*) FROM operations WHERE concluded_at IS NULL"):
            break
        await asyncio.sleep(0.05)
    await mortal.service.kill(worker)
    await time_passes(120)  # it died with events in its hands
    await mortal.town.settle()


@pytest.mark.parametrize(
    ("point", "asked_again"),
    [
        ("before Stripe heard of it", False),
        ("after Stripe did it", False),
        ("before anybody was told", True),
    ],
)
async def test_a_killed_server_loses_and_doubles_nothing(
    mortal: MortalTown, people: tuple[Person, Person], point: str, asked_again: bool
) -> None:
    coach, buyer = people
    scenes = await four_scenes(mortal, coach, buyer)
    wire = mortal.to_us if point == "before anybody was told" else mortal.to_stripe
    if point == "before Stripe heard of it":
        wire.hold(requests=STRIPE_POSTS)
    else:
        wire.hold(answers=OUR_POSTS if wire is mortal.to_us else STRIPE_POSTS)
    asked = {name: asyncio.create_task(scene.ask()) for name, scene in scenes.items()}
    await wire.until_held(len(scenes))
    await mortal.service.kill_server()
    wire.cut()
    assert all(isinstance(one, httpx.TransportError) for one in await answers_of(asked)), asked

    await mortal.service.serve()
    await time_passes(120)
    if not asked_again:
        await worked_off(mortal)
    for name, scene in scenes.items():
        answer = await scene.ask()
        assert answer.status_code in (200, 201, 409), (name, answer.text)
    await mortal.town.settle()
    for name, scene in scenes.items():
        await ACTS[name].require_done_once(mortal.town.sandbox.sandbox.world, scene.order_id)
    await require_invariants(
        mortal.town.sandbox.sandbox.world,
        mortal.town.composition.services.gateway,
        mortal.town.clock,
    )


async def test_a_webhook_that_was_acknowledged_is_never_lost(
    mortal: MortalTown, people: tuple[Person, Person]
) -> None:
    """Hundreds arrive while the server is killed: what was answered 200 is stored, the rest comes again."""
    bodies = {id: an_event(id=id) for id in (new_id("evt") for _ in range(300))}
    waiting, acknowledged = list(bodies), set[str]()
    enough = asyncio.Event()

    async def send(client: httpx.AsyncClient) -> None:
        while waiting:
            id = waiting.pop()
            at = int(mortal.town.clock().timestamp())
            header = {"Stripe-Signature": signed(bodies[id], SECRETS["platform"], at)}
            answer = await client.post(
                "/webhooks/stripe/platform", content=bodies[id], headers=header
            )
            assert answer.status_code == 200
            acknowledged.add(id)
            if len(acknowledged) >= 60:
                enough.set()

    async with a_client(base_url=mortal.town.base_url, timeout=10) as stripe:
        senders = [asyncio.create_task(send(stripe)) for _ in range(20)]
        await enough.wait()
        await mortal.service.kill_server()
        ends = await asyncio.gather(*senders, return_exceptions=True)
        assert all(isinstance(end, httpx.TransportError) for end in ends), ends
        stored = {record[0] for record in await rows("SELECT event_id FROM stripe_events")}
        assert acknowledged <= stored

        await mortal.service.serve()
        waiting.extend(bodies)
        await asyncio.gather(*[send(stripe) for _ in range(20)])
    await mortal.town.settle()
    kept = "SELECT count(*) FROM stripe_events WHERE event_id = ANY($1) AND state = 'ignored'"
    assert await value(kept, list(bodies)) == len(bodies)
