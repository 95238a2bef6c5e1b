"""A Stripe that answers at once, or late: its PaymentIntents echo what was asked, and it keeps nothing.

Not the sandbox: that one checks, remembers and takes time for it. Here Stripe must cost nothing, so that
what is measured is ours.
"""

import asyncio
import itertools
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection as Pipe
from typing import cast
from urllib.parse import parse_qsl

import msgspec
import uvloop

from tests.benchmarks.processes import converse, listen, settle_in
from tests.benchmarks.wire import Messages

_numbers = itertools.count(1)
_encoder = msgspec.json.Encoder()
_NOT_HERE = {"error": {"type": "invalid_request_error", "message": "the stub only creates"}}


def serve_stub(pipe: Pipe, cores: frozenset[int], delay_seconds: float) -> None:
    """The target of the stub's process; each answer waits for so long before it is sent."""
    settle_in(cores)
    uvloop.run(_serve(pipe, delay_seconds))


async def _serve(pipe: Pipe, delay_seconds: float) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    listener = listen()
    server = await loop.create_server(lambda: _Stub(delay_seconds), sock=listener)
    converse(pipe, lambda: loop.call_soon_threadsafe(stop.set))
    pipe.send(listener.getsockname()[1])
    await stop.wait()
    server.close()


class _Stub(asyncio.Protocol):
    def __init__(self, delay_seconds: float) -> None:
        self._messages = Messages()
        self._delay_seconds = delay_seconds

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        for head, body in self._messages.feed(data):
            made = _made(head, body)
            answer = _encoder.encode(made or _NOT_HERE)
            self._answer(
                b"HTTP/1.1 %s\r\ncontent-type: application/json\r\nrequest-id: req_%d\r\n"
                b"content-length: %d\r\n\r\n%s"
                % (b"200 OK" if made else b"404 Not Found", next(_numbers), len(answer), answer)
            )

    def _answer(self, message: bytes) -> None:
        if self._delay_seconds:
            loop = asyncio.get_running_loop()
            loop.call_later(self._delay_seconds, self._transport.write, message)
        else:
            self._transport.write(message)


def _made(head: bytes, body: bytes) -> dict[str, object] | None:
    asked = dict(parse_qsl(body.decode()))
    if head.startswith(b"POST /v1/payment_intents "):
        return payment_intent(f"pi_{next(_numbers):024d}", asked)
    if head.startswith(b"POST /v1/customers "):
        return customer(f"cus_{next(_numbers):014d}", asked)
    return None


def customer(customer_id: str, asked: Mapping[str, str]) -> dict[str, object]:
    """A new Customer: each buyer's first checkout makes one."""
    return {
        "id": customer_id,
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": int(time.time()),
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "email": asked.get("email"),
        "invoice_prefix": "BENCHMRK",
        "livemode": False,
        "metadata": _metadata(asked),
        "name": asked.get("name"),
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
    }


def _metadata(asked: Mapping[str, str]) -> dict[str, str]:
    return {
        name[len("metadata[") : -1]: value
        for name, value in asked.items()
        if name.startswith("metadata[")
    }


def payment_intent(intent_id: str, asked: Mapping[str, str]) -> dict[str, object]:
    """A new PaymentIntent, as long as Stripe's own, because reading it is part of the cost."""
    return {
        "id": intent_id,
        "object": "payment_intent",
        "amount": int(asked["amount"]),
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": int(asked.get("application_fee_amount", 0)),
        "automatic_payment_methods": {"allow_redirects": "always", "enabled": True},
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": asked.get("capture_method", "automatic"),
        "client_secret": f"{intent_id}_secret_{'s' * 24}",
        "confirmation_method": "automatic",
        "created": int(time.time()),
        "currency": asked["currency"],
        "customer": asked.get("customer"),
        "description": asked.get("description"),
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": _metadata(asked),
        "next_action": None,
        "on_behalf_of": asked.get("on_behalf_of"),
        "payment_method": None,
        "payment_method_configuration_details": {"id": "pmc_benchmark", "parent": None},
        "payment_method_options": {
            "card": {
                "installments": None,
                "mandate_options": None,
                "network": None,
                "request_three_d_secure": "automatic",
            },
            "link": {"persistent_token": None},
        },
        "payment_method_types": ["card", "link"],
        "processing": None,
        "receipt_email": asked.get("receipt_email"),
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": {"destination": asked.get("transfer_data[destination]")},
        "transfer_group": asked.get("transfer_group"),
    }
