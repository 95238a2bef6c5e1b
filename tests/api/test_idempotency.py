"""A POST with an Idempotency-Key is done once, and its first answer is given again."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest
from litestar import Litestar

from marketplace.api.idempotency import sweep
from payments.database import execute, value
from tests.api.harness import Browser, a_person, client_of
from tests.api.practice import DONE, GATE
from tests.clocks import MovedClock

DRAFT = {"title": "A draft", "amount": 500}


@pytest.fixture(autouse=True)
def nothing_done() -> Iterator[None]:
    DONE.clear()
    yield
    GATE.clear()


async def test_the_same_request_is_answered_as_the_first_time(app: Litestar) -> None:
    person = await a_person(app, "same@example.com")
    first = await person.post("/practice/drafts", DRAFT, key="draft-1")
    again = await person.post("/practice/drafts", DRAFT, key="draft-1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert first.headers["content-type"] == again.headers["content-type"]
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert first.headers["x-request-id"] != again.headers["x-request-id"]
    assert DONE == ["A draft"]


async def test_the_use_case_is_told_the_key(app: Litestar) -> None:
    person = await a_person(app, "told@example.com")
    assert (await person.post("/practice/orders", DRAFT, key="k~!9")).json()["key"] == "k~!9"
    assert (await person.post("/practice/drafts", DRAFT)).json()["key"] is None


async def test_without_a_key_every_request_is_its_own(app: Litestar) -> None:
    person = await a_person(app, "own@example.com")
    for _ in range(2):
        assert (await person.post("/practice/drafts", DRAFT)).status_code == 201
    assert len(DONE) == 2


async def test_a_key_is_for_one_request_only(app: Litestar) -> None:
    person = await a_person(app, "reuse@example.com")
    await person.post("/practice/drafts", DRAFT, key="once")
    for path, body in (
        ("/practice/drafts", DRAFT | {"amount": 501}),
        ("/practice/orders", DRAFT),
    ):
        answer = await person.post(path, body, key="once")
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert len(DONE) == 1


async def test_two_people_s_keys_are_not_the_same(app: Litestar) -> None:
    ada = await a_person(app, "ada@example.com")
    bob = await a_person(app, "bob@example.com")
    await ada.post("/practice/drafts", DRAFT, key="shared")
    answer = await bob.post("/practice/drafts", DRAFT, key="shared")
    assert "idempotent-replayed" not in answer.headers
    assert len(DONE) == 2


async def test_where_a_repeat_would_do_harm_a_key_is_required(app: Litestar) -> None:
    person = await a_person(app, "required@example.com")
    answer = await person.post("/practice/orders", DRAFT)
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_required")
    assert DONE == []


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "tab\tkey", "caf\xe9"])
async def test_a_key_is_visible_ascii(app: Litestar, key: str) -> None:
    person = await a_person(app, "shape@example.com")
    answer = await person.http.post(
        "/practice/drafts", json=DRAFT, headers={b"Idempotency-Key": key.encode("latin-1")}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_malformed")
    assert DONE == []


async def test_two_keys_are_none(app: Litestar) -> None:
    person = await a_person(app, "two@example.com")
    headers = [("Idempotency-Key", "one"), ("Idempotency-Key", "two")]
    headers += [(name, person.http.headers[name]) for name in ("X-CSRF-Token", "Origin")]
    answer = await person.http.post("/practice/drafts", json=DRAFT, headers=headers)
    assert answer.json()["code"] == "idempotency_key_malformed"


async def test_while_the_first_is_worked_on_others_wait(app: Litestar) -> None:
    person = await a_person(app, "parallel@example.com")
    posts = [
        asyncio.create_task(person.post("/practice/slow", DRAFT, key="slow")) for _ in range(8)
    ]
    working = set(posts)
    async with asyncio.timeout(60):
        while len(working) > 1:
            _, working = await asyncio.wait(working, return_when=asyncio.FIRST_COMPLETED)
    assert DONE == []
    GATE.set()
    answers = [await post for post in posts]
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    [refused, *_] = [answer for answer in answers if answer.status_code == 409]
    assert refused.json()["code"] == "request_in_progress"
    assert refused.headers["retry-after"] == "1"
    assert len(DONE) == 1
    later = await person.post("/practice/slow", DRAFT, key="slow")
    assert later.headers["idempotent-replayed"] == "true"
    assert len(DONE) == 1


async def test_a_request_whose_process_died_is_taken_over_after_a_minute(
    app: Litestar, clock: MovedClock
) -> None:
    person = await a_person(app, "died@example.com")
    await person.post("/practice/drafts", DRAFT, key="lost")
    await execute(
        "UPDATE idempotent_requests SET status_code = NULL, content_type = NULL, answer = NULL,"
        " concluded_at = NULL WHERE key = 'lost'"
    )
    assert (await person.post("/practice/drafts", DRAFT, key="lost")).status_code == 409
    clock.move(seconds=61)
    posts = [person.post("/practice/drafts", DRAFT, key="lost") for _ in range(5)]
    answers = await asyncio.gather(*posts)
    assert len(DONE) == 2
    assert {answer.status_code for answer in answers} <= {201, 409}
    replayed = await person.post("/practice/drafts", DRAFT, key="lost")
    assert replayed.json()["count"] == 2
    assert replayed.headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize("name", ["bug", "busy", "deadlock", "away", "constraint"])
async def test_what_had_no_outcome_may_be_tried_again_at_once(app: Litestar, name: str) -> None:
    person = await a_person(app, "again@example.com")
    for _ in range(2):
        answer = await person.post(f"/practice/errors/{name}", key=f"fails-{name}")
        assert answer.status_code >= 500
        assert "idempotent-replayed" not in answer.headers
    assert len(DONE) == 2


async def test_a_definite_no_is_an_outcome(app: Litestar) -> None:
    person = await a_person(app, "definite@example.com")
    answers = [await person.post("/practice/errors/declined", key="declined") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [402, 402]
    assert answers[0].content == answers[1].content
    assert answers[1].headers["content-type"] == "application/problem+json"
    assert len(DONE) == 1


async def test_a_malformed_request_does_not_use_up_its_key(app: Litestar) -> None:
    person = await a_person(app, "mended@example.com")
    bad = await person.post("/practice/drafts", DRAFT | {"amount": -1}, key="mended")
    good = await person.post("/practice/drafts", DRAFT, key="mended")
    assert (bad.status_code, good.status_code) == (400, 201)


async def test_a_replay_needs_the_same_rights(app: Litestar) -> None:
    person = await a_person(app, "rights@example.com")
    await person.post("/practice/drafts", DRAFT, key="rights")
    weak = client_of(app, authorization=f"Bearer {await person.api_key('orders:read')}")
    answer = await weak.post("/practice/drafts", json=DRAFT, headers={"Idempotency-Key": "rights"})
    assert answer.status_code == 403


async def test_a_sign_in_is_never_replayed(browser: Browser) -> None:
    await browser.sign_up("signin@example.com")
    body = {"email": "signin@example.com", "password": "seven-otters-sing-at-dawn"}
    cookies = set()
    for _ in range(2):
        answer = await browser.post("/v1/sessions", body, key="sign-in")
        cookies.add(answer.headers["set-cookie"])
    assert len(cookies) == 2
    assert await value("SELECT count(*) FROM idempotent_requests WHERE key = 'sign-in'") == 0


async def test_keys_are_forgotten_after_three_days(app: Litestar, clock: MovedClock) -> None:
    person = await a_person(app, "old@example.com")
    await person.post("/practice/drafts", DRAFT, key="old")
    asked = clock()
    assert await sweep(asked + timedelta(hours=71), 1000) == 0
    assert await sweep(asked + timedelta(hours=73), 1) == 1
    assert await sweep(asked + timedelta(hours=73), 1000) > 0
    assert await value("SELECT count(*) FROM idempotent_requests") == 0
