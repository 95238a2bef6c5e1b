"""A clock that tests move: time is passed in everywhere, so nothing sleeps."""

import os
from datetime import UTC, datetime, time, timedelta
from typing import Final

_MORNING: Final = time(9, tzinfo=UTC)


def beginning() -> datetime:
    """The first moment of every story: the next morning, so that each run meets midnight at the same step.

    Not further ahead: ids and the database's own stamps come from the machine's clock. The environment's
    `TESTS_BEGIN_AT` (ISO 8601 with its offset, from now to some weeks ahead) tries another moment.
    """
    if wanted := os.environ.get("TESTS_BEGIN_AT"):
        return datetime.fromisoformat(wanted).astimezone(UTC)
    now = datetime.now(UTC)
    morning = datetime.combine(now, _MORNING)
    return morning if morning > now else morning + timedelta(days=1)


class MovedClock:
    """Answers one moment until it is moved."""

    def __init__(self, start: datetime | None = None) -> None:
        self.moment = start or beginning()

    def __call__(self) -> datetime:
        return self.moment

    def move(self, **by: float) -> datetime:
        """Go forward by `timedelta(**by)` and answer the new moment."""
        self.moment += timedelta(**by)
        return self.moment
