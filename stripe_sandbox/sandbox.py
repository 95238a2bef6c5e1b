"""One sandbox: its world and everything around it, built from a configuration."""

from collections import deque
from typing import Any

from .config import SandboxConfig
from .delivery import Deliveries
from .faults import Faults
from .idempotency import IdempotencyKeys
from .world import World

KEPT_REQUESTS = 20_000


class Sandbox:
    """The parts every request, page and control needs. Nothing is shared between two of them."""

    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self.world = World()
        self.faults = Faults()
        self.keys = IdempotencyKeys()
        self.deliveries = Deliveries(config, self.faults, self.world.instant)
        self.changes = 0  # how often something may have changed
        self.requests: deque[dict[str, Any]] = deque(maxlen=KEPT_REQUESTS)
        self.world.on_event = self.deliveries.send

    def advance(self, seconds: int) -> int:
        """Move the clock forward; what becomes due by it happens. Answers the new time."""
        now = self.world.advance(seconds)
        self.deliveries.wake()
        return now

    def reset(self) -> None:
        """As on the first day; the destinations stay."""
        self.world.reset()
        self.faults.clear()
        self.keys.reset()
        self.deliveries.reset()
        self.requests.clear()
