"""Months as statements count them: UTC, from the first moment of one to the first of the next. Pure."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from marketplace.books.errors import StatementNotFound

_WRITTEN: Final = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])")
CLOSES_AFTER: Final = timedelta(hours=1)
"""Longer than any transaction that began in a month may take to write what it posts."""


class Month(msgspec.Struct, frozen=True):
    """A month of a year."""

    year: int
    number: int

    @classmethod
    def named(cls, name: str) -> "Month":
        """`2026-11`. Raises StatementNotFound for anything else."""
        found = _WRITTEN.fullmatch(name)
        if found is None:
            raise StatementNotFound(name[:40])
        return cls(int(found[1]), int(found[2]))

    @classmethod
    def begun(cls, name: str, now: datetime) -> "Month":
        """The month of this name, unless it is still to come. Raises StatementNotFound."""
        month = cls.named(name)
        if month.first > now:
            raise StatementNotFound(name)
        return month

    @property
    def name(self) -> str:
        """As it is written in addresses."""
        return f"{self.year}-{self.number:02d}"

    @property
    def first(self) -> datetime:
        """The moment it begins."""
        return datetime(self.year, self.number, 1, tzinfo=UTC)

    @property
    def until(self) -> datetime:
        """The moment after its last."""
        year, number = (self.year + 1, 1) if self.number == 12 else (self.year, self.number + 1)
        return datetime(year, number, 1, tzinfo=UTC)

    @property
    def last_day(self) -> datetime:
        """The beginning of its last day."""
        return self.until - timedelta(days=1)

    def is_closed(self, now: datetime) -> bool:
        """Whether nothing can be added to it any more."""
        return now >= self.until + CLOSES_AFTER
