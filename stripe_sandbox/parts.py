"""Lists inside objects: the refunds of a fee or charge, the reversals of a transfer.

An object keeps the ids of its parts, oldest first; the parts themselves are kept in the world.
"""

from .errors import Json
from .world import World

MOST_INSIDE = 10


def parts_of(world: World, kind: str, ids: list[str]) -> list[Json]:
    """The parts, newest first."""
    found = (world.peek(kind, id) for id in reversed(ids))
    return [part for part in found if part is not None]


def list_inside(world: World, kind: str, ids: list[str], url: str) -> Json:
    """The list an object carries of its newest ten parts."""
    return {
        "object": "list",
        "data": parts_of(world, kind, ids[-MOST_INSIDE:]),
        "has_more": len(ids) > MOST_INSIDE,
        "url": url,
    }
