"""Cursor pages: a list is read from an id onward, so that new rows never shift what is read next. Pure."""

from collections.abc import Sequence
from typing import Final, Generic, Protocol, TypeVar

import msgspec


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


Item = TypeVar("Item")
Identified = TypeVar("Identified", bound=_Identified)

PAGE_LIMIT: Final = 100
PAGE_DEFAULT: Final = 20


class PageRequest(msgspec.Struct, frozen=True, kw_only=True):
    """At most `limit` items, those that follow the item with the id `starting_after`."""

    limit: int = PAGE_DEFAULT
    starting_after: str | None = None

    @property
    def fetched(self) -> int:
        """How many rows to read: one more than wanted tells whether there are more."""
        return min(max(self.limit, 1), PAGE_LIMIT) + 1


class Page(msgspec.Struct, Generic[Item], frozen=True):
    """One page of a list and whether more follow."""

    data: list[Item]
    has_more: bool

    @classmethod
    def cut(cls, found: Sequence[Item], request: PageRequest) -> "Page[Item]":
        """The page of `request`, from the `request.fetched` rows that were read for it."""
        wanted = request.fetched - 1
        return cls(list(found[:wanted]), len(found) > wanted)


def page_of(whole: Sequence[Identified], request: PageRequest) -> Page[Identified]:
    """The page of a list that is read whole: a short one, or one that is not for everybody whole."""
    if request.starting_after is None:
        return Page.cut(whole, request)
    places = {one.id: place for place, one in enumerate(whole)}
    return Page.cut(whole[places.get(request.starting_after, len(whole)) + 1 :], request)
