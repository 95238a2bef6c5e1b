"""What time brings about: things that are due when the virtual clock has passed a moment."""

import heapq
from collections.abc import Callable

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
    heapq.heappush(_queue(world), (moment, name, id))


@on_clock
def run_due(world: World) -> None:
    """Do everything that is due by now, earliest first."""
    queue = _queue(world)
    while queue and queue[0][0] <= world.now():
        _moment, name, id = heapq.heappop(queue)
        _ACTIONS[name](world, id)


def _queue(world: World) -> list[tuple[int, str, str]]:
    kept = world.peek(_KIND, _ID)
    if kept is None:
        kept = world.put({"object": _KIND, "id": _ID, "queue": []})
    queue: list[tuple[int, str, str]] = kept["queue"]
    return queue
