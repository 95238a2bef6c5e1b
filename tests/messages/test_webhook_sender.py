"""Posting to strangers: signed as the standard says, and never lured to an address of ours."""

from datetime import UTC, datetime

import pytest

from marketplace.messages.signing import new_secret, signed_headers
from marketplace.messages.webhook_sender import Answered, WebhookSender
from tests.messages.receiver import Receiver, is_signed, receiving


class Names:
    """DNS as a stranger runs it: each question may get another answer."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        return self.answers.pop(0)


async def posted(url: str, names: Names | None = None, **options: object) -> Answered:
    options = {"loopback_allowed": True} | options
    sender = WebhookSender(lookup=names, **options)  # type: ignore[arg-type]
    try:
        return await sender.post(url, {"webhook-id": "evt_1"}, b'{"a":1}')
    finally:
        await sender.close()


def test_the_signature_is_the_standards_own_example() -> None:
    """The vector that the reference libraries of Standard Webhooks are tested with."""
    headers = signed_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        datetime.fromtimestamp(1614265330, UTC),
        b'{"test": 2432232314}',
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_another_implementation_agrees_for_each_of_two_secrets() -> None:
    secrets = [new_secret(), new_secret()]
    body = '{"name":"Zo\u00eb"}'.encode()
    headers = signed_headers("evt_1", datetime.now(UTC), body, secrets)
    received = {"headers": headers, "body": body}
    assert all(is_signed(received, one) for one in secrets)
    assert not is_signed(received, new_secret())
    assert not is_signed({"headers": headers, "body": body + b" "}, secrets[0])


async def test_what_is_posted_arrives_as_json_and_its_answer_is_told() -> None:
    async with receiving() as receiver:
        assert await posted(receiver.url) == Answered(200)
        receiver.status = 500
        assert await posted(receiver.url) == Answered(500, "HTTP 500")
    (first, _) = receiver.received
    assert first["body"] == b'{"a":1}'
    assert first["headers"]["Content-Type"] == "application/json"
    assert first["headers"]["webhook-id"] == "evt_1"


async def test_a_redirect_is_not_followed() -> None:
    """Or a public address could send us to the metadata of our own machine."""
    async with receiving() as inside, receiving() as lure:
        lure.status, lure.location = 307, inside.url
        assert await posted(lure.url) == Answered(307, "HTTP 307")
    assert len(lure.received) == 1
    assert inside.received == []


async def test_a_name_that_resolves_to_an_address_inside_is_not_connected_to() -> None:
    async with receiving() as inside:
        port = inside.url.split(":")[2].split("/")[0]
        for address in ("127.0.0.1", "::1", "10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1"):
            answered = await posted(
                f"https://shop.example:{port}/", Names([address]), loopback_allowed=False
            )
            assert answered == Answered(None, "address not allowed")
    assert inside.received == []


async def test_one_address_inside_among_public_ones_is_enough_to_refuse() -> None:
    names = Names(["93.184.216.34", "10.0.0.1"])
    answered = await posted("https://shop.example/", names, loopback_allowed=False)
    assert answered == Answered(None, "address not allowed")


async def test_what_was_checked_is_what_is_connected_to() -> None:
    """A name that points elsewhere a moment later (DNS rebinding) is not asked a second time."""
    async with receiving() as receiver:
        port = receiver.url.split(":")[2].split("/")[0]
        names = Names(["127.0.0.1"], ["10.0.0.1"])
        assert await posted(f"http://shop.localhost:{port}/", names) == Answered(200)
    assert names.asked == ["shop.localhost"]


async def test_each_post_checks_again() -> None:
    async with receiving() as receiver:
        port = receiver.url.split(":")[2].split("/")[0]
        sender = WebhookSender(
            loopback_allowed=True, lookup=Names(["127.0.0.1"], ["169.254.169.254"])
        )
        url = f"http://shop.localhost:{port}/"
        assert await sender.post(url, {}, b"") == Answered(200)
        assert await sender.post(url, {}, b"") == Answered(None, "address not allowed")
        await sender.close()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "https://127.0.0.1:{port}/",
        "https://localhost:{port}/",
        "https://[::1]:{port}/",
        "https://[::ffff:127.0.0.1]:{port}/",
        "https://2130706433:{port}/",
        "https://0x7f.1:{port}/",
        "https://127.1:{port}/",
    ],
)
async def test_this_machine_is_not_reached_however_it_is_written(url: str) -> None:
    """Checked at sending too: the program may have been a sandbox when the address was given."""
    async with receiving() as inside:
        port = inside.url.split(":")[2].split("/")[0]
        answered = await posted(url.format(port=port), loopback_allowed=False)
    assert answered == Answered(None, "address not allowed")
    assert inside.received == []


async def test_a_slow_answer_is_not_waited_for_and_a_long_one_not_read() -> None:
    async with receiving(Receiver(hesitates_seconds=5)) as slow:
        assert (await posted(slow.url, total_seconds=0.2)).note == "no answer within 0 s"
    async with receiving(Receiver(body=b"x" * 50_000_000)) as long:
        assert await posted(long.url) == Answered(200)


async def test_nobody_there_is_told_as_such() -> None:
    async with receiving() as receiver:
        pass
    assert await posted(receiver.url) == Answered(None, "no connection")
    assert await posted("http://shop.localhost:9/", Names([])) == Answered(None, "no connection")


async def test_a_certificate_nobody_vouches_for_is_not_talked_to() -> None:
    async with receiving() as receiver:
        answered = await posted(receiver.url.replace("http:", "https:"))
    assert answered.status is None
    assert receiver.received == []
