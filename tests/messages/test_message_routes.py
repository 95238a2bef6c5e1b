"""What people were written, over HTTP, and the page of a program without real people."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from litestar import Litestar

from marketplace.app import app_of
from marketplace.composition import compose
from marketplace.messages import outbox
from payments.database import execute, transaction
from payments.ids import new_id
from tests.api.harness import Browser, client_of, new_admin, serving, settings_for
from tests.clocks import MovedClock

CLOCK = MovedClock()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def app(database_url: str) -> AsyncIterator[Litestar]:
    async with serving(app_of(compose(settings_for(database_url), CLOCK))) as running:
        yield running


async def arrives(app: Litestar, email: str) -> Browser:
    """Somebody whom nothing was written to: what a sign-up is told is another test's."""
    person = await Browser(app).sign_up(email)
    await execute("DELETE FROM messages WHERE account_id = $1", person.account["id"])
    return person


async def told(person: Browser, shop: str, **facts: str) -> None:
    async with transaction():
        await outbox.tell(
            kind="seller_suspended",
            account_id=person.account["id"],
            subject_id="sel_1",
            cause=new_id("cause"),
            facts={"seller_id": "sel_1", "shop": shop} | facts,
            now=CLOCK(),
        )


async def test_people_read_their_own_messages_page_by_page(app: Litestar) -> None:
    reader = await arrives(app, "reader@example.com")
    other = await arrives(app, "other@example.com")
    for number in range(3):
        CLOCK.move(seconds=1)
        await told(reader, f"Shop {number}")
    await told(other, "Not yours")
    first = (await reader.get("/v1/me/messages", limit=2)).json()
    assert first["has_more"]
    assert len(first["data"]) == 2
    rest = (await reader.get("/v1/me/messages", starting_after=first["data"][-1]["id"])).json()
    assert [len(rest["data"]), rest["has_more"]] == [1, False]
    ids = [one["id"] for one in first["data"] + rest["data"]]
    assert ids == sorted(ids, reverse=True)
    assert "Not yours" not in str(first) + str(rest)
    message = first["data"][0]
    assert message["kind"] == "seller_suspended"
    assert message["subject"] == "Your shop was suspended"
    assert message["state"] == "due"
    assert message["link"] == "https://market.test/pages/sellers/sel_1"


async def test_a_message_whose_text_is_gone_does_not_hide_the_others(app: Litestar) -> None:
    reader = await arrives(app, "patient@example.com")
    await told(reader, "Fine")
    async with transaction():
        await outbox.tell(
            kind="of_an_older_version",  # type: ignore[arg-type]
            account_id=reader.account["id"],
            subject_id="x",
            cause=new_id("cause"),
            facts={},
            now=CLOCK(),
        )
    answer = await reader.get("/v1/me/messages")
    assert answer.status_code == 200
    assert {one["subject"] for one in answer.json()["data"]} == {
        "Your shop was suspended",
        "of an older version",
    }


async def test_what_was_given_up_is_listed_and_sent_again(app: Litestar) -> None:
    admin = await new_admin(app, CLOCK)
    reader = await arrives(app, "unlucky@example.com")
    await told(reader, "Nobody's")
    theirs = {"account_id": reader.account["id"]}
    (message,) = (await admin.get("/v1/admin/messages", **theirs)).json()["data"]
    assert (message["state"], message["email"]) == ("due", "unlucky@example.com")
    assert "Nobody's" not in str(message)
    path = f"/v1/admin/messages/{message['id']}/another-try"
    refused = await admin.post(path)
    assert (refused.status_code, refused.json()["code"]) == (409, "message_not_given_up")
    await execute(
        "UPDATE messages SET state = 'dead', due_at = NULL, concluded_at = $2, note = 'timeout' "
        "WHERE id = $1",
        message["id"],
        CLOCK(),
    )
    (dead,) = (await admin.get("/v1/admin/messages", state="dead")).json()["data"]
    assert (dead["id"], dead["note"]) == (message["id"], "timeout")
    again = await admin.post(path)
    assert (again.status_code, again.json()["state"]) == (200, "due")
    assert (await admin.get("/v1/admin/messages", state="dead")).json()["data"] == []
    missing = await admin.post("/v1/admin/messages/msg_unknown/another-try")
    assert (missing.status_code, missing.json()["code"]) == (404, "message_not_found")


async def test_messages_are_for_who_is_signed_in(app: Litestar) -> None:
    async with client_of(app) as stranger:
        assert (await stranger.get("/v1/me/messages")).status_code == 401


async def test_the_mailbox_page_escapes_what_people_typed(app: Litestar) -> None:
    reader = await arrives(app, "mallory@example.com")
    await told(reader, "<script>alert(1)</script>", reason='"><img src=x onerror=alert(2)>')
    async with client_of(app) as stranger:
        answer = await stranger.get("/mailbox")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "mallory@example.com" in answer.text
    assert "&lt;script&gt;alert(1)" in answer.text
    assert "<script" not in answer.text
    assert "<img" not in answer.text


async def test_there_is_no_mailbox_page_beside_a_real_stripe_or_a_real_post(
    app: Litestar, tmp_path: Path
) -> None:
    real = {"stripe_api_base": "https://api.stripe.com", "data_directory": tmp_path}
    posted = {"smtp_url": "smtp://mail.example:25"}
    for changes in (real, posted):
        other = app_of(compose(settings_for("", **changes), CLOCK))
        # No lifespan: the page is refused before anything is read.
        async with client_of(other) as stranger:
            answer = await stranger.get("/mailbox")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
