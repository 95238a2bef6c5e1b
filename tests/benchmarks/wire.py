"""HTTP/1.1 as bytes, over kept-alive connections: for the load generator and the hand-written limits."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, cast

_HEAD_END = b"\r\n\r\n"


class MessageRefused(Exception):
    """Bytes that are no HTTP message of the simple kind spoken here (a length, no chunks)."""


class Messages:
    """Cuts a stream of bytes into messages: a head, and a body whose length the head tells."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[bytes, bytes]]:
        """Every (head, body) that is whole by now. Raises MessageRefused."""
        data = self._rest + data if self._rest else data
        whole = []
        while (end := data.find(_HEAD_END)) >= 0:
            head, start = data[:end], end + len(_HEAD_END)
            length = _length(head)
            if len(data) - start < length:
                break
            whole.append((head, data[start : start + length]))
            data = data[start + length :]
        self._rest = data
        return whole


def _length(head: bytes) -> int:
    lowered = head.lower()
    at = lowered.find(b"\r\ncontent-length:")
    if at < 0:
        if b"\r\ntransfer-encoding:" in lowered:
            raise MessageRefused("a body in chunks")
        return 0
    return int(lowered[at + 17 :].split(b"\r\n", 1)[0])


def status_of(head: bytes) -> int:
    """The status of an answer's head: `HTTP/1.1 200 OK`."""
    return int(head[9:12])


def request(
    method: str, target: str, headers: dict[str, str], body: bytes = b"", *, host: str = "127.0.0.1"
) -> bytes:
    """A whole request, ready to be written."""
    lines = [f"{method} {target} HTTP/1.1", f"host: {host}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines.append(f"content-length: {len(body)}")
    return "\r\n".join(lines).encode() + _HEAD_END + body


class Connection(asyncio.Protocol):
    """One kept-alive connection: one request at a time, answered to a callback."""

    def __init__(self, answered: Callable[["Connection", int, bytes], None]) -> None:
        self._answered = answered
        self._messages = Messages()
        self._transport: asyncio.Transport | None = None
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are one only by what they do.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        for head, body in self._messages.feed(data):
            self._answered(self, status_of(head), body)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True

    def send(self, message: bytes) -> None:
        assert self._transport is not None
        self._transport.write(message)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Client:
    """A hand-written HTTP client: idle connections are used again, a new one is opened when none is idle."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._idle: deque[Connection] = deque()
        self._waiting: dict[Connection, asyncio.Future[tuple[int, bytes]]] = {}

    async def exchange(self, message: bytes) -> tuple[int, bytes]:
        """Send a request and answer (status, body)."""
        connection = await self._connection()
        answer: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
        self._waiting[connection] = answer
        connection.send(message)
        return await answer

    async def _connection(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.lost:
                return connection
        made: tuple[Any, Connection] = await asyncio.get_running_loop().create_connection(
            lambda: Connection(self._answered), *self._address
        )
        return made[1]

    def _answered(self, connection: Connection, status: int, body: bytes) -> None:
        self._waiting.pop(connection).set_result((status, body))
        self._idle.append(connection)

    def close(self) -> None:
        """Close what is idle; nothing may be under way."""
        while self._idle:
            self._idle.pop().close()
