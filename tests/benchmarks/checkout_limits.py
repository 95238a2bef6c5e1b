"""The limits of job C, by hand: no permissions, no gate, no history.

An order is read and locked, its payment and operation are written and committed; Stripe is asked; both are
concluded and committed; the client secret is answered.
"""

import asyncio
import secrets
from abc import ABC, abstractmethod
from typing import Any
from urllib.parse import urlencode

import asyncpg
import msgspec

from payments.stripe_client import StripeApi
from tests.benchmarks.receipt_limits import lifespan
from tests.benchmarks.wire import Client, request

DATABASE_CONNECTIONS = 10
"""As many as the program's default."""
SECRET_KEY = "sk_test_benchmark00000000"

_LOCK = """
SELECT o.seller_id, o.currency, o.total, o.application_fee, o.capture_method, c.account_id AS destination
FROM orders o JOIN connected_accounts c ON c.seller_id = o.seller_id
WHERE o.id = $1 AND o.status = 'checkout' FOR UPDATE OF o
"""
_PAYMENT = """
INSERT INTO payments (id, order_id, seller_id, generation, live, currency, amount, application_fee,
  capture_method, destination, status, amount_capturable, amount_captured, fee_captured, amount_refunded,
  fee_refunded, processing_cost, created_at, updated_at, checked_at)
VALUES ($1, $2, $3, 1, true, $4, $5, $6, $7, $8, 'planned', 0, 0, 0, 0, 0, 0, now(), now(), now())
"""
_OPERATION = """
INSERT INTO operations (id, kind, subject, order_id, idempotency_key, parameters, state, attempts, due_at,
  first_sent_at, created_at)
VALUES ($1, 'create_intent', $2, $3, $4, $5, 'sending', 1, now() + interval '30 s', now(), now())
"""
_CREATED = "UPDATE payments SET intent_id = $2, status = $3, updated_at = now() WHERE id = $1"
_CONCLUDED = """
UPDATE operations SET state = 'succeeded', result_id = $2, concluded_at = now(), due_at = NULL WHERE id = $1
"""


class _Intent(msgspec.Struct):
    id: str
    status: str
    client_secret: str
    amount: int
    currency: str


class _Answer(msgspec.Struct):
    client_secret: str
    amount: int
    currency: str
    status: str


_intents = msgspec.json.Decoder(_Intent)
_encoder = msgspec.json.Encoder()


class _Stripe(ABC):
    """How the limit asks Stripe."""

    @abstractmethod
    async def create(self, parameters: dict[str, Any], key: str) -> _Intent: ...

    @abstractmethod
    async def close(self) -> None: ...


class _ByHand(_Stripe):
    def __init__(self, port: int) -> None:
        self._client = Client("127.0.0.1", port)

    async def create(self, parameters: dict[str, Any], key: str) -> _Intent:
        headers = {
            "authorization": f"Bearer {SECRET_KEY}",
            "content-type": "application/x-www-form-urlencoded",
            "idempotency-key": key,
        }
        body = urlencode(parameters).encode()
        status, answer = await self._client.exchange(
            request("POST", "/v1/payment_intents", headers, body)
        )
        assert status == 200
        return _intents.decode(answer)

    async def close(self) -> None:
        self._client.close()


class _BySdk(_Stripe):
    def __init__(self, port: int) -> None:
        self._api = StripeApi(
            SECRET_KEY,
            base_address=f"http://127.0.0.1:{port}",
            transport="aiohttp",
            transaction_open=lambda: False,
        )

    async def create(self, parameters: dict[str, Any], key: str) -> _Intent:
        answer = await self._api.request("post", "/v1/payment_intents", parameters, key=key)
        return answer.read(_Intent)

    async def close(self) -> None:
        await self._api.close()


def by_hand(database_url: str, stripe_port: int) -> Any:
    """Stripe asked over a hand-written HTTP client."""
    return _Checkout(database_url, _ByHand(stripe_port))


def by_sdk(database_url: str, stripe_port: int) -> Any:
    """Stripe asked as the program does, by stripe-python over aiohttp."""
    return _Checkout(database_url, _BySdk(stripe_port))


class _Checkout:
    def __init__(self, database_url: str, stripe: _Stripe) -> None:
        self._database_url, self._stripe = database_url, stripe

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send, self._start, self._stop)
            return
        order_id = scope["path"].split("/")[3]
        body = _encoder.encode(await self._check_out(order_id))
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _start(self) -> None:
        self._pool = await asyncpg.create_pool(
            self._database_url, min_size=1, max_size=DATABASE_CONNECTIONS
        )

    async def _stop(self) -> None:
        await asyncio.gather(self._pool.close(), self._stripe.close())

    async def _check_out(self, order_id: str) -> _Answer:
        payment_id, operation_id = f"pay_{secrets.token_hex(13)}", f"op_{secrets.token_hex(13)}"
        key = f"order:{order_id}:g1:pi:create"
        parameters = await self._plan(order_id, payment_id, operation_id, key)
        intent = await self._stripe.create(parameters, key)
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_CREATED, payment_id, intent.id, intent.status)
            await connection.execute(_CONCLUDED, operation_id, intent.id)
        return _Answer(intent.client_secret, intent.amount, intent.currency, intent.status)

    async def _plan(
        self, order_id: str, payment_id: str, operation_id: str, key: str
    ) -> dict[str, Any]:
        async with self._pool.acquire() as connection, connection.transaction():
            order = await connection.fetchrow(_LOCK, order_id)
            assert order is not None
            await connection.execute(
                _PAYMENT,
                payment_id,
                order_id,
                order["seller_id"],
                order["currency"],
                order["total"],
                order["application_fee"],
                order["capture_method"],
                order["destination"],
            )
            parameters = _parameters(order_id, payment_id, operation_id, order)
            await connection.execute(
                _OPERATION,
                operation_id,
                payment_id,
                order_id,
                key,
                _encoder.encode(parameters).decode(),
            )
            return parameters


def _parameters(
    order_id: str, payment_id: str, operation_id: str, order: asyncpg.Record
) -> dict[str, Any]:
    return {
        "amount": order["total"],
        "currency": order["currency"],
        "application_fee_amount": order["application_fee"],
        "transfer_data[destination]": order["destination"],
        "transfer_group": f"order_{order_id}",
        "capture_method": order["capture_method"],
        "automatic_payment_methods[enabled]": "true",
        "metadata[order_id]": order_id,
        "metadata[payment_id]": payment_id,
        "metadata[seller_id]": order["seller_id"],
        "metadata[operation_id]": operation_id,
    }
