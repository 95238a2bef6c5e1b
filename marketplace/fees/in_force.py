"""Which version of the fee rules is in force when, with those to come. Pure.

In force is the version that started last, of those that have not ended; of two with one start, the newer.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec


class Meant(msgspec.Struct, frozen=True, kw_only=True):
    """From when to when a version is meant to be in force; without an end None. A draft's `version` is 0."""

    id: str
    version: int
    effective_from: datetime
    effective_to: datetime | None


class Reign(msgspec.Struct, frozen=True, kw_only=True):
    """A version in force from `since` up to but without `until`; None is for good."""

    id: str
    version: int
    since: datetime
    until: datetime | None


def reigns(meant: Sequence[Meant], since: datetime) -> list[Reign]:
    """Which version is in force at which time from `since` on, each change once, to the last."""
    changes = {since} | {one.effective_from for one in meant if one.effective_from > since}
    changes |= {one.effective_to for one in meant if one.effective_to and one.effective_to > since}
    found: list[Reign] = []
    for moment in sorted(changes):
        winner = _winner(meant, moment)
        if found and (winner is None or winner.id != found[-1].id) and found[-1].until is None:
            found[-1] = msgspec.structs.replace(found[-1], until=moment)
        if winner is not None and (not found or found[-1].until is not None):
            found.append(Reign(id=winner.id, version=winner.version, since=moment, until=None))
    return found


def _winner(meant: Sequence[Meant], moment: datetime) -> Meant | None:
    at_work = [
        one
        for one in meant
        if one.effective_from <= moment and (one.effective_to is None or one.effective_to > moment)
    ]
    # What is approved now is the newest.
    return max(
        at_work,
        key=lambda one: (one.effective_from, one.version == 0, one.version),
        default=None,
    )
