"""The outbox is emptied: at least once, by whoever is there, and what cannot be sent rings an alarm."""

import asyncio
from collections.abc import Sequence

import asyncpg
import pytest
import structlog

from marketplace.messages import outbox
from marketplace.messages.mails import Envelope
from marketplace.messages.post import SENT, Outcome
from marketplace.messages.sending import LEASE, Sending
from payments.database import execute, row, transaction
from payments.ids import new_id
from tests.clocks import MovedClock
from tests.orders.shop import NOON, account

pytestmark = pytest.mark.usefixtures("database")


class Died(Exception):
    """The process is gone."""


class Postman:
    """Keeps what he was given and says what became of it."""

    def __init__(self, outcome: Outcome = SENT) -> None:
        self.outcome = outcome
        self.given: list[Envelope] = []

    async def deliver(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        self.given += envelopes
        await asyncio.sleep(0)
        return [self.outcome for _ in envelopes]


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock(NOON)


def sending(postman: Postman, clock: MovedClock) -> Sending:
    return Sending(postman, pages_url="https://market.example", clock=clock)


async def a_message(clock: MovedClock, kind: str = "account_ready", **facts: object) -> str:
    """Tell somebody something; answers the cause, which nothing else has."""
    await execute("DELETE FROM messages")
    person, cause = await account(), new_id("cause")
    async with transaction():
        await outbox.tell(
            kind=kind,  # type: ignore[arg-type]
            account_id=person,
            subject_id="sel_1",
            cause=cause,
            facts={"seller_id": "sel_1"} | facts,
            now=clock(),
        )
    return cause


async def stored(cause: str) -> asyncpg.Record:
    found = await row("SELECT * FROM messages WHERE cause = $1", cause)
    assert found is not None
    return found


async def test_a_due_message_is_sent_once(clock: MovedClock) -> None:
    cause, postman = await a_message(clock), Postman()
    assert await sending(postman, clock).send_due(clock()) == 1
    assert await sending(postman, clock).send_due(clock()) == 0
    (given,) = postman.given
    message = await stored(cause)
    assert (message["state"], message["due_at"], message["concluded_at"]) == ("sent", None, NOON)
    assert given.message_id == message["id"]
    assert given.address == f"{message['account_id']}@example.com"
    assert given.letter.subject == "Your account is ready to be paid"


async def test_two_workers_never_send_the_same(clock: MovedClock) -> None:
    await a_message(clock)
    postman = Postman()
    found = await asyncio.gather(*(sending(postman, clock).send_due(clock()) for _ in range(5)))
    assert sum(found) == len(postman.given) == 1


async def test_a_worker_that_died_is_followed_by_another_with_the_same_message_id(
    clock: MovedClock,
) -> None:
    class Dying(Postman):
        async def deliver(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
            await super().deliver(envelopes)
            raise Died

    cause, dying, postman = await a_message(clock), Dying(), Postman()
    with pytest.raises(Died):
        await sending(dying, clock).send_due(clock())
    assert await sending(postman, clock).send_due(clock()) == 0
    clock.move(seconds=LEASE.total_seconds())
    assert await sending(postman, clock).send_due(clock()) == 1
    assert postman.given[0].message_id == dying.given[0].message_id
    assert (await stored(cause))["state"] == "sent"


async def test_a_letter_that_cannot_be_sent_waits_longer_each_time_and_ends_with_an_alarm(
    clock: MovedClock,
) -> None:
    cause, postman = await a_message(clock), Postman(Outcome("later", "ConnectionRefusedError"))
    pauses = []
    with structlog.testing.capture_logs() as logs:
        while (message := await stored(cause))["state"] == "due":
            pauses.append((message["due_at"] - clock()).total_seconds())
            clock.move(seconds=pauses[-1])
            await sending(postman, clock).send_due(clock())
    assert pauses[:4] == [0, 30, 60, 120]
    assert max(pauses) == 3600
    assert 72 * 3600 <= sum(pauses) <= 74 * 3600
    assert message["state"] == "dead"
    alarms = [one for one in logs if one.get("alarm")]
    assert [one["event"] for one in alarms] == ["message given up"]
    assert "@example.com" not in str(logs)


async def test_an_address_that_does_not_exist_is_given_up_at_once(clock: MovedClock) -> None:
    cause = await a_message(clock)
    await sending(Postman(Outcome("refused", "550 no such mailbox")), clock).send_due(clock())
    message = await stored(cause)
    assert (message["state"], message["note"]) == ("dead", "550 no such mailbox")


async def test_who_has_left_is_not_written_to(clock: MovedClock) -> None:
    cause, postman = await a_message(clock), Postman()
    await execute(
        "UPDATE accounts SET disabled_at = $2 WHERE id = $1",
        (await stored(cause))["account_id"],
        NOON,
    )
    assert await sending(postman, clock).send_due(clock()) == 1
    assert postman.given == []
    assert (await stored(cause))["state"] == "dead"


@pytest.mark.parametrize(
    ("kind", "facts"),
    [("payout_failed", {}), ("no_such_kind", {}), ("requirements_due", {"deadline_at": "soon"})],
)
async def test_a_message_without_a_text_holds_nobody_up(
    clock: MovedClock, kind: str, facts: dict[str, object]
) -> None:
    cause = await a_message(clock, kind, **facts)
    person = await account()
    async with transaction():
        await outbox.tell(
            kind="account_ready",
            account_id=person,
            subject_id="sel_1",
            cause=new_id("cause"),
            facts={"seller_id": "sel_1"},
            now=clock(),
        )
    postman = Postman()
    with structlog.testing.capture_logs() as logs:
        assert await sending(postman, clock).send_due(clock()) == 2
    assert [one.address for one in postman.given] == [f"{person}@example.com"]
    assert (await stored(cause))["state"] == "dead"
    assert [one["event"] for one in logs if one.get("alarm")] == ["message has no text"]
