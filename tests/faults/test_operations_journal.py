"""The journal of operations: three steps, four outcomes, and the sweep that finishes what was begun."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from payments.asking import KEY_LIFETIME
from payments.database import engine, execute, in_transaction, row, transaction
from payments.errors import NotSent, OutcomeUnknown, RequestReused, StripeRejected
from payments.gateway import Draft
from payments.ids import IdempotencyKey, OperationId, new_id
from payments.journal import Operation
from payments.operations import LEASE_SECONDS, Operations
from tests.clocks import MovedClock


class Wish(Draft, frozen=True, kw_only=True):
    """A request of no particular kind."""

    operation_id: OperationId
    amount: int


class Performer:
    """Answers as told, and remembers what it was asked."""

    draft_type = Wish

    def __init__(self) -> None:
        self.sent: list[tuple[str, Wish]] = []
        self.found: list[Wish] = []
        self.absorbed: list[Any] = []
        self.refused: list[StripeRejected] = []
        self.answer: Callable[[], Any] = lambda: "done_1"
        self.at_stripe: str | None = None
        self.pause: asyncio.Event | None = None
        self.reached = asyncio.Event()
        self.open_transactions_seen: list[bool] = []

    async def send(self, draft: Wish, key: IdempotencyKey) -> Any:
        self.open_transactions_seen.append(in_transaction())
        self.sent.append((key, draft))
        self.reached.set()
        if self.pause is not None:
            await self.pause.wait()
        return self.answer()

    async def find(self, draft: Wish) -> Any:
        self.found.append(draft)
        return self.at_stripe

    async def succeeded(self, operation: Operation, draft: Wish, result: Any) -> str:
        assert in_transaction()
        self.absorbed.append(result)
        return str(result)

    async def rejected(self, operation: Operation, draft: Wish, rejection: StripeRejected) -> None:
        assert in_transaction()
        self.refused.append(rejection)


class Desk:
    """The journal under test with its performer and a clock to move."""

    def __init__(self) -> None:
        self.clock = MovedClock()
        self.performer = Performer()
        self.operations = Operations(self.clock)
        self.operations.register("wish", self.performer)

    async def plan(self, *, key: str, amount: int = 5) -> OperationId:
        operation_id = OperationId(new_id("op"))
        async with transaction():
            return await self.operations.plan(
                kind="wish",
                subject="sub_1",
                order_id=None,
                key=IdempotencyKey(key),
                draft=Wish(operation_id=operation_id, amount=amount),
                operation_id=operation_id,
                now=self.clock(),
            )

    async def state(self, operation_id: OperationId) -> str:
        return (await self.operations.require(operation_id)).state


@pytest_asyncio.fixture(loop_scope="session", scope="module", autouse=True)
async def started(database_url: str) -> AsyncIterator[None]:
    await engine().start(database_url, pool_size=10)
    yield
    await engine().stop()


@pytest_asyncio.fixture(loop_scope="session")
async def desk() -> AsyncIterator[Desk]:
    yield Desk()
    await execute("DELETE FROM operations")


def _raises(error: Exception) -> Callable[[], Any]:
    def answer() -> Any:
        raise error

    return answer


async def test_what_is_asked_is_written_down_before_it_is_asked(desk: Desk) -> None:
    operation_id = await desk.plan(key="k")
    assert (await desk.state(operation_id), desk.performer.sent) == ("planned", [])
    await desk.operations.carry_out(operation_id)
    assert await desk.state(operation_id) == "succeeded"
    assert desk.performer.open_transactions_seen == [False]
    assert [key for key, _ in desk.performer.sent] == ["k"]


async def test_the_same_request_again_is_the_same_operation(desk: Desk) -> None:
    first = await desk.plan(key="k")
    assert await desk.plan(key="k") == first
    with pytest.raises(RequestReused):
        await desk.plan(key="k", amount=6)


async def test_a_concluded_operation_is_not_sent_again(desk: Desk) -> None:
    operation_id = await desk.plan(key="k")
    assert await desk.operations.carry_out(operation_id) == "done_1"
    assert await desk.operations.carry_out(operation_id) is None
    assert len(desk.performer.sent) == 1


async def test_a_definite_no_concludes_and_is_told_again(desk: Desk) -> None:
    desk.performer.answer = _raises(StripeRejected("charge_already_captured"))
    operation_id = await desk.plan(key="k")
    for _ in range(2):
        with pytest.raises(StripeRejected, match="charge_already_captured"):
            await desk.operations.carry_out(operation_id)
    assert await desk.state(operation_id) == "rejected"
    assert len(desk.performer.sent) == 1


@pytest.mark.parametrize(
    ("error", "state"), [(NotSent("429"), "not_sent"), (OutcomeUnknown("timeout"), "unknown")]
)
async def test_silence_is_no_verdict_and_the_sweep_repeats_the_same_key(
    desk: Desk, error: Exception, state: str
) -> None:
    desk.performer.answer = _raises(error)
    operation_id = await desk.plan(key="k")
    with pytest.raises(type(error)):
        await desk.operations.carry_out(operation_id)
    assert await desk.state(operation_id) == state
    assert await desk.operations.resume_due(desk.clock(), 10) == 0, "not due yet"

    desk.performer.answer = lambda: "done_1"
    assert await desk.operations.resume_due(desk.clock.move(seconds=5), 10) == 1
    assert await desk.state(operation_id) == "succeeded"
    assert [key for key, _ in desk.performer.sent] == ["k", "k"]
    assert desk.performer.sent[0][1] == desk.performer.sent[1][1], "frozen parameters"


async def test_a_process_that_died_after_planning_is_finished_by_the_sweep(desk: Desk) -> None:
    operation_id = await desk.plan(key="k")
    assert await desk.operations.resume_due(desk.clock(), 10) == 0, "its own process comes first"
    assert await desk.operations.resume_due(desk.clock.move(seconds=LEASE_SECONDS), 10) == 1
    assert await desk.state(operation_id) == "succeeded"


async def test_a_process_that_died_while_sending_is_finished_under_the_same_key(desk: Desk) -> None:
    operation_id = await desk.plan(key="k")
    desk.performer.pause = asyncio.Event()
    dying = asyncio.create_task(desk.operations.carry_out(operation_id))
    await desk.performer.reached.wait()
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    assert await desk.state(operation_id) == "planned", (
        "as it was born: leased to the process that died"
    )

    desk.performer.pause = None
    assert await desk.operations.resume_due(desk.clock.move(seconds=1), 10) == 0, "leased"
    assert await desk.operations.resume_due(desk.clock.move(seconds=LEASE_SECONDS), 10) == 1
    assert await desk.state(operation_id) == "succeeded"
    assert {key for key, _ in desk.performer.sent} == {"k"}


async def test_a_crash_before_the_third_step_is_made_good_by_the_same_answer(desk: Desk) -> None:
    class Crash(Exception):
        pass

    async def crash(operation: Operation, draft: Wish, result: Any) -> str:
        raise Crash

    healthy = desk.performer.succeeded
    desk.performer.succeeded = crash  # type: ignore[method-assign]
    operation_id = await desk.plan(key="k")
    with pytest.raises(Crash):
        await desk.operations.carry_out(operation_id)
    assert (await desk.state(operation_id), desk.performer.absorbed) == ("unknown", [])

    desk.performer.succeeded = healthy  # type: ignore[method-assign]
    await desk.operations.resume_due(desk.clock.move(seconds=LEASE_SECONDS), 10)
    assert (await desk.state(operation_id), desk.performer.absorbed) == ("succeeded", ["done_1"])


async def test_past_the_keys_lifetime_nothing_is_sent_only_read(desk: Desk) -> None:
    desk.performer.answer = _raises(OutcomeUnknown("timeout"))
    operation_id = await desk.plan(key="k")
    with pytest.raises(OutcomeUnknown):
        await desk.operations.carry_out(operation_id)
    desk.performer.at_stripe = "found_1"
    desk.clock.moment += KEY_LIFETIME + timedelta(minutes=1)
    await desk.operations.resume_due(desk.clock(), 10)
    assert len(desk.performer.sent) == 1
    assert (await desk.state(operation_id), desk.performer.absorbed) == ("succeeded", ["found_1"])


async def test_a_stored_500_is_read_back_and_what_is_absent_is_a_no_only_after_a_while(
    desk: Desk,
) -> None:
    desk.performer.answer = _raises(OutcomeUnknown("500", replayed=True))
    operation_id = await desk.plan(key="k")
    with pytest.raises(OutcomeUnknown):
        await desk.operations.carry_out(operation_id)
    assert await desk.state(operation_id) == "unknown", "it may still become visible"
    await desk.operations.resume_due(desk.clock.move(minutes=2), 10)
    assert await desk.state(operation_id) == "rejected"
    assert [one.code for one in desk.performer.refused] == ["no_effect"]


async def test_a_stored_500_whose_object_exists_is_adopted(desk: Desk) -> None:
    desk.performer.answer = _raises(OutcomeUnknown("500", replayed=True))
    desk.performer.at_stripe = "found_1"
    operation_id = await desk.plan(key="k")
    assert await desk.operations.carry_out(operation_id) == "found_1"
    assert await desk.state(operation_id) == "succeeded"


async def test_a_hundred_callers_of_one_operation_send_it_once(desk: Desk) -> None:
    operation_id = await desk.plan(key="k")
    answers = await asyncio.gather(*[desk.operations.carry_out(operation_id) for _ in range(100)])
    assert len(desk.performer.sent) == 1
    assert answers.count("done_1") == 1
    assert answers.count(None) == 99


async def test_two_sweeps_at_once_share_the_work(desk: Desk) -> None:
    for number in range(20):
        await desk.plan(key=f"k{number}")
    now = desk.clock.move(seconds=LEASE_SECONDS)
    tried = await asyncio.gather(*[desk.operations.resume_due(now, 20) for _ in range(3)])
    assert sum(tried) == 20
    assert len(desk.performer.sent) == 20


async def test_the_database_refuses_to_change_what_was_asked(desk: Desk) -> None:
    operation_id = await desk.plan(key="k")
    with pytest.raises(Exception, match="frozen"):
        await execute("UPDATE operations SET parameters = '{}' WHERE id = $1", operation_id)
    found = await row("SELECT parameters FROM operations WHERE id = $1", operation_id)
    assert found is not None
    assert found["parameters"] != "{}"
