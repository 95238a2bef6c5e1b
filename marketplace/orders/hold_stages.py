"""When the stages of a hold begin: reminded, reminded again, escalated, ended here. Pure."""

from datetime import datetime, timedelta
from typing import Final

REMINDED: Final = timedelta(hours=48)
REMINDED_AGAIN: Final = timedelta(hours=24)
ESCALATED: Final = timedelta(hours=12)
ENDED: Final = timedelta(hours=2)
"""Before the bank's hold ends, so that an answer of Stripe's may get lost and still be found."""
ENDED_PART: Final = 4
"""Of a hold of a few hours the last quarter is ours."""


def moments(held_at: datetime, capture_before: datetime) -> tuple[datetime, ...]:
    """When each stage begins, of a hold from `held_at` to `capture_before`. Pure."""
    ended = min(ENDED, (capture_before - held_at) / ENDED_PART)
    return tuple(capture_before - ahead for ahead in (REMINDED, REMINDED_AGAIN, ESCALATED, ended))


def stage_of(stages: tuple[datetime, ...], now: datetime) -> int:
    """How many stages have begun. Pure."""
    return sum(moment <= now for moment in stages)
