"""The limits of job W: what a webhook's receipt could cost at least, by hand."""

import asyncio
import hmac
import time
from typing import Any

import asyncpg
import msgspec

_INSERT = """
INSERT INTO stripe_events (event_id, door, type, object_id, livemode, payload, state, attempts,
                           due_at, received_at)
SELECT e.event_id, 'platform', e.type, e.object_id, false, e.payload, 'due', 0, now(), now()
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS e (event_id, type, object_id, payload)
ON CONFLICT (event_id) DO NOTHING
"""
_ANSWER = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"2")],
}
_BODY = {"type": "http.response.body", "body": b"{}", "more_body": False}


class _Object(msgspec.Struct):
    id: str


class _Data(msgspec.Struct):
    object: _Object


class _Event(msgspec.Struct):
    id: str
    type: str
    data: _Data


_events = msgspec.json.Decoder(_Event)


async def read_body(receive: Any) -> bytes:
    """All of a request's body."""
    chunks = []
    while True:
        message = await receive()
        chunks.append(message["body"])
        if not message["more_body"]:
            return b"".join(chunks)


async def lifespan(receive: Any, send: Any, start: Any, stop: Any) -> None:
    """The server's word that it starts and stops, answered when `start` and `stop` are done."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await start()
            await send({"type": "lifespan.startup.complete"})
        else:
            await stop()
            await send({"type": "lifespan.shutdown.complete"})
            return


async def _nothing() -> None:
    """Nothing to start or stop."""


def no_work() -> Any:
    """Reads the body and answers 200: the server's own cost."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send, _nothing, _nothing)
            return
        await read_body(receive)
        await send(_ANSWER)
        await send(_BODY)

    return application


def group_commit(database_url: str, secret: str) -> Any:
    """Verifies, and writes what arrived meanwhile with one INSERT: as the program does, and nothing else."""
    return _GroupCommit(database_url, secret.encode())


class _GroupCommit:
    def __init__(self, database_url: str, secret: bytes) -> None:
        self._database_url, self._secret = database_url, secret
        self._waiting: list[tuple[_Event, str, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send, self._start, self._stop)
            return
        body = await read_body(receive)
        self._verify(dict(scope["headers"])[b"stripe-signature"], body)
        await self._keep(_events.decode(body), body.decode())
        await send(_ANSWER)
        await send(_BODY)

    async def _start(self) -> None:
        self._connection = await asyncpg.connect(self._database_url)
        self._insert = await self._connection.prepare(_INSERT)

    async def _stop(self) -> None:
        await self._connection.close()

    def _verify(self, header: bytes, body: bytes) -> None:
        signed_at, signature = header.split(b",v1=")
        expected = hmac.digest(self._secret, signed_at[2:] + b"." + body, "sha256").hex()
        assert hmac.compare_digest(expected.encode(), signature)
        assert abs(time.time() - int(signed_at[2:])) < 300

    async def _keep(self, event: _Event, payload: str) -> None:
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((event, payload, done))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        await done

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            await self._insert.fetch(
                [event.id for event, _, _ in batch],
                [event.type for event, _, _ in batch],
                [event.data.object.id for event, _, _ in batch],
                [payload for _, payload, _ in batch],
            )
            for _, _, done in batch:
                done.set_result(None)
        self._writing = None
