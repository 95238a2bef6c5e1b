"""What can be made to go wrong, and how often.

Requests: `lost_before` (connection cut, nothing executed), `lost_after` (executed and kept,
connection cut without an answer), `balance_insufficient` (a 400 kept without executing: the account
has no money for this), `error_500` (a 500 kept without executing), `error_500_after`
(executed, a 500 kept and answered), `rate_limit` and `lock_timeout` (429), `in_use` (409), `missing`
(404, as another account's key is answered), `slow` (waits `seconds`, then executes), `garbage`
(executed, answered 200 with something that is not JSON). Deliveries: `duplicate` (`copies` more),
`reorder` (after the next event of the destination), `drop`, `delay` (`seconds`).
"""

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import count

import msgspec

REQUEST_FAULTS = (
    "lost_before",
    "lost_after",
    "balance_insufficient",
    "error_500",
    "error_500_after",
    "rate_limit",
    "lock_timeout",
    "in_use",
    "missing",
    "slow",
    "garbage",
)
DELIVERY_FAULTS = ("duplicate", "reorder", "drop", "delay")


class Fault(msgspec.Struct, forbid_unknown_fields=True):
    """A switch: which requests (`method`, `path`) or events (`event`, `destination`) it hits.

    `path` and `event` are patterns with `*`. `skip` lets that many matches pass first; the switch
    is gone after `times` hits.
    """

    fault: str
    method: str = "*"
    path: str = "*"
    event: str = "*"
    destination: str = "*"
    times: int = 1
    skip: int = 0
    seconds: float = 1.0
    copies: int = 1
    id: int = 0

    def __post_init__(self) -> None:
        known = (*REQUEST_FAULTS, *DELIVERY_FAULTS)
        if self.fault not in known:
            raise ValueError(f"fault is one of {', '.join(known)}")
        if self.times < 1 or self.skip < 0 or self.copies < 1:
            raise ValueError("times and copies are at least 1, skip at least 0")
        if not 0 <= self.seconds <= 86_400:
            raise ValueError("seconds lies between 0 and 86400")

    @property
    def hits_requests(self) -> bool:
        return self.fault in REQUEST_FAULTS


@dataclass(slots=True)
class Faults:
    """The switches that are set, tried in the order they were set."""

    switches: list[Fault] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def add(self, fault: Fault) -> Fault:
        """Set a switch; it gets a number."""
        fault.id = next(self._numbers)
        self.switches.append(fault)
        return fault

    def clear(self, id: int | None = None) -> int:
        """Remove one switch or all of them; answers how many were removed."""
        kept = [f for f in self.switches if id is not None and f.id != id]
        removed = len(self.switches) - len(kept)
        self.switches = kept
        return removed

    def of_request(self, method: str, path: str) -> Fault | None:
        """The fault this request meets, used up by one."""
        for fault in self.switches:
            if (
                fault.hits_requests
                and fault.method.upper() in ("*", method)
                and fnmatchcase(path, fault.path)
            ):
                return self._use(fault)
        return None

    def of_delivery(self, event_type: str, scope: str) -> Fault | None:
        """The fault this delivery meets, used up by one."""
        for fault in self.switches:
            if (
                not fault.hits_requests
                and fault.destination in ("*", scope)
                and _matches(event_type, fault.event)
            ):
                return self._use(fault)
        return None

    def _use(self, fault: Fault) -> Fault | None:
        if fault.skip:
            fault.skip -= 1
            return None
        fault.times -= 1
        if fault.times == 0:
            self.switches.remove(fault)
        return fault


def _matches(event_type: str, pattern: str) -> bool:
    # v2 event types hold brackets, which a pattern would read as a set of letters
    return event_type == pattern or fnmatchcase(event_type, pattern.replace("[", "[[]"))
