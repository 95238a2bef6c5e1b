"""How bytes get to Stripe and back: two transports that say the same when the network fails.

`AiohttpTransport` is what production runs (a third of httpx's CPU, docs/decisions);
`HttpxTransport` is what respx can intercept in tests. Neither retries, follows redirects or keeps
cookies. Both raise NotSent when Stripe certainly received nothing, and OutcomeUnknown when it may
have; never the library's own exception, which may hold the request and with it our key.
"""

import asyncio
import ssl
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Literal, Protocol

import aiohttp
import httpx

from payments.errors import NotSent, OutcomeUnknown, PaymentsUnavailable

TransportName = Literal["aiohttp", "httpx"]

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 20.0
KEEPALIVE_SECONDS = 60
# One checkout holds one connection while Stripe thinks; 500 in flight is the goal for a process.
CONNECTIONS = 512

Exchange = tuple[bytes, int, Mapping[str, str]]
"""Body, HTTP status, headers (looked up without regard to case)."""


class Transport(Protocol):
    """One HTTP exchange at a time; used from one event loop."""

    name: str

    async def exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: str | None
    ) -> Exchange: ...

    async def close(self) -> None: ...


class AiohttpTransport:
    """aiohttp with a pool of kept-alive connections, opened on first use in the running loop."""

    name = "aiohttp"

    def __init__(self, *, trusted: ssl.SSLContext | bool, total_seconds: float) -> None:
        self._trusted = trusted
        self._timeout = aiohttp.ClientTimeout(
            total=total_seconds, connect=CONNECT_SECONDS, sock_connect=CONNECT_SECONDS
        )
        self._session: aiohttp.ClientSession | None = None

    async def exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: str | None
    ) -> Exchange:
        """Send and read the whole answer. Raises NotSent, OutcomeUnknown."""
        data = None if body is None else body.encode()
        try:
            async with self._opened().request(
                method, url, headers=headers, data=data, allow_redirects=False
            ) as answer:
                return await answer.read(), answer.status, answer.headers
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            failure: PaymentsUnavailable = NotSent(type(error).__name__)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            failure = OutcomeUnknown(type(error).__name__)
        raise failure

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=CONNECTIONS,
                    keepalive_timeout=KEEPALIVE_SECONDS,
                    ttl_dns_cache=300,
                    ssl=self._trusted,
                ),
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    async def close(self) -> None:
        """Close the pool; the next exchange would open a new one."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


class HttpxTransport:
    """httpx with the same limits and deadlines."""

    name = "httpx"

    def __init__(self, *, trusted: ssl.SSLContext | bool, total_seconds: float) -> None:
        self._total_seconds = total_seconds
        self._client = httpx.AsyncClient(
            verify=trusted,
            trust_env=False,
            timeout=httpx.Timeout(total_seconds, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=CONNECTIONS, keepalive_expiry=KEEPALIVE_SECONDS),
        )
        self._client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    async def exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: str | None
    ) -> Exchange:
        """Send and read the whole answer. Raises NotSent, OutcomeUnknown."""
        try:
            # httpx limits each read; the deadline of the whole exchange is ours.
            async with asyncio.timeout(self._total_seconds):
                answer = await self._client.request(
                    method, url, headers=dict(headers), content=body
                )
                return answer.content, answer.status_code, answer.headers
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            failure: PaymentsUnavailable = NotSent(type(error).__name__)
        except (httpx.RequestError, TimeoutError) as error:
            failure = OutcomeUnknown(type(error).__name__)
        raise failure

    async def close(self) -> None:
        """Close the pool for good."""
        await self._client.aclose()


def transport_named(
    name: TransportName, *, trusted: ssl.SSLContext | bool, total_seconds: float = TOTAL_SECONDS
) -> Transport:
    """The transport of that name; `total_seconds` is the deadline of one exchange."""
    kind = AiohttpTransport if name == "aiohttp" else HttpxTransport
    return kind(trusted=trusted, total_seconds=total_seconds)
