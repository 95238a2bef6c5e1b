"""When the network fails: both transports say the same, against a server that misbehaves."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from payments.errors import NotSent, OutcomeUnknown
from payments.stripe_client import StripeApi
from payments.stripe_transports import TransportName

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

TRANSPORTS: tuple[TransportName, ...] = ("aiohttp", "httpx")
pytestmark = pytest.mark.parametrize("transport", TRANSPORTS)


@asynccontextmanager
async def misbehaving(behave: Behaviour) -> AsyncIterator[str]:
    """A server on loopback that reads one request's head and then does as it is told."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await behave(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def asking(
    transport: TransportName, base: str, *, total_seconds: float = 5.0
) -> AsyncIterator[StripeApi]:
    api = StripeApi(
        "sk_test_x",
        base_address=base,
        transport=transport,
        total_seconds=total_seconds,
        transaction_open=lambda: False,
    )
    try:
        yield api
    finally:
        await api.close()


async def head(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


def answering(raw: bytes) -> Behaviour:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(raw)
        await writer.drain()

    return behave


def json_answer(body: bytes, status: str = "200 OK", headers: str = "") -> bytes:
    lines = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return lines.encode() + body


async def outcome(transport: TransportName, behave: Behaviour) -> OutcomeUnknown:
    async with misbehaving(behave) as base, asking(transport, base, total_seconds=0.5) as api:
        with pytest.raises(OutcomeUnknown) as caught:
            await api.request("post", "/v1/refunds", {"amount": 5}, key="k")
    return caught.value


async def test_a_refused_connection_was_never_sent(transport: TransportName) -> None:
    async with misbehaving(answering(b"")) as base:
        pass
    async with asking(transport, base) as api:
        with pytest.raises(NotSent) as caught:
            await api.request("post", "/v1/refunds", key="k")
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


async def test_a_connection_cut_after_the_request_leaves_it_open(
    transport: TransportName,
) -> None:
    await outcome(transport, answering(b""))


async def test_a_reset_leaves_it_open(transport: TransportName) -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.transport.abort()

    await outcome(transport, reset)


async def test_an_answer_cut_short_leaves_it_open(transport: TransportName) -> None:
    whole = json_answer(b'{"id": "re_1", "object": "refund"}')
    await outcome(transport, answering(whole[:-10]))


async def test_silence_ends_at_the_deadline(transport: TransportName) -> None:
    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        await reader.read()

    await outcome(transport, silence)


async def test_a_trickle_ends_at_the_deadline_too(transport: TransportName) -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(100):
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    await outcome(transport, trickle)


@pytest.mark.parametrize(
    "raw",
    [b"\x00\x01\x02 nonsense\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/9.9 200 OK\r\nx\r\n\r\n"],
)
async def test_what_is_not_http_leaves_it_open(transport: TransportName, raw: bytes) -> None:
    await outcome(transport, answering(raw))


async def test_a_yes_that_is_no_json_leaves_it_open(transport: TransportName) -> None:
    assert (await outcome(transport, answering(json_answer(b"<html>")))).why == "unreadable"


async def test_a_proxys_page_leaves_it_open(transport: TransportName) -> None:
    page = json_answer(b"<h1>Bad gateway</h1>", "502 Bad Gateway")
    assert (await outcome(transport, answering(page))).why == "http_502"


async def test_a_redirect_is_not_followed(transport: TransportName) -> None:
    moved = json_answer(b"", "302 Found", "Location: http://127.0.0.1:9/elsewhere\r\n")
    assert (await outcome(transport, answering(moved))).why == "unreadable"


async def test_headers_are_found_whatever_their_case(transport: TransportName) -> None:
    raw = json_answer(b'{"error": {}}', "500 No", "REQUEST-ID: r1\r\nIDEMPOTENT-Replayed: true\r\n")
    told = await outcome(transport, answering(raw))
    assert (told.why, told.request_id, told.replayed) == ("http_500", "r1", True)


async def test_connections_are_kept_and_cookies_are_not(transport: TransportName) -> None:
    heads: list[bytes] = []
    connections = 0

    async def polite(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            heads.append(await head(reader))
            writer.write(json_answer(b'{"object": "x"}', headers="Set-Cookie: a=b\r\n"))
            await writer.drain()

    async with misbehaving(polite) as base, asking(transport, base) as api:
        for _ in range(3):
            assert (await api.request("get", "/v1/balance")).data == {"object": "x"}
    assert connections == 1
    assert len(heads) == 3
    assert not any(b"\r\ncookie:" in one.lower() for one in heads)
