"""A clock that tests move: time is passed in everywhere, so nothing sleeps.

`python -m tests.clocks` says the moments at which `make calendar` lets the stories begin.
"""

import os
import sys
from datetime import UTC, datetime, time, timedelta
from typing import Final

_MORNING: Final = time(9, tzinfo=UTC)
_LONGEST_RUN: Final = timedelta(hours=3)
"""No run of the tests takes longer: what begins so much ahead stays ahead of the machine's clock."""


def _beginning(wanted: str | None, now: datetime) -> datetime:
    if wanted:
        return datetime.fromisoformat(wanted).astimezone(UTC)
    morning = datetime.combine(now, _MORNING)
    return morning if morning > now + _LONGEST_RUN else morning + timedelta(days=1)


BEGINNING: Final = _beginning(os.environ.get("TESTS_BEGIN_AT"), datetime.now(UTC))
"""The first moment of every story: the next morning, so that each run meets midnight at the same step.

Decided once: a run across nine o'clock would otherwise go on a day later, among the rows of earlier tests.
Not further ahead: ids and the database's own stamps come from the machine's clock. The environment's
`TESTS_BEGIN_AT` (ISO 8601 with its offset, some hours to some weeks ahead) tries another moment.
"""


def nasty_moments(after: datetime) -> list[datetime]:
    """Late in the evening, late on the last evening of a month, and the first minutes of a month."""
    midnight = datetime.combine(after, time.min, UTC) + timedelta(days=1)
    evening = midnight - timedelta(minutes=20)
    next_month = (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)
    return [
        evening if evening > after else evening + timedelta(days=1),
        next_month - timedelta(minutes=40),
        next_month + timedelta(minutes=5),
    ]


class MovedClock:
    """Answers one moment until it is moved."""

    def __init__(self, start: datetime | None = None) -> None:
        self.moment = start or BEGINNING

    def __call__(self) -> datetime:
        return self.moment

    def move(self, **by: float) -> datetime:
        """Go forward by `timedelta(**by)` and answer the new moment."""
        self.moment += timedelta(**by)
        return self.moment


if __name__ == "__main__":
    sys.stdout.writelines(
        f"{at.isoformat()}\n" for at in nasty_moments(datetime.now(UTC) + _LONGEST_RUN)
    )
