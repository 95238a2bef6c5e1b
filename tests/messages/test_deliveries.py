"""Deliveries to sellers' programs: tried for days, never in each other's way, ended when none is taken."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from marketplace.messages import delivered, outbox
from marketplace.messages.deliveries import AT_ONCE_TO_ONE, LEASE, PAUSES, Deliveries
from marketplace.messages.endpoints import EndpointChanges, IssuedSecret, WebhookEndpoints
from marketplace.messages.errors import WebhookEndpointDisabled
from marketplace.messages.webhook_sender import Answered, WebhookSender
from payments.database import execute, row, rows, transaction, value
from payments.ids import new_id
from tests.clocks import MovedClock
from tests.messages.receiver import Receiver, is_signed, receiving
from tests.orders.shop import NOON, account, seller

pytestmark = pytest.mark.usefixtures("database")


class Died(Exception):
    """The process is gone."""


class Scripted:
    """A network that answers what it is told to."""

    def __init__(self, *answers: Answered) -> None:
        self.answers = list(answers)
        self.posted: list[tuple[str, dict[str, str], bytes]] = []

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answered:
        self.posted.append((url, dict(headers), body))
        await asyncio.sleep(0)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    async def close(self) -> None:
        pass


TAKEN, BROKEN, GONE = Answered(200), Answered(500, "HTTP 500"), Answered(410, "HTTP 410")


class Shop:
    """A seller with an endpoint, and events for it."""

    def __init__(self, seller_id: str, owner: str, issued: IssuedSecret, clock: MovedClock) -> None:
        self.seller_id, self.owner, self.clock = seller_id, owner, clock
        self.secret, self.endpoint_id = issued.secret, issued.endpoint.id
        self.endpoints = WebhookEndpoints(loopback_allowed=True)

    async def happens(self, **data: Any) -> str:
        """Something is published; answers the delivery's id."""
        cause = new_id("cause")
        async with transaction():
            await outbox.publish(
                self.seller_id,
                type="order.paid",
                subject_id="ord_1",
                cause=cause,
                data=data,
                now=self.clock(),
            )
        found: str = await value(
            "SELECT d.id FROM webhook_deliveries d JOIN seller_events e ON e.id = d.event_id "
            "WHERE e.cause = $1 AND d.endpoint_id = $2",
            cause,
            self.endpoint_id,
        )
        return found

    async def delivery(self, delivery_id: str) -> delivered.DeliveryRecord:
        return await delivered.require(self.seller_id, self.endpoint_id, delivery_id)

    async def endpoint(self) -> asyncpg.Record:
        found = await row("SELECT * FROM webhook_endpoints WHERE id = $1", self.endpoint_id)
        assert found is not None
        return found

    async def told(self) -> list[str]:
        found = await rows("SELECT kind FROM messages WHERE account_id = $1", self.owner)
        return [one["kind"] for one in found]

    async def run(self, sender: Any, times: int = 1, **after: float) -> int:
        """So many passes of the sweep, each a while after the one before."""
        found = 0
        for _ in range(times):
            self.clock.move(**after)
            found += await Deliveries(sender, self.clock).deliver_due(self.clock())
        return found


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock(NOON)


async def a_shop(clock: MovedClock, url: str = "https://shop.example/hooks/s3cret") -> Shop:
    await execute("DELETE FROM webhook_deliveries")
    return await another_shop(clock, url)


async def another_shop(clock: MovedClock, url: str = "https://shop.example/hooks/s3cret") -> Shop:
    owner = await account()
    seller_id = await seller(owner)
    issued = await WebhookEndpoints(loopback_allowed=True).create(
        seller_id, url=url, types=[], description="", actor=owner, now=clock()
    )
    return Shop(seller_id, owner, issued, clock)


@pytest_asyncio.fixture
async def network() -> AsyncIterator[WebhookSender]:
    sender = WebhookSender(loopback_allowed=True)
    yield sender
    await sender.close()


async def test_an_event_arrives_signed_and_in_the_standards_shape(
    clock: MovedClock, network: WebhookSender
) -> None:
    async with receiving() as receiver:
        shop = await a_shop(clock, receiver.url)
        delivery_id = await shop.happens(order_id="ord_1", total=6_000, shop="Zo\u00eb's")
        assert await shop.run(network) == 1
        assert await shop.run(network) == 0
    (received,) = receiver.received
    assert is_signed(received, shop.secret)
    event = receiver.events[0]
    delivery = await shop.delivery(delivery_id)
    assert (delivery.state, delivery.attempts, delivery.last_status) == ("delivered", 1, 200)
    assert event == {
        "id": delivery.event_id,
        "type": "order.paid",
        "timestamp": "2026-11-21T12:00:00Z",
        "data": {"order_id": "ord_1", "total": 6_000, "shop": "Zo\u00eb's"},
    }
    assert received["headers"]["webhook-id"] == delivery.event_id


async def test_both_secrets_sign_for_a_day_after_one_was_rolled(
    clock: MovedClock, network: WebhookSender
) -> None:
    async with receiving() as receiver:
        shop = await a_shop(clock, receiver.url)
        rolled = await shop.endpoints.roll_secret(
            shop.seller_id, shop.endpoint_id, actor=shop.owner, now=clock()
        )
        for _ in range(2):
            await shop.happens()
            await shop.run(network, hours=23.9)
    first, second = receiver.received
    assert is_signed(first, shop.secret)
    assert is_signed(first, rolled.secret)
    assert not is_signed(second, shop.secret)
    assert is_signed(second, rolled.secret)


async def test_a_failure_is_tried_ten_times_over_three_days_with_one_id(clock: MovedClock) -> None:
    shop, network = await a_shop(clock), Scripted(BROKEN)
    delivery_id = await shop.happens()
    waits = []
    while (delivery := await shop.delivery(delivery_id)).state == "due":
        assert delivery.due_at is not None
        waits.append(delivery.due_at - clock())
        await shop.run(network, seconds=waits[-1].total_seconds())
    assert tuple(waits[1:]) == PAUSES
    assert timedelta(days=3) <= sum(waits, timedelta()) <= timedelta(days=3.2)
    assert (delivery.state, delivery.attempts, delivery.last_status) == ("dead", 10, 500)
    assert len(network.posted) == len(delivery.tries) == 10
    assert [one.status for one in delivery.tries] == [500] * 10
    assert [b.at - a.at for a, b in itertools.pairwise(delivery.tries)] == list(PAUSES)
    assert len({headers["webhook-id"] for _, headers, _ in network.posted}) == 1
    assert len({body for *_, body in network.posted}) == 1
    assert len({headers["webhook-timestamp"] for _, headers, _ in network.posted}) == 10


async def test_an_endpoint_that_took_nothing_for_days_is_disabled_and_its_seller_told_once(
    clock: MovedClock,
) -> None:
    shop, network = await a_shop(clock), Scripted(BROKEN)
    for _ in range(3):
        await shop.happens()
    await shop.run(network, times=80, hours=1)
    endpoint = await shop.endpoint()
    assert endpoint["disabled_reason"] == "it took nothing for three days"
    assert await shop.told() == ["webhook_endpoint_disabled"]
    assert await value("SELECT count(*) FROM webhook_deliveries WHERE state = 'due'") == 0
    message = await row("SELECT facts FROM messages WHERE account_id = $1", shop.owner)
    assert message is not None
    assert "s3cret" not in message["facts"]
    # Nothing more is made for it, and nothing of it is sent.
    posted = len(network.posted)
    assert await shop.happens() is None
    await shop.run(network, times=3, hours=24)
    assert len(network.posted) == posted


async def test_one_event_that_is_never_taken_does_not_end_an_endpoint_that_takes_others(
    clock: MovedClock,
) -> None:
    shop = await a_shop(clock)
    poisoned = await shop.happens()
    await shop.run(Scripted(BROKEN), times=40, hours=1)
    await shop.happens()
    await shop.run(Scripted(TAKEN))
    await execute(
        "UPDATE webhook_deliveries SET due_at = $2, attempts = 9, state = 'due', "
        "concluded_at = NULL WHERE id = $1",
        poisoned,
        clock(),
    )
    await shop.run(Scripted(BROKEN))
    assert (await shop.delivery(poisoned)).state == "dead"
    assert (await shop.endpoint())["disabled_at"] is None
    assert await shop.told() == []


async def test_410_gone_disables_at_once(clock: MovedClock) -> None:
    shop = await a_shop(clock)
    delivery_ids = [await shop.happens(), await shop.happens()]
    await shop.run(Scripted(GONE))
    assert [(await shop.delivery(one)).state for one in delivery_ids] == ["dead", "dead"]
    assert (await shop.endpoint())["disabled_reason"] == "it answers 410 Gone"
    assert await shop.told() == ["webhook_endpoint_disabled"]


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 429, 503])
async def test_everything_but_a_yes_is_tried_again(clock: MovedClock, status: int) -> None:
    shop = await a_shop(clock)
    delivery_id = await shop.happens()
    await shop.run(Scripted(Answered(status, f"HTTP {status}")))
    delivery = await shop.delivery(delivery_id)
    assert (delivery.state, delivery.last_status, delivery.note) == (
        "due",
        status,
        f"HTTP {status}",
    )


async def test_two_workers_never_post_the_same_and_a_dead_ones_work_is_taken_over(
    clock: MovedClock,
) -> None:
    class Dying(Scripted):
        async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answered:
            raise Died

    shop, network = await a_shop(clock), Scripted(TAKEN)
    await shop.happens()
    with pytest.raises(Died):
        await shop.run(Dying(TAKEN))
    assert await shop.run(network) == 0
    clock.move(seconds=LEASE.total_seconds())
    passes = (Deliveries(network, clock).deliver_due(clock()) for _ in range(5))
    assert sum(await asyncio.gather(*passes)) == len(network.posted) == 1


async def test_a_seller_with_many_events_holds_nobody_up(clock: MovedClock) -> None:
    busy = await a_shop(clock)
    for _ in range(3 * AT_ONCE_TO_ONE):
        await busy.happens()
    clock.move(seconds=1)
    quiet = await another_shop(clock, "https://quiet.example/")
    await quiet.happens()
    network = Scripted(TAKEN)
    assert await busy.run(network) == AT_ONCE_TO_ONE + 1
    assert sum(url == "https://quiet.example/" for url, *_ in network.posted) == 1


async def test_an_endpoint_disabled_by_its_seller_gets_nothing_until_it_is_enabled(
    clock: MovedClock,
) -> None:
    shop, network = await a_shop(clock), Scripted(TAKEN)
    waiting = await shop.happens()

    async def switch(enabled: bool) -> None:
        changes = EndpointChanges(enabled=enabled)
        await shop.endpoints.change(
            shop.seller_id, shop.endpoint_id, changes, actor=shop.owner, now=clock()
        )

    await switch(False)
    assert await shop.run(network) == 0
    delivery = await shop.delivery(waiting)
    assert (delivery.state, delivery.note) == ("dead", "disabled by the seller")
    with pytest.raises(WebhookEndpointDisabled):
        await delivered.redeliver(shop.seller_id, shop.endpoint_id, waiting, clock())
    await switch(True)
    assert await shop.run(network) == 0
    await delivered.redeliver(shop.seller_id, shop.endpoint_id, waiting, clock())
    assert await shop.run(network) == 1
    assert (await shop.delivery(waiting)).state == "delivered"


async def test_a_delivery_made_while_its_endpoint_was_being_disabled_is_not_sent(
    clock: MovedClock,
) -> None:
    shop, network = await a_shop(clock), Scripted(TAKEN)
    delivery_id = await shop.happens()
    await execute(
        "UPDATE webhook_endpoints SET disabled_at = $2 WHERE id = $1", shop.endpoint_id, NOON
    )
    assert await shop.run(network) == 1
    assert network.posted == []
    assert (await shop.delivery(delivery_id)).state == "dead"
    assert await shop.told() == []


async def test_removing_an_endpoint_never_fails_what_is_being_told(
    clock: MovedClock, database_url: str
) -> None:
    """Or a seller who tidies up could undo the capture of an order."""
    shop = await a_shop(clock)
    other = await asyncpg.connect(database_url)
    try:
        removing = other.transaction()
        await removing.start()
        await other.execute("DELETE FROM webhook_endpoints WHERE id = $1", shop.endpoint_id)
        telling = asyncio.create_task(shop.happens())
        await _somebody_waits(other)
        await removing.commit()
        assert await telling is None
    finally:
        await other.close()
    published = await value(
        "SELECT count(*) FROM seller_events WHERE seller_id = $1", shop.seller_id
    )
    assert published == 1


async def _somebody_waits(connection: asyncpg.Connection) -> None:
    """Until a session is held up by this one, a minute at most."""
    for _ in range(6000):
        if await connection.fetchval(
            "SELECT EXISTS (SELECT FROM pg_stat_activity "
            "WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid)))"
        ):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nobody waits")


async def test_a_redelivery_is_the_same_event_again(
    clock: MovedClock, network: WebhookSender
) -> None:
    async with receiving(Receiver()) as receiver:
        shop = await a_shop(clock, receiver.url)
        delivery_id = await shop.happens(a=1)
        await shop.run(network)
        await delivered.redeliver(shop.seller_id, shop.endpoint_id, delivery_id, clock())
        await shop.run(network, seconds=1)
    first, again = receiver.received
    assert first["body"] == again["body"]
    assert first["headers"]["webhook-id"] == again["headers"]["webhook-id"]
    assert first["headers"]["webhook-timestamp"] != again["headers"]["webhook-timestamp"]
