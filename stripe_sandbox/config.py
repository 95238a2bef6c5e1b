"""How a sandbox is set up."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Scope = Literal["platform", "accounts", "connect"]
SCOPES: tuple[Scope, ...] = ("platform", "accounts", "connect")


@dataclass(slots=True, frozen=True)
class Destination:
    """Where events of one scope go.

    `platform`: snapshot events of the platform's own objects. `accounts`: thin events about
    connected accounts. `connect`: snapshot events of connected accounts' objects. Several secrets,
    as while one is being rolled, give several `v1` signatures.
    """

    scope: Scope
    url: str
    secrets: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.scope not in SCOPES:
            raise ValueError(f"a destination's scope is one of {', '.join(SCOPES)}")
        if not self.url.startswith(("http://", "https://")):
            raise ValueError(f"the {self.scope} destination's URL is not http(s): {self.url!r}")
        if not self.secrets or not all(self.secrets):
            raise ValueError(f"the {self.scope} destination needs a signing secret, none empty")


@dataclass(slots=True, frozen=True)
class SandboxConfig:
    """Everything a sandbox is told at its start; without destinations, events are only listed.

    `retry_seconds` are the waits before the second, third, ... attempt of a delivery, by the
    virtual clock; the last one repeats until `give_up_seconds` after the event.
    `unrequested_as_null` writes the v2 account fields that were not asked for with `include` as
    null, as Stripe's servers do; without it they are left out, as its description says.
    `receiver_shares_clock` signs deliveries with the virtual time, for receivers that move with it;
    others check signatures by the real time, and would find every later one stale or too early.
    `state_file` keeps the sandbox's memory between two runs.
    """

    host: str = "127.0.0.1"
    port: int = 12111
    destinations: tuple[Destination, ...] = ()
    delivery_timeout_seconds: float = 10.0
    deliveries_at_once: int = 1
    retry_seconds: tuple[float, ...] = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600)
    give_up_seconds: int = 3 * 24 * 3600
    account_link_seconds: int = 300
    unrequested_as_null: bool = False
    receiver_shares_clock: bool = False
    state_file: Path | None = None
