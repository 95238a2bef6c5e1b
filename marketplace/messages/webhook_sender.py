"""One HTTP POST to a stranger's address: checked, never redirected, short in time, its answer unread."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from ipaddress import ip_address

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult

from marketplace.messages.addresses import checked_url, is_allowed
from marketplace.messages.errors import WebhookUrlRefused

TOTAL_SECONDS = 10.0
CONNECT_SECONDS = 5.0
_USER_AGENT = "Marketplace-Webhooks/1"

Lookup = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a name."""


class Answered(msgspec.Struct, frozen=True):
    """What came of one POST: the HTTP status, or why there is none."""

    status: int | None
    note: str | None = None


class AddressRefused(OSError):
    """A name resolves to an address that we do not connect to."""


class WebhookSender:
    """Connects anew for each delivery, so that each one's address is checked."""

    def __init__(
        self,
        *,
        loopback_allowed: bool,
        lookup: Lookup | None = None,
        trusted: ssl.SSLContext | None = None,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        self._loopback_allowed = loopback_allowed
        self._lookup = lookup or _ask_dns
        self._trusted = trusted
        self._total_seconds = total_seconds
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answered:
        """Send; never raises for what the other side does."""
        try:
            checked_url(url, loopback_allowed=self._loopback_allowed)
            async with self._opened().post(
                url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                taken = 200 <= answer.status < 300
                return Answered(answer.status, None if taken else f"HTTP {answer.status}")
        except WebhookUrlRefused:
            return Answered(None, "address not allowed")
        except aiohttp.ClientConnectorError as error:
            refused = isinstance(error.os_error, AddressRefused)
            return Answered(None, "address not allowed" if refused else "no connection")
        except TimeoutError:
            return Answered(None, f"no answer within {self._total_seconds:.0f} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Answered(None, type(error).__name__)

    async def close(self) -> None:
        """Close what is open; the next POST would open anew."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=_Checked(self._lookup, self._loopback_allowed),
                    use_dns_cache=False,
                    force_close=True,
                    ssl=self._trusted or True,
                ),
                timeout=aiohttp.ClientTimeout(total=self._total_seconds, connect=CONNECT_SECONDS),
                headers={"Content-Type": "application/json", "User-Agent": _USER_AGENT},
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
        return self._session


class _Checked(AbstractResolver):
    """Answers the addresses of a name if all of them are allowed: what is connected to was checked."""

    def __init__(self, lookup: Lookup, loopback_allowed: bool) -> None:
        self._lookup, self._loopback_allowed = lookup, loopback_allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        addresses = await self._lookup(host, port)
        if not addresses:
            raise OSError("the name has no address")
        for address in addresses:
            if not is_allowed(address, loopback_allowed=self._loopback_allowed):
                raise AddressRefused("address not allowed")
        return [_result(host, address, port) for address in addresses]

    async def close(self) -> None:
        """Nothing is open."""


def _result(host: str, address: str, port: int) -> ResolveResult:
    version = ip_address(address).version
    return ResolveResult(
        hostname=host,
        host=address,
        port=port,
        family=socket.AF_INET if version == 4 else socket.AF_INET6,
        proto=0,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )


async def _ask_dns(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
    )
    return [str(address[0]) for *_, address in found]
