"""What time brings about: things that are due when the virtual clock has passed a moment."""

import heapq
from collections.abc import Callable

from .errors import Json
from .world import World, on_clock

Action = Callable[[World, str], None]

_ACTIONS: dict[str, Action] = {}
_KIND, _ID = "sandbox.schedule", "due"


def action(name: str) -> Callable[[Action], Action]:
    """Register what is done, with the id of an object, when a moment of this name has come."""

    def register(function: Action) -> Action:
        _ACTIONS[name] = function
        return function

    return register


def at(world: World, moment: int, name: str, id: str) -> None:
    """Have the action done once the clock stands at or after `moment` (unix seconds)."""
    memory = _memory(world)
    memory["count"] += 1
    heapq.heappush(memory["queue"], (moment, memory["count"], name, id))


@on_clock
def run_due(world: World) -> None:
    """Do everything that is due by now, earliest first, each at its own moment."""
    queue: list[tuple[int, int, str, str]] = _memory(world)["queue"]
    try:
        while queue and queue[0][0] <= int(world.instant()):
            moment, _count, name, id = heapq.heappop(queue)
            world.moment = max(moment, world.moment or 0)
            _ACTIONS[name](world, id)
    finally:
        world.moment = None


def _memory(world: World) -> Json:
    """What is due, and how many things ever were: of the same moment, the first comes first."""
    kept = world.peek(_KIND, _ID)
    if kept is None:
        kept = world.put({"object": _KIND, "id": _ID, "queue": [], "count": 0})
    return kept
