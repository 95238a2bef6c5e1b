"""Receiving webhooks: deliveries that arrive together share one INSERT and one commit.

The commit is the cost of a receipt, so what arrived meanwhile is written by the next statement; nothing is
answered before its own row is on disk. One `Receipt` serves one process and one event loop.
"""

import asyncio
import re
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from payments.database import execute, rows
from payments.errors import SignatureRefused
from payments.inbox import Door

LARGEST_BATCH = 200

_INSERT = """
INSERT INTO stripe_events (event_id, account, door, type, object_id, livemode, payload, state,
                           attempts, due_at, received_at)
SELECT DISTINCT ON (e.event_id) e.event_id, e.account, e.door, e.type, e.object_id, e.livemode,
       e.payload, 'due', 0, e.received_at, e.received_at
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bool[], $7::text[],
            $8::timestamptz[]) AS e (event_id, account, door, type, object_id, livemode, payload,
                                     received_at)
ORDER BY e.event_id
ON CONFLICT (event_id) DO NOTHING
"""


class _Named(msgspec.Struct):
    # A Balance has none: `balance.available` tells of nothing but the account's.
    id: str | None = None


class _Data(msgspec.Struct):
    object: msgspec.Raw


class _Envelope(msgspec.Struct):
    """What is read of an event on arrival; the rest stays as it came until a worker looks at it."""

    id: str
    type: str
    livemode: bool
    account: str | None = None
    data: _Data | None = None
    related_object: _Named | None = None


_SECRET = re.compile(r'"client_secret"\s*:\s*"[^"]*"')
"""Whoever holds it can pay or read the PaymentIntent: it is stored nowhere, and no worker needs it."""

_UNSTORABLE = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)
"""What the database raises about a row, not about itself."""

_decoder = msgspec.json.Decoder(_Envelope)
_named = msgspec.json.Decoder(_Named)


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A verified delivery, ready to be stored."""

    door: Door
    event_id: str
    account: str | None
    type: str
    object_id: str | None
    livemode: bool
    payload: str
    received_at: datetime


def read_delivery(door: Door, body: bytes, now: datetime) -> Delivery:
    """Read the envelope of a delivery whose signature was verified.

    Raises SignatureRefused for a signed body that is no event of Stripe's shape.
    """
    try:
        envelope = _decoder.decode(body)
        payload = _SECRET.sub('"client_secret":null', body.decode())
        object_id = envelope.related_object.id if envelope.related_object else None
        if envelope.data is not None:
            object_id = _named.decode(envelope.data.object).id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SignatureRefused("not an event") from error
    if not 0 < len(envelope.id) <= 80 or len(envelope.type) > 120 or "\x00" in payload:
        raise SignatureRefused("not an event")
    return Delivery(
        door=door,
        event_id=envelope.id,
        account=envelope.account,
        type=envelope.type,
        object_id=object_id[:80] if object_id else None,
        livemode=envelope.livemode,
        payload=payload,
        received_at=now,
    )


class Receipt:
    """Stores deliveries durably, sharing commits between those that arrive together."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Delivery, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def keep(self, delivery: Delivery) -> None:
        """Return once the delivery is on disk; one that is stored already is not stored again.

        Raises whatever the database raised: the sender must then be answered with an error and retries.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((delivery, done))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        # Shielded: a sender that hangs up must not cancel the others' write.
        await asyncio.shield(done)

    async def _write(self) -> None:
        try:
            while self._waiting:
                batch = self._waiting[:LARGEST_BATCH]
                del self._waiting[:LARGEST_BATCH]
                await self._write_batch(batch)
        finally:
            self._writer = None

    async def _write_batch(self, batch: list[tuple[Delivery, asyncio.Future[None]]]) -> None:
        try:
            await _insert([delivery for delivery, _ in batch])
        except Exception as error:  # noqa: BLE001 - whatever it is, every sender in the batch is told
            if len(batch) > 1 and isinstance(error, _UNSTORABLE):
                # Written alone, only the sender of the one that cannot be stored is refused.
                for one in batch:
                    await self._write_batch([one])
                return
            for _, done in batch:
                if not done.done():
                    done.set_exception(error)
            return
        for _, done in batch:
            if not done.done():
                done.set_result(None)


async def store_missing(deliveries: list[Delivery]) -> set[str]:
    """Store those that are not in the inbox, due at once; answers the ids of just these."""
    stored = await rows(f"{_INSERT} RETURNING event_id", *_columns(deliveries))
    return {each["event_id"] for each in stored}


async def _insert(deliveries: list[Delivery]) -> None:
    await execute(_INSERT, *_columns(deliveries))


def _columns(deliveries: list[Delivery]) -> tuple[list[Any], ...]:
    return (
        [d.event_id for d in deliveries],
        [d.account for d in deliveries],
        [d.door for d in deliveries],
        [d.type for d in deliveries],
        [d.object_id for d in deliveries],
        [d.livemode for d in deliveries],
        [d.payload for d in deliveries],
        [d.received_at for d in deliveries],
    )
