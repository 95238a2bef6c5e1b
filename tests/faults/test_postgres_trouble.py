"""PostgreSQL restarted, cut off: clear 503s while it lasts, nothing acknowledged lost, back in seconds."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import asyncpg
import httpx
import pytest
import pytest_asyncio

from marketplace.embedded_postgres import EmbeddedPostgres
from marketplace.migrating import migrate
from payments.database import engine, rows, value
from payments.ids import new_id
from tests.faults.conftest import at_rest
from tests.stories.test_webhooks_arrive_as_they_like import an_event, deliver
from tests.stories.town import Person, Town, a_client, running_town

# Much less than a client waits, much more than a busy machine needs.
BACK_SECONDS = 15.0


BUYERS = 40


@dataclass
class Powered:
    """A town and the PostgreSQL it stands on, whose plug can be pulled."""

    town: Town
    postgres: EmbeddedPostgres
    coach: Person
    # Many, so that the guard against card testing stops none of them.
    buyers: list[Person]
    listing: str

    @property
    def buyer(self) -> Person:
        return self.buyers[0]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def powered(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Powered]:
    with EmbeddedPostgres(tmp_path_factory.mktemp("trouble") / "data") as postgres:
        await migrate(postgres.dsn)
        async with running_town(postgres.dsn) as town:
            coach = await town.seller("coach")
            buyers = [await town.arrives("buyer") for _ in range(BUYERS)]
            listing = await town.product(coach, stock=100_000)
            yield Powered(town, postgres, coach, buyers, listing)


@dataclass
class Traffic:
    """Buyers who order and check out without pause, and what they were told."""

    powered: Powered
    answers: list[httpx.Response] = field(default_factory=list)
    placed: dict[str, str] = field(default_factory=dict)
    unsure: list[str] = field(default_factory=list)
    put_off: dict[str, Person] = field(default_factory=dict)
    over: bool = False

    async def flow(self) -> None:
        while not self.over:
            key = new_id("k")
            placed = await self.place(key)
            if placed.status_code == 201:
                path = f"/v1/orders/{placed.json()['id']}/checkout"
                checkout = await self._ask(self._buyer_of(key), path, new_id("k"))
                if checkout.status_code == 503:
                    self.put_off[path] = self._buyer_of(key)
            else:
                self.unsure.append(key)
                await asyncio.sleep(0.1)

    async def place(self, key: str) -> httpx.Response:
        lines = [{"listing_id": self.powered.listing, "quantity": 1}]
        answer = await self._ask(self._buyer_of(key), "/v1/orders", key, {"lines": lines})
        if answer.status_code == 201:
            self.placed[key] = answer.json()["id"]
        return answer

    def _buyer_of(self, key: str) -> Person:
        """Whose order it is; the same however often it is asked for."""
        return self.powered.buyers[1 + sum(key.encode()) % (BUYERS - 1)]

    async def _ask(self, buyer: Person, path: str, key: str, body: object = None) -> httpx.Response:
        answer = await buyer.call("POST", path, body, key=key)
        self.answers.append(answer)
        return answer


# `payments_busy`: the buyer's Customer at Stripe was being made for another order of theirs when the
# database went away; until that operation's lease ends nobody may send it, and nothing was sent.
TRY_AGAIN = ("database_unavailable", "busy", "payments_busy")


def require_clear(answers: list[httpx.Response]) -> None:
    """Every answer is a success or a 503 that says when to come again."""
    for answer in answers:
        assert answer.status_code in (200, 201, 503), answer.text
        if answer.status_code == 503:
            assert answer.headers["content-type"] == "application/problem+json"
            assert int(answer.headers["retry-after"]) > 0
            assert answer.json()["code"] in TRY_AGAIN, answer.text


async def until_ready(town: Town) -> float:
    """Seconds until the program says that it is ready again."""
    started = time.monotonic()
    async with a_client(base_url=town.base_url) as client:
        for _ in range(600):
            if (await client.get("/health/ready")).status_code == 200:
                return time.monotonic() - started
            await asyncio.sleep(0.05)
    raise AssertionError("the program does not come back")


async def under_traffic(powered: Powered, trouble: Callable[[], Awaitable[None]]) -> Traffic:
    """Trouble in the midst of traffic; then everybody who was told to asks again, with the same key."""
    traffic = Traffic(powered)
    flows = [asyncio.create_task(traffic.flow()) for _ in range(8)]
    await asyncio.sleep(0.3)
    await trouble()
    assert await until_ready(powered.town) < BACK_SECONDS
    await asyncio.sleep(0.2)
    traffic.over = True
    await asyncio.gather(*flows)
    require_clear(traffic.answers)
    # What nobody could note as answered counts as in progress for a minute.
    await powered.town.passes(seconds=61)
    for key in traffic.unsure:
        assert (await traffic.place(key)).status_code == 201
    for path, buyer in traffic.put_off.items():
        again = await buyer.call("POST", path, {"again": True}, key=new_id("k"))
        assert again.status_code in (200, 201), again.text
    return traffic


async def require_every_order_once(traffic: Traffic) -> None:
    kept = await rows(
        "SELECT idempotency_key, id FROM orders WHERE idempotency_key = ANY($1)",
        list(traffic.placed),
    )
    assert {record[0]: record[1] for record in kept} == traffic.placed


@pytest.mark.parametrize("immediate", [False, True], ids=["cleanly", "as a power cut does"])
async def test_restarted_under_traffic_nothing_acknowledged_is_lost_and_no_order_is_doubled(
    powered: Powered, immediate: bool
) -> None:
    async def restart() -> None:
        await asyncio.to_thread(powered.postgres.stop, immediate=immediate)
        await asyncio.sleep(0.3)
        async with a_client(base_url=powered.town.base_url) as client:
            assert (await client.get("/health/live")).status_code == 200
            ready = await client.get("/health/ready")
            assert (ready.status_code, ready.json()["status"]) == (503, "not_ready")
        refused = await deliver(powered.town, an_event())
        assert (refused.status_code, refused.json()["code"]) == (503, "not_stored")
        await asyncio.to_thread(powered.postgres.start)

    traffic = await under_traffic(powered, restart)
    assert any(answer.status_code == 503 for answer in traffic.answers)
    await require_every_order_once(traffic)
    await at_rest(powered.town)


async def test_connections_cut_by_the_server_under_traffic_are_replaced(powered: Powered) -> None:
    async def cut() -> None:
        other = await asyncpg.connect(powered.postgres.dsn)
        for _ in range(10):
            await other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'marketplace'"
            )
            await asyncio.sleep(0.02)
        await other.close()

    traffic = await under_traffic(powered, cut)
    await require_every_order_once(traffic)
    await at_rest(powered.town)


async def test_a_pool_without_a_free_connection_is_told_soon_and_recovers(powered: Powered) -> None:
    pool = engine().pool
    assert pool is not None
    async with (
        AsyncExitStack() as held,
        a_client(base_url=powered.town.base_url) as client,
    ):
        for _ in range(pool.get_max_size()):
            await held.enter_async_context(pool.acquire())
        started = time.monotonic()
        event = an_event()
        answers = await asyncio.gather(
            *[powered.buyer.call("GET", "/v1/orders") for _ in range(20)],
            client.get("/health/ready"),
            deliver(powered.town, event),
        )
        assert time.monotonic() - started < BACK_SECONDS
        *asked, ready, webhook = answers
        assert {answer.status_code for answer in asked} == {503}
        require_clear(asked)
        assert (ready.status_code, ready.json()["status"]) == (503, "not_ready")
        assert (webhook.status_code, webhook.json()["code"]) == (503, "not_stored")
        assert (await client.get("/health/live")).status_code == 200
    assert (await powered.buyer.call("GET", "/v1/orders")).status_code == 200
    assert (await deliver(powered.town, event)).status_code == 200
    await at_rest(powered.town)


async def test_an_order_locked_by_somebody_else_for_long_is_told_as_busy(powered: Powered) -> None:
    order = await powered.buyer.order((powered.listing, 1))
    other = await asyncpg.connect(powered.postgres.dsn)
    await other.execute("SELECT pg_advisory_lock(hashtextextended($1, 0))", order["id"])
    path = f"/v1/orders/{order['id']}"
    answer = await powered.buyer.call("POST", f"{path}/checkout", key=new_id("k"))
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")
    assert (await powered.buyer.get(path))["status"] == "checkout"
    await other.close()
    await powered.buyer.checkout(order["id"])
    await at_rest(powered.town)


async def test_a_worker_lives_through_a_restart(powered: Powered) -> None:
    """Its sweeps find nothing to work on for a while, and go on."""
    from marketplace.worker import work

    town, stop = powered.town, asyncio.Event()
    working = asyncio.create_task(
        work(town.composition.sweeps, town.clock, stop, powered.postgres.dsn)
    )
    await asyncio.sleep(0.2)
    await asyncio.to_thread(powered.postgres.stop, immediate=True)
    await asyncio.sleep(1.2)
    await asyncio.to_thread(powered.postgres.start)
    await until_ready(town)
    assert (await deliver(town, event := an_event())).status_code == 200
    assert event
    for _ in range(100):
        if not await value("SELECT count(*) FROM stripe_events WHERE due_at IS NOT NULL"):
            break
        await asyncio.sleep(0.05)
    assert not working.done()
    stop.set()
    await working
    await at_rest(town)
