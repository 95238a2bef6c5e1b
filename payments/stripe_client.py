"""One client of Stripe's API: stripe-python signs and encodes, we decide what answers mean.

The API version is pinned, telemetry is off, and nothing is retried here: the journal of
operations is the only retrier, because it alone knows whether a key has already been sent.
Requests go through the SDK's documented `raw_request_async`, which builds no object, and answers
are read by msgspec.
"""

import logging
import ssl
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

import msgspec
import stripe

from payments.database import in_transaction
from payments.errors import OutcomeUnknown, TransactionOpen
from payments.stripe_answers import refusal
from payments.stripe_transports import (
    TOTAL_SECONDS,
    Transport,
    TransportName,
    transport_named,
)

API_VERSION = "2026-10-28.endive"
LIVE_ADDRESS = "https://api.stripe.com"

Method = Literal["get", "post", "delete"]
Answered = TypeVar("Answered")

# The SDK logs every call at INFO, and whole bodies with client secrets at DEBUG.
logging.getLogger("stripe").setLevel(logging.WARNING)
logging.getLogger("httpx").setLevel(logging.WARNING)
# Module globals of the SDK: it would write to the home directory and report on the platform.
stripe.enable_telemetry = False


class Answer(msgspec.Struct, frozen=True):
    """A yes of Stripe: the decoded JSON, and the id of the request as Stripe's support knows it."""

    data: dict[str, Any]
    request_id: str | None

    def read(self, kind: type[Answered]) -> Answered:
        """The answer as `kind`. Raises OutcomeUnknown when it does not fit: nothing is guessed."""
        try:
            return msgspec.convert(self.data, kind)
        except msgspec.ValidationError as error:
            # The reason names a field and a type, never a value.
            raise OutcomeUnknown("unreadable", request_id=self.request_id) from error

    def __repr__(self) -> str:
        """Never shows the data: client secrets and links travel in it."""
        return f"Answer({self.data.get('object')}, {self.data.get('id')}, {self.request_id})"


class _Headers(dict[str, str]):
    """An answer's headers in lower case, and the document that came with them."""

    document: dict[str, Any]


class _SdkHttp(stripe.HTTPClient):
    """The SDK's extension point, answered by one of our transports.

    An answer is read here and not by the SDK, which would write whole bodies into its debug log,
    fail on one that is not UTF-8, and keep all of it, client secrets too, in its exceptions.
    """

    def __init__(self, transport: Transport) -> None:
        super().__init__()
        self.name = transport.name  # type: ignore[misc]  # a class variable there, told once here
        self._transport = transport

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        body, status, told = await self._transport.exchange(method, url, headers, post_data)
        answered = _Headers({name.lower(): value for name, value in told.items()})
        document = _json(body)
        if not 200 <= status < 300 or not isinstance(document, dict):
            raise refusal(status, document, answered)
        answered.document = document
        return b"{}", status, answered

    async def close_async(self) -> None:
        await self._transport.close()


def _json(body: bytes) -> object:
    """The decoded body, or None when it is no JSON."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


class StripeApi:
    """Ask Stripe one thing and get a plain answer or one of our errors.

    `base_address` is Stripe's own or a sandbox's. `transport` is `aiohttp` in production and
    `httpx` where respx listens. `total_seconds` is the deadline of one exchange. Close it when
    done.
    """

    def __init__(
        self,
        secret_key: str,
        *,
        base_address: str = LIVE_ADDRESS,
        transport: TransportName = "aiohttp",
        total_seconds: float = TOTAL_SECONDS,
        transaction_open: Callable[[], bool] = in_transaction,
    ) -> None:
        self._transaction_open = transaction_open
        self._http = _SdkHttp(
            transport_named(transport, trusted=_trusted(base_address), total_seconds=total_seconds)
        )
        self._client = stripe.StripeClient(
            secret_key,
            stripe_version=API_VERSION,
            http_client=self._http,
            max_network_retries=0,
            base_addresses={"api": base_address.rstrip("/")},
        )

    async def request(
        self,
        method: Method,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        key: str | None = None,
        account: str | None = None,
    ) -> Answer:
        """Send one request: form-encoded for `/v1`, JSON for `/v2`, as the SDK does.

        `key` is the Idempotency-Key (without one the SDK invents a random key for a POST),
        `account` the Stripe-Account to act for. Raises TransactionOpen before anything is sent;
        NotSent, OutcomeUnknown, StripeRejected and its kinds, StripeMisconfigured after.
        """
        if self._transaction_open():
            raise TransactionOpen(f"{method} {path}")
        answer = await self._client.raw_request_async(
            method, path, **dict(params or {}), idempotency_key=key, stripe_account=account
        )
        return Answer(answer.headers.document, answer.request_id)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close_async()


def _trusted(base_address: str) -> ssl.SSLContext | bool:
    """The certificates the SDK ships: a slim container has none of its own."""
    if base_address.startswith("https://"):
        return ssl.create_default_context(cafile=stripe.ca_bundle_path)
    return True
