"""Forgotten passwords and unproved addresses: a mailed link opens one thing, once, and tells nobody else."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest_asyncio
from litestar import Litestar

from marketplace.app import app_of
from marketplace.composition import Composition, compose
from marketplace.messages.mails import Envelope
from marketplace.messages.post import Outcome
from marketplace.messages.sending import Sending
from marketplace.people import mailed_links
from marketplace.people.limits import Limit, sign_in_bucket, take
from payments.database import execute, rows, value
from tests.api.harness import ADDRESS, PASSWORD, Browser, client_of, serving, settings_for
from tests.clocks import MovedClock
from tests.mailbox import mails_to, text_of, tokens_to

NEW = "eight-herons-dance-at-dusk"
OVER = (422, "link_over")
CLOCK = MovedClock()


class World:
    """The program, its clock, and the mails that its worker has written."""

    def __init__(self, app: Litestar, composition: Composition) -> None:
        self.app, self.services = app, composition.services

    async def post(self, path: str, body: Any, *, ip: str = "192.0.2.7") -> httpx.Response:
        """A request of somebody who is not signed in."""
        return await client_of(self.app, ip=ip).post(path, json=body)

    async def forgets(self, email: str) -> str:
        """Asks for a link and finds it in the mailbox; answers what it carries."""
        CLOCK.move(seconds=1)  # Of two links of one moment nobody could say which is newer.
        assert (await self.post("/v1/password-resets", {"email": email})).status_code == 202
        return (await self.tokens(email, "password_reset_asked"))[-1]

    async def chooses(self, token: str, password: str = NEW) -> tuple[int, str]:
        """Status and code of choosing a password by a link."""
        answer = await self.post("/v1/passwords", {"token": token, "password": password})
        return answer.status_code, answer.json()["code"] if answer.content else ""

    async def opens(self, email: str, password: str) -> int:
        """Status of a sign-in."""
        return (await self.post("/v1/sessions", {"email": email, "password": password})).status_code

    async def works(self) -> None:
        """What the worker does about mails."""
        await self.services.people.forgotten.mail_asked(CLOCK(), 50)
        while await self.services.sending.send_due(CLOCK()):
            pass

    async def tokens(self, email: str, kind: str) -> list[str]:
        await self.works()
        return tokens_to(self.services.settings, email, kind)

    async def mails(self, email: str, kind: str) -> list[str]:
        await self.works()
        return [text_of(one) for one in mails_to(self.services.settings, email, kind=kind)]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(database_url: str, tmp_path_factory: Any) -> AsyncIterator[World]:
    data: Path = tmp_path_factory.mktemp("data")
    composition = compose(settings_for(database_url, data_directory=data), CLOCK)
    async with serving(app_of(composition)) as app:
        yield World(app, composition)


async def test_a_mailed_link_lets_its_reader_choose_a_password_once(world: World) -> None:
    ada = await Browser(world.app).sign_up("once@example.com")
    key = await ada.api_key("account:read")
    token = await world.forgets("once@example.com")
    [mail] = await world.mails("once@example.com", "password_reset_asked")
    assert f"\n{ADDRESS}/pages/password-reset#token={token}\n" in mail
    assert await world.chooses(token, "password123") == (422, "password_refused")
    # Somebody has guessed as often as one may, and the owner gets in all the same.
    for _ in range(10):
        await take(
            sign_in_bucket("once@example.com"), Limit(allowed=10, window_seconds=900), CLOCK()
        )
    assert await world.chooses(token) == (204, "")
    # Every browser is out; her program is not.
    assert (await ada.get("/v1/me")).json()["why"] == "ended"
    holds = [await world.opens("once@example.com", each) for each in (PASSWORD, NEW)]
    assert holds == [401, 201]
    program = await client_of(world.app, authorization=f"Bearer {key}").get("/v1/me")
    assert program.json()["email_proved_at"] is not None
    assert await world.chooses(token, "nine-geese-hum-at-noon") == OVER
    [told] = await world.mails("once@example.com", "password_changed")
    assert "API keys of yours that go on working: 1." in told
    account_id = ada.account["id"]
    logged = await rows("SELECT action FROM audit_log WHERE actor = $1 ORDER BY id", account_id)
    assert [each["action"] for each in logged] == ["api_key.issued", "password.reset"]


async def test_an_address_that_nobody_has_gets_the_same_answer_and_no_mail(world: World) -> None:
    await Browser(world.app).sign_up("known@example.com")
    bodies = [{"email": "KNOWN@example.com"}, {"email": "unknown@example.com"}]
    known, unknown = [await world.post("/v1/password-resets", each) for each in bodies]
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
    assert known.headers.keys() == unknown.headers.keys()
    asked = "SELECT email, account_id FROM mailed_links WHERE purpose = 'password_reset' "
    waiting = await rows(f"{asked} AND account_id IS NULL ORDER BY email")
    assert [tuple(each) for each in waiting] == [
        ("known@example.com", None),
        ("unknown@example.com", None),
    ]
    assert len(await world.tokens("known@example.com", "password_reset_asked")) == 1
    assert await rows(f"{asked} AND email = 'unknown@example.com'") == []
    nobody = await world.post("/v1/password-resets", {"email": "no address"})
    assert (nobody.status_code, nobody.json()["code"]) == (422, "email_refused")


async def test_asking_is_limited_for_an_address_whoever_has_it(world: World) -> None:
    for email in ("nobody.at.all@example.com", "known@example.com"):
        found = [
            await world.post("/v1/password-resets", {"email": email}, ip=f"198.51.100.{number}")
            for number in range(6)
        ]
        assert found[-1].status_code == 429
        assert 0 < int(found[-1].headers["retry-after"]) <= 3600
    CLOCK.move(hours=2)
    crowd = [
        await world.post(
            "/v1/password-resets", {"email": f"{number}@example.com"}, ip="203.0.113.5"
        )
        for number in range(31)
    ]
    assert [each.status_code for each in crowd] == [202] * 30 + [429]


async def test_only_the_newest_link_works_and_none_after_its_hour(world: World) -> None:
    await Browser(world.app).sign_up("newest@example.com")
    older, newer = [await world.forgets("newest@example.com") for _ in range(2)]
    assert await world.chooses(older) == OVER
    for wrong in ("", "lnk_.", newer[:-1], f"{newer}x", newer.partition(".")[0]):
        assert await world.chooses(wrong) == OVER
    CLOCK.move(seconds=3599)
    assert await world.chooses(newer, "brief7") == (422, "password_refused")
    CLOCK.move(seconds=1)
    assert await world.chooses(newer) == OVER
    assert await world.opens("newest@example.com", PASSWORD) == 201


async def test_of_those_who_follow_a_link_at_once_one_wins(world: World) -> None:
    await Browser(world.app).sign_up("race@example.com")
    token = await world.forgets("race@example.com")
    passwords = [f"{number}-otters-sing-at-dawn" for number in ("eight", "nine", "ten")]
    found = await asyncio.gather(*[world.chooses(token, each) for each in passwords])
    assert sorted(found) == [(204, ""), OVER, OVER]
    holds = [await world.opens("race@example.com", each) == 201 for each in passwords]
    assert holds == [each == (204, "") for each in found]


async def test_of_links_asked_for_at_once_one_is_left(world: World) -> None:
    await Browser(world.app).sign_up("many@example.com")
    for _ in range(4):
        CLOCK.move(seconds=1)
        await world.post("/v1/password-resets", {"email": "many@example.com"})
    mail_asked = world.services.people.forgotten.mail_asked
    await asyncio.gather(*[mail_asked(CLOCK(), 1) for _ in range(4)])
    while await mail_asked(CLOCK(), 50):
        pass
    left = await rows(
        "SELECT created_at FROM mailed_links WHERE email = 'many@example.com' "
        "AND purpose = 'password_reset' AND ended_at IS NULL"
    )
    assert [each["created_at"] for each in left] == [CLOCK()]
    token = (await world.tokens("many@example.com", "password_reset_asked"))[-1]
    assert await world.chooses(token) == (204, "")


async def test_a_password_changed_while_signed_in_is_told_and_ends_the_link(world: World) -> None:
    ada = await Browser(world.app).sign_up("changes@example.com")
    token = await world.forgets("changes@example.com")
    body = {"current_password": PASSWORD, "new_password": NEW}
    assert (await ada.post("/v1/me/password", body)).status_code == 204
    assert await world.chooses(token) == OVER
    [told] = await world.mails("changes@example.com", "password_changed")
    assert "API keys" not in told.partition("If it was not you")[0]


async def test_a_disabled_account_gets_no_link_and_its_links_open_nothing(world: World) -> None:
    await Browser(world.app).sign_up("disabled@example.com")
    token = await world.forgets("disabled@example.com")
    await execute(
        "UPDATE accounts SET disabled_at = $1 WHERE email = 'disabled@example.com'", CLOCK()
    )
    assert await world.chooses(token) == OVER
    await world.post("/v1/password-resets", {"email": "disabled@example.com"})
    assert len(await world.tokens("disabled@example.com", "password_reset_asked")) == 1


async def test_a_mail_sent_again_carries_another_secret_and_both_work(world: World) -> None:
    """The first may have arrived although its server's answer was lost."""

    class Silent:
        letters: list[Envelope] = []

        async def deliver(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
            self.letters += envelopes
            return [Outcome("later", "no answer") for _ in envelopes]

    await Browser(world.app).sign_up("again@example.com")
    await world.works()
    await world.post("/v1/password-resets", {"email": "again@example.com"})
    await world.services.people.forgotten.mail_asked(CLOCK(), 50)
    silent = Silent()
    await Sending(silent, pages_url="", clock=CLOCK).send_due(CLOCK())
    [letter] = silent.letters
    first = str(letter.letter.link).partition("#token=")[2]
    CLOCK.move(seconds=30)
    [second] = await world.tokens("again@example.com", "password_reset_asked")
    assert first != second
    assert await world.chooses(first) == (204, "")
    assert await world.chooses(second) == OVER


async def test_a_mail_that_could_not_be_sent_in_its_hour_is_not_sent_any_more(world: World) -> None:
    await Browser(world.app).sign_up("late@example.com")
    await world.works()
    await world.post("/v1/password-resets", {"email": "late@example.com"})
    await world.services.people.forgotten.mail_asked(CLOCK(), 50)
    CLOCK.move(hours=1)
    assert await world.tokens("late@example.com", "password_reset_asked") == []
    dead = "SELECT note FROM messages WHERE kind = 'password_reset_asked' AND state = 'dead'"
    assert await value(dead) == "the link is over"


async def test_an_address_is_proved_by_the_link_of_the_sign_up(world: World) -> None:
    ada = await Browser(world.app).sign_up("proof@example.com")
    [token] = await world.tokens("proof@example.com", "email_proof_asked")
    assert (await ada.get("/v1/me")).json()["email_proved_at"] is None
    assert await world.chooses(token) == OVER  # A link opens only what it was mailed for.
    CLOCK.move(seconds=1)
    asked = await ada.post("/v1/me/email-proof")
    assert (asked.status_code, asked.json()) == (202, {"link_lasts_seconds": 259_200})
    newer = (await world.tokens("proof@example.com", "email_proof_asked"))[-1]
    answers = [
        await world.post("/v1/email-proofs", {"token": each}) for each in (token, newer, newer)
    ]
    assert [each.status_code for each in answers] == [422, 204, 204]
    assert (await ada.get("/v1/me")).json()["email_proved_at"] is not None
    again = await ada.post("/v1/me/email-proof")
    assert (again.status_code, again.json()["code"]) == (409, "email_proved_already")


async def test_the_pages_tell_nobody_what_the_link_carries(world: World) -> None:
    for path in ("/pages/password-reset?utm_source=mail", "/pages/email-proof"):
        page = await client_of(world.app).get(path)
        assert page.status_code == 200
        assert page.headers["referrer-policy"] == "no-referrer"
        policy = page.headers["content-security-policy"]
        assert "script-src 'self'" in policy
        assert "form-action 'none'" in policy
        assert "<script>" not in page.text
    script = await client_of(world.app).get("/pages/mailed-links.js")
    assert script.headers["content-type"].startswith("text/javascript")


async def test_old_links_are_forgotten(world: World) -> None:
    await Browser(world.app).sign_up("old@example.com")
    now = datetime.now(UTC)  # Ids are made by the wall's clock.
    assert await mailed_links.sweep(now + timedelta(days=29), 1000) == 0
    assert await mailed_links.sweep(now + timedelta(days=31), 1000) > 0
    assert await value("SELECT count(*) FROM mailed_links") == 0
