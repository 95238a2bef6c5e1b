"""Gauges: what a monitor reads, from whoever asks, a few seconds old at most."""

from datetime import timedelta

import pytest
from litestar import Litestar

from marketplace.api.metrics import exposed
from marketplace.oversight.gauges import Gauge
from marketplace.readiness import stripe_silence
from payments.database import execute
from tests.api.harness import client_of
from tests.clocks import MovedClock


@pytest.fixture(autouse=True)
async def _empty(app: Litestar, clock: MovedClock) -> None:
    await execute("TRUNCATE stripe_events")
    clock.move(seconds=10)


async def read(app: Litestar) -> dict[str, float]:
    answer = await client_of(app).get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


async def due(clock: MovedClock, count: int, **late: float) -> None:
    await execute(
        "INSERT INTO stripe_events (event_id, door, type, livemode, payload, state, attempts, due_at, "
        "received_at) SELECT 'evt_' || n, 'platform', 'charge.updated', false, '{}', 'due', 0, $1, $1 "
        "FROM generate_series(1, $2::integer) AS n",
        clock() - timedelta(**late),
        count,
    )


async def test_an_idle_program_has_nothing_due(app: Litestar) -> None:
    told = await read(app)
    assert told['marketplace_events{state="due"}'] == 0
    assert told['marketplace_operations_open{state="unknown"}'] == 0
    assert told["marketplace_event_overdue_seconds"] == 0
    assert told["marketplace_stripe_silent"] == 0
    assert told["marketplace_switches_off"] == 0


async def test_what_is_due_is_counted_with_how_late_it_is(app: Litestar, clock: MovedClock) -> None:
    await due(clock, 3, minutes=2)
    told = await read(app)
    assert told['marketplace_events{state="due"}'] == 3
    assert told["marketplace_event_overdue_seconds"] == 120
    assert told["marketplace_last_event_seconds"] == 120


async def test_a_reading_is_shared_for_a_few_seconds(app: Litestar, clock: MovedClock) -> None:
    assert (await read(app))['marketplace_events{state="due"}'] == 0
    await due(clock, 2)
    clock.move(seconds=4)
    assert (await read(app))['marketplace_events{state="due"}'] == 0
    clock.move(seconds=2)
    assert (await read(app))['marketplace_events{state="due"}'] == 2


async def test_the_doctor_hears_a_silence_too(app: Litestar, database_url: str) -> None:
    assert await stripe_silence(database_url) == (None, False)
    await execute("ALTER TABLE attempts DROP CONSTRAINT attempts_payment_id_exists")
    await execute(
        "INSERT INTO attempts (id, payment_id, order_id, reference, outcome, occurred_at) "
        "VALUES ('att_1', 'pay_1', 'ord_1', 'ch_1', 'captured', now() - interval '2 hours')"
    )
    assert await stripe_silence(database_url) == (None, True)
    await execute("DELETE FROM attempts")


async def test_the_doctor_says_nothing_before_migrations(empty_database_url: str) -> None:
    assert await stripe_silence(empty_database_url) is None


def test_each_name_is_explained_once() -> None:
    text = exposed(
        [
            Gauge(name="a", means="Some", value=1, labels=(("state", "due"),)),
            Gauge(name="a", means="Some", value=1234567, labels=(("state", "dead"),)),
            Gauge(name="b", means="Other", value=0.5),
        ]
    )
    assert text == (
        "# HELP a Some\n# TYPE a gauge\n"
        'a{state="due"} 1\na{state="dead"} 1234567\n'
        "# HELP b Other\n# TYPE b gauge\nb 0.5\n"
    )
