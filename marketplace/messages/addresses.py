"""Where sellers' webhooks may go: public addresses over HTTPS, and nowhere inside our own network. Pure.

A URL is checked when it is given; every address that its name resolves to is checked again at each sending,
and the checked address is the one connected to, so that a name that points elsewhere a moment later (DNS
rebinding) gains nothing. Only a sandboxed program may send to its own machine.
"""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final
from urllib.parse import SplitResult, urlsplit

from marketplace.messages.errors import WebhookUrlRefused

LONGEST_URL: Final = 2000
_LEAST_FREE_PORT: Final = 1024
_HTTPS_PORT: Final = 443
_VISIBLE: Final = re.compile(r"[!-~]+")
_HOST_NAME: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*")
# What inet_aton also takes for an IPv4 address: 2130706433, 0x7f.1, 0177.0.0.1.
_NUMERIC_END: Final = re.compile(r"(.*\.)?(0x[0-9a-f]*|[0-9]+)")
_INSIDE: Final = tuple(
    map(
        ip_network,
        (
            # Azure answers its machines' questions about themselves there, though it is a public address.
            "168.63.129.16/32",
            # Special purposes (RFC 6890, RFC 7526), as Oracle's cloud uses them for the same; Python's
            # `is_global` takes some of them for global, differently in each version.
            "100.64.0.0/10",
            "192.0.0.0/24",
            "192.88.99.0/24",
            "198.18.0.0/15",
            # IPv6 that stands for IPv4, or for nothing: Teredo and its kin, 6to4, documentation.
            "2001::/23",
            "2002::/16",
            "3fff::/20",
        ),
    )
)
_GLOBAL_IPV6: Final = ip_network("2000::/3")
"""The only unicast addresses that IANA has given out (RFC 4291)."""


def checked_url(url: str, *, loopback_allowed: bool) -> str:
    """The URL if we may send there, as far as can be told without asking DNS. Raises WebhookUrlRefused."""
    parts = _split(url)
    host = parts.hostname or ""
    literal = _literal(host)
    if literal is None and (not _HOST_NAME.fullmatch(host) or _NUMERIC_END.fullmatch(host)):
        raise WebhookUrlRefused("malformed")
    here = _is_loopback(literal) if literal else _is_localhost(host)
    if here and not loopback_allowed:
        raise WebhookUrlRefused("not_public")
    if parts.scheme != "https" and not (parts.scheme == "http" and here):
        raise WebhookUrlRefused("not_https")
    if literal and not is_allowed(str(literal), loopback_allowed=loopback_allowed):
        raise WebhookUrlRefused("not_public")
    if not here and parts.port not in (None, _HTTPS_PORT) and parts.port < _LEAST_FREE_PORT:
        raise WebhookUrlRefused("port_refused")
    return url


def is_allowed(address: str, *, loopback_allowed: bool) -> bool:
    """Whether we may connect to this IP address."""
    if "%" in address:
        return False  # a zone is a link of ours
    ip = ip_address(address)
    if _is_loopback(ip):
        return loopback_allowed
    if isinstance(ip, IPv6Address) and ip not in _GLOBAL_IPV6:
        return False
    inside = any(ip in network for network in _INSIDE)
    return ip.is_global and not (inside or ip.is_multicast or ip.is_reserved)


def host_shown(url: str) -> str:
    """The URL without its path, which may hold a secret of the receiver's."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _split(url: str) -> SplitResult:
    if not _VISIBLE.fullmatch(url) or "\\" in url or len(url) > LONGEST_URL:
        raise WebhookUrlRefused("malformed")
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises when it is not one
    except ValueError:
        raise WebhookUrlRefused("malformed") from None
    if parts.scheme not in ("http", "https"):
        raise WebhookUrlRefused("not_https")
    if "@" in parts.netloc:
        raise WebhookUrlRefused("has_credentials")
    if "#" in url:
        raise WebhookUrlRefused("has_fragment")
    return parts


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _is_loopback(ip: IPv4Address | IPv6Address) -> bool:
    # An IPv4 address within IPv6 is no loopback to some Pythons, and to none here.
    return ip.is_loopback and not (isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None)


def _is_localhost(host: str) -> bool:
    return host == "localhost" or host.endswith(".localhost")
