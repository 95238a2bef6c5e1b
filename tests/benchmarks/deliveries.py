"""Webhook deliveries as Stripe makes them: a 4 KB event nobody has seen before, signed this moment."""

import hmac
import itertools
import random
import time
from datetime import UTC, datetime

import msgspec

from tests.benchmarks.stripe_stub import payment_intent
from tests.benchmarks.wire import request

SECRET = "whsec_benchmark0000000000000000"
EVENT_BYTES = 4096

_NUMBER = "N" * 24
_numbers = itertools.count(1)


def deliveries(count: int) -> list[bytes]:
    """So many requests, each of its own event about its own PaymentIntent."""
    signed_at = str(int(datetime.now(UTC).timestamp()))
    return [_delivery(next(_numbers), signed_at) for _ in range(count)]


def _delivery(number: int, signed_at: str) -> bytes:
    body = _TEMPLATE.replace(_NUMBER.encode(), b"%024d" % number)
    signature = hmac.digest(SECRET.encode(), f"{signed_at}.".encode() + body, "sha256").hex()
    headers = {
        "content-type": "application/json; charset=utf-8",
        "stripe-signature": f"t={signed_at},v1={signature}",
        "user-agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
    }
    return request("POST", "/webhooks/stripe/platform", headers, body)


def _event(description: str) -> bytes:
    """Compressible as Stripe's events are: names and nulls repeat, the rest does not."""
    intent = payment_intent(f"pi_{_NUMBER}", {"amount": "4000", "currency": "eur"})
    return msgspec.json.encode(
        {
            "id": f"evt_{_NUMBER}",
            "object": "event",
            "api_version": "2026-10-28.endive",
            "created": int(time.time()),
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": "req_benchmark", "idempotency_key": None},
            "type": "payment_intent.succeeded",
            "data": {"object": {**intent, "description": description}},
        }
    )


_TEMPLATE = _event(random.Random(1).randbytes(EVENT_BYTES).hex()[: EVENT_BYTES - len(_event(""))])
