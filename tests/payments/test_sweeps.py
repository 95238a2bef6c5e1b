"""Sweeps over what was left open: one row that cannot be settled never holds up the others."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from payments.database import execute, row
from payments.errors import NotSent, OutcomeUnknown
from payments.events import PaymentEvent
from payments.ids import new_id
from payments.operations import LEASE_SECONDS
from tests.payments.conftest import Till


class FactRefused(Exception):
    """The order above cannot follow a fact: a class that payments does not know."""


class PickyTill(Till):
    """A till whose orders refuse every fact about some of them."""

    def __init__(self) -> None:
        self.refused: set[str] = set()
        super().__init__()

    async def hear(self, event: PaymentEvent) -> None:
        if event.order_id in self.refused:
            raise FactRefused(event.order_id)
        await super().hear(event)


@pytest_asyncio.fixture(loop_scope="session")
async def till() -> AsyncIterator[PickyTill]:
    yield PickyTill()
    # What is left open here is not the next test's.
    await execute(
        "UPDATE operations SET state = 'rejected', concluded_at = now(), due_at = NULL "
        "WHERE concluded_at IS NULL"
    )
    await execute(
        "UPDATE payments SET checked_at = checked_at + interval '1 year', recheck_at = NULL"
    )


async def _lost_captures(till: PickyTill, count: int) -> list[str]:
    """Orders whose capture was carried out at Stripe and whose answer got lost."""
    orders = [new_id("ord") for _ in range(count)]
    for order_id in orders:
        intent = await till.open(order_id, capture_method="manual")
        till.gateway.pay(intent.intent_id)
        await till.payments.refresh(order_id)
        till.gateway.lose_answer_after()
        with pytest.raises(OutcomeUnknown):
            await till.capture(order_id)
    return orders


async def _captured(till: PickyTill, order_id: str) -> bool:
    payment = await till.payments.find(order_id)
    assert payment is not None
    return payment.status == "succeeded"


async def test_an_operation_that_cannot_be_taken_in_does_not_hold_up_the_next(
    till: PickyTill,
) -> None:
    poisoned, healthy = await _lost_captures(till, 2)
    till.refused.add(poisoned)
    assert await till.operations.resume_due(till.clock.move(seconds=10), 10) == 2
    assert await _captured(till, healthy)
    assert not await _captured(till, poisoned)


async def test_what_cannot_be_taken_in_is_asked_for_ever_more_rarely_and_not_given_up(
    till: PickyTill,
) -> None:
    [order_id] = await _lost_captures(till, 1)
    till.refused.add(order_id)
    tries = 0
    for _ in range(120):
        tries += await till.operations.resume_due(till.clock.move(seconds=LEASE_SECONDS), 10)
    assert 5 < tries < 15
    left = await row(
        "SELECT state, error_code FROM operations WHERE order_id = $1 AND kind = 'capture_intent'",
        order_id,
    )
    assert left is not None
    assert tuple(left) == ("unknown", "FactRefused")
    till.refused.clear()
    await till.operations.resume_due(till.clock.move(minutes=20), 10)
    assert await _captured(till, order_id)


async def test_a_payment_that_cannot_be_absorbed_does_not_hold_up_the_others(
    till: PickyTill,
) -> None:
    orders = [new_id("ord") for _ in range(5)]
    for order_id in orders:
        till.gateway.pay((await till.open(order_id)).intent_id)
    till.refused.update(orders[:2])
    assert await till.payments.refresh_due(till.clock.move(minutes=2), 50) == 5
    assert [await _captured(till, order_id) for order_id in orders] == [False] * 2 + [True] * 3


async def test_nobody_is_handed_what_another_process_has_given_up(till: PickyTill) -> None:
    """A process whose clock is a day ahead reads back what was not even sent."""
    order_id = new_id("ord")
    operation_id = await till.plan(order_id)
    ahead = Till()
    assert await ahead.operations.resume_due(ahead.clock.move(hours=24), 50) == 1
    with pytest.raises(NotSent):
        await till.payments.open_intent(order_id, operation_id)
    again = await till.open(order_id, generation=2)
    payment = await till.payments.find_live(order_id)
    assert payment is not None
    assert (payment.generation, payment.intent_id) == (2, again.intent_id)


async def test_an_operation_that_stays_open_rings_the_alarm_after_half_an_hour(
    till: PickyTill,
) -> None:
    till.gateway.lose_answer_before(times=100)
    await till.plan(new_id("ord"))
    began = till.clock()
    with capture_logs() as logs:
        for _ in range(400):
            await till.operations.resume_due(till.clock.move(seconds=15), 10)
            if any(line.get("alarm") for line in logs):
                break
    assert timedelta(minutes=10) < till.clock() - began < timedelta(hours=1)
