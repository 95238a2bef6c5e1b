"""Catching up: what Stripe's list has and the inbox has not comes in, once, whatever dies on the way."""

import json
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from payments import event_feeds
from payments.database import execute, row, rows, value
from payments.errors import OutcomeUnknown, StripeRejected
from payments.event_catch_up import EventCatchUp, EventsMissed
from payments.event_feeds import compared, follow
from payments.event_silence import silence
from payments.inbox import EventsGivenUp, Inbox
from payments.receipt import Receipt, read_delivery
from tests.payments.conftest import Till
from tests.payments.listed_events import ListOfEvents, an_event


class Reader:
    """A till whose inbox is compared with a list in memory."""

    def __init__(self, till: Till, page_size: int = 2) -> None:
        self.till, self.clock = till, till.clock
        self.stripe = ListOfEvents(page_size)
        self.told: list[EventsMissed] = []
        self.catching = EventCatchUp(self.stripe, till.inbox, self.hear, till.clock)

    async def hear(self, fact: EventsMissed) -> None:
        self.told.append(fact)

    async def begin(self) -> None:
        """Every list is read for the first time: from now on something can be missed."""
        await self.catching.catch_up(self.clock())
        self.stripe.asked.clear()

    async def read(self, limit: int = 100, **later: float) -> int:
        self.clock.move(**later)
        return await self.catching.catch_up(self.clock(), limit)

    async def only(self, feed: str) -> None:
        """The other lists are not due for days."""
        later = self.clock() + timedelta(days=9)
        await execute(f"UPDATE event_feeds SET due_at = $1 WHERE NOT ({feed})", later)

    def happens(self, kind: str = "charge.refunded", **more: Any) -> str:
        event = an_event(kind, self.clock(), **more)
        self.stripe.add(event)
        return event.id

    async def delivered(self, event_id: str) -> None:
        (body,) = [e.body for e in self.stripe.happened[None] if e.id == event_id]
        await Receipt().keep(read_delivery("platform", body, self.clock()))


@pytest_asyncio.fixture(loop_scope="session")
async def reader(till: Till) -> Reader:
    # Append-only for the program; a test begins with none.
    await execute("ALTER TABLE missed_events DISABLE TRIGGER USER")
    for table in ("stripe_events", "event_feeds", "missed_events"):
        await execute(f"TRUNCATE {table}")
    made = Reader(till)
    await made.begin()
    return made


async def stored() -> list[str]:
    return [each["event_id"] for each in await rows("SELECT event_id FROM stripe_events")]


async def missed() -> list[str]:
    return [each["event_id"] for each in await rows("SELECT event_id FROM missed_events")]


async def test_a_lost_webhook_makes_the_order_paid_all_the_same(
    reader: Reader, till: Till, order_id: str
) -> None:
    intent = await till.open(order_id)
    till.gateway.pay(intent.intent_id)
    payment = await till.payments.find(order_id)
    assert payment is not None
    lost = reader.happens(
        "payment_intent.succeeded",
        obj={
            "id": intent.intent_id,
            "object": "payment_intent",
            "metadata": {"order_id": order_id, "payment_id": payment.id},
            "client_secret": "pi_1_secret_2",
        },
    )
    await reader.read(minutes=30)
    assert await missed() == [lost]
    found = await row("SELECT door, state, payload FROM stripe_events WHERE event_id = $1", lost)
    assert found is not None
    assert (found["door"], found["state"]) == ("platform", "due")
    assert "secret_2" not in found["payload"]
    assert await till.inbox.process_due(till.clock(), 10) == 1
    assert till.heard() == ["PaymentCaptured"]


async def test_what_was_delivered_is_not_missed(reader: Reader) -> None:
    here, lost = reader.happens(), reader.happens()
    await reader.delivered(here)
    await reader.read(minutes=30)
    assert sorted(await stored()) == sorted([here, lost])
    assert await missed() == [lost]
    assert [(fact.count, fact.feed, fact.types) for fact in reader.told] == [
        (1, "platform", ("charge.refunded",))
    ]


async def test_a_webhook_has_time_to_come_by_itself(reader: Reader) -> None:
    reader.clock.move(minutes=20)
    reader.happens()
    await reader.read(minutes=5)
    assert "platform" in reader.stripe.asked
    assert await missed() == []
    await reader.read(minutes=20)
    assert len(await missed()) == 1


async def test_an_undelivered_event_is_found_sooner(reader: Reader) -> None:
    """Stripe itself says that nobody took it: that list is read every five minutes."""
    lost = reader.happens()
    reader.stripe.undelivered.add(lost)
    await reader.read(minutes=6)
    assert await missed() == [lost]
    assert reader.told[0].feed == "undelivered"


async def test_nothing_is_found_twice(reader: Reader) -> None:
    for _ in range(7):
        reader.happens()
    for _ in range(5):
        await reader.read(minutes=16)
    assert len(await missed()) == len(await stored()) == 7
    assert sum(fact.count for fact in reader.told) == 7


async def test_events_nobody_has_use_for_are_not_stored(reader: Reader) -> None:
    reader.happens("customer.created")
    reader.happens("invoice.paid")
    await reader.read(minutes=30)
    assert await stored() == []


async def test_a_long_list_is_read_over_several_runs(reader: Reader) -> None:
    for _ in range(9):
        reader.happens()
    reader.clock.move(minutes=30)
    pages = [await reader.read(limit=1) for _ in range(8)]
    assert pages.count(1) >= 7  # five pages of the platform's list, one of each other
    assert len(await missed()) == 9


async def test_a_reader_that_dies_is_followed_by_one_that_goes_on(reader: Reader) -> None:
    for _ in range(6):
        reader.happens()
    reader.clock.move(minutes=30)
    await execute(
        "UPDATE event_feeds SET due_at = $1 WHERE id <> 'platform'",
        reader.clock() + timedelta(days=1),
    )
    await reader.read(limit=1)
    assert len(await missed()) == 2
    reader.stripe.fails.append(OutcomeUnknown("timeout"))
    await reader.read(limit=1)
    assert len(await missed()) == 2
    # Its lease is over five minutes later, and the next page is the next one.
    await reader.read(minutes=6)
    assert len(await missed()) == 6


async def test_a_page_that_stripe_forgot_is_read_again_from_the_beginning(reader: Reader) -> None:
    for _ in range(6):
        reader.happens()
    reader.clock.move(minutes=30)
    await execute(
        "UPDATE event_feeds SET due_at = $1 WHERE id <> 'platform'",
        reader.clock() + timedelta(days=1),
    )
    await reader.read(limit=1)
    reader.stripe.fails.append(StripeRejected("resource_missing"))
    await reader.read(limit=1)
    await reader.read(minutes=6)
    assert len(await missed()) == 6


async def test_the_list_of_an_account_that_left_is_tried_again_tomorrow(reader: Reader) -> None:
    await follow(["acct_gone"], reader.clock())
    reader.clock.move(minutes=30)
    await execute(
        "UPDATE event_feeds SET due_at = $1 WHERE account IS NULL",
        reader.clock() + timedelta(days=9),
    )
    reader.stripe.fails.append(StripeRejected("account_invalid"))
    await reader.read()
    reader.stripe.asked.clear()
    await reader.read(hours=23)
    assert reader.stripe.asked == []
    await reader.read(hours=2)
    assert reader.stripe.asked == ["acct_gone"]


async def test_a_connected_accounts_events_come_through_its_own_door(
    reader: Reader, till: Till
) -> None:
    async def payouts(_: Any) -> None:
        """Somebody has use for payouts."""

    till.inbox.register("payout.", payouts)
    assert await follow(["acct_1"], reader.clock()) == 1
    assert await follow(["acct_1"], reader.clock()) == 0
    paid = an_event(
        "payout.paid", reader.clock(), {"id": "po_1", "object": "payout"}, account="acct_1"
    )
    reader.stripe.add(paid, account="acct_1")
    await reader.read(minutes=30)
    found = await row(
        "SELECT account, door, object_id FROM stripe_events WHERE event_id = $1", paid.id
    )
    assert found is not None
    assert tuple(found) == ("acct_1", "connect", "po_1")


async def test_thin_events_are_read_back_to_the_window_and_no_further(
    reader: Reader, till: Till
) -> None:
    async def accounts(_: Any) -> None:
        """Somebody has use for accounts."""

    till.inbox.register("v2.core.account", accounts)
    old = [
        an_event("v2.core.account.updated", reader.clock() - timedelta(days=n), data=None)
        for n in range(2, 12)
    ]
    new = an_event(
        "v2.core.account.updated",
        reader.clock(),
        data=None,
        related_object={"id": "acct_1", "type": "v2.core.account"},
    )
    reader.stripe.thin_events = [*old, new]
    await reader.read(minutes=30)
    assert await missed() == [new.id]
    assert reader.stripe.asked.count("accounts") == 1
    found = await row("SELECT door, object_id FROM stripe_events WHERE event_id = $1", new.id)
    assert found is not None
    assert tuple(found) == ("accounts", "acct_1")


async def test_after_a_restored_backup_everything_since_comes_back(reader: Reader) -> None:
    lost = [reader.happens()]
    for _ in range(3):
        reader.clock.move(days=2)
        lost.append(reader.happens())
    # The inbox and how far it was compared are of one moment: that of the backup.
    await reader.read(minutes=30)
    assert sorted(await missed()) == sorted(lost)


async def test_what_is_older_than_stripes_list_is_said_and_not_waited_for(reader: Reader) -> None:
    reader.happens()
    reader.clock.move(days=45)
    recent = reader.happens()
    assert await event_feeds.behind(reader.clock())
    await reader.read(minutes=30)
    assert await missed() == [recent]
    assert not await event_feeds.behind(reader.clock())


async def test_how_far_each_list_was_compared_is_told(reader: Reader) -> None:
    await follow(["acct_1", "acct_2"], reader.clock())
    await reader.read(minutes=30)
    told = {each.feed: each for each in await compared()}
    assert set(told) == {"platform", "undelivered", "accounts", "connect"}
    assert told["platform"].read_at == reader.clock()
    assert told["platform"].until == reader.clock() - timedelta(minutes=15)


async def test_an_event_that_cannot_be_read_stops_none_of_the_others(reader: Reader) -> None:
    broken = reader.happens(data={"object": 7})
    lost = reader.happens()
    await reader.read(minutes=30)
    assert await missed() == [lost]
    assert broken not in await stored()


async def test_events_given_up_are_told_once(till: Till) -> None:
    told: list[EventsGivenUp] = []

    async def hear(fact: EventsGivenUp) -> None:
        told.append(fact)

    async def poison(_: Any) -> None:
        raise ZeroDivisionError

    await execute("TRUNCATE stripe_events")
    inbox = Inbox(till.payments, live=False, clock=till.clock, announce=hear)
    inbox.register("poison.", poison)
    event = an_event("poison.pill", till.clock())
    await Receipt().keep(read_delivery("platform", event.body, till.clock()))
    await inbox.process_due(till.clock(), 10)
    assert told == []
    till.clock.move(hours=73)
    await inbox.process_due(till.clock(), 10)
    assert [(fact.event_ids, fact.note) for fact in told] == [((event.id,), "ZeroDivisionError")]
    assert await value("SELECT state FROM stripe_events") == "dead"


class TestSilence:
    """Money moved, and nobody told us."""

    @pytest.fixture(autouse=True)
    async def _empty(self) -> None:
        for table in ("missed_events", "postings", "paper_fee_lines"):
            await execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        await execute("TRUNCATE stripe_events, missed_events, attempts, postings, paper_fee_lines")

    async def test_a_quiet_shop_is_not_a_silent_stripe(self, till: Till) -> None:
        assert not (await silence(till.clock())).silent

    async def test_a_payment_that_nobody_told_of_is_a_silence_after_an_hour(
        self, till: Till, order_id: str
    ) -> None:
        await till.paid(order_id)
        assert not (await silence(till.clock())).silent
        till.clock.move(minutes=61)
        assert (await silence(till.clock())).silent

    async def test_a_delivered_event_ends_it_and_a_found_one_does_not(
        self, till: Till, order_id: str
    ) -> None:
        await till.paid(order_id)
        till.clock.move(minutes=61)
        found = an_event("charge.updated", till.clock())
        await Receipt().keep(read_delivery("platform", found.body, till.clock()))
        await execute(
            "INSERT INTO missed_events (event_id, door, type, happened_at, found_at) "
            "VALUES ($1, 'platform', 'charge.updated', $2, $2)",
            found.id,
            till.clock(),
        )
        assert (await silence(till.clock())).silent
        told = an_event("charge.updated", till.clock())
        await Receipt().keep(read_delivery("platform", told.body, till.clock()))
        assert not (await silence(till.clock())).silent


def test_an_event_in_the_list_is_what_a_webhook_brings() -> None:
    """The double is honest: what it lists is an event of Stripe's shape."""
    listed = an_event("charge.refunded", Till().clock())
    assert json.loads(listed.body)["id"] == listed.id
