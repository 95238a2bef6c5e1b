"""Alive and ready are two questions."""

from litestar import Litestar

from marketplace.api.application import build
from marketplace.composition import compose
from payments.database import engine, execute
from tests.api.harness import client_of, serving, settings_for


async def test_a_process_that_answers_is_alive(app: Litestar) -> None:
    answer = await client_of(app).get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "live"})


async def test_ready_means_the_database_answers_and_is_migrated(app: Litestar) -> None:
    answer = await client_of(app).get("/health/ready")
    told = answer.json()
    assert (answer.status_code, told["status"]) == (200, "ready")
    assert told["database"]["status"] == "ok"
    assert told["database"]["round_trip_ms"] > 0
    assert told["migrations"] == {"status": "ok", "pending": []}


async def test_a_missing_migration_is_named(app: Litestar) -> None:
    newest = "(SELECT max(name) FROM migration)"
    await execute(f"UPDATE migration SET app_name = 'elsewhere' WHERE name = {newest}")
    answer = await client_of(app).get("/health/ready")
    await execute("UPDATE migration SET app_name = 'marketplace'")
    assert (answer.status_code, answer.json()["status"]) == (503, "not_ready")
    assert len(answer.json()["migrations"]["pending"]) == 1


async def test_an_empty_database_is_not_ready(empty_database_url: str) -> None:
    composition = compose(settings_for(empty_database_url))
    services = composition.services
    app = build(services, services.settings, [], lifespan=[lambda _: composition.running()])
    pool, engine().pool = engine().pool, None  # the module's application keeps its own
    try:
        async with serving(app):
            answer = await client_of(app).get("/health/ready")
            assert answer.status_code == 503
            assert answer.json()["migrations"]["status"] == "pending"
            assert (await client_of(app).get("/health/live")).status_code == 200
    finally:
        engine().pool = pool


async def test_without_a_database_nothing_is_ready_but_the_process_lives(app: Litestar) -> None:
    pool, engine().pool = engine().pool, None
    try:
        answer = await client_of(app).get("/health/ready")
        assert (answer.status_code, answer.json()["database"]["status"]) == (503, "unavailable")
        assert (await client_of(app).get("/health/live")).status_code == 200
        asked = await client_of(app, cookie="__Host-session=x").get("/v1/me")
        assert (asked.status_code, asked.json()["code"]) == (503, "database_unavailable")
    finally:
        engine().pool = pool
