"""A clock that tests move: time is passed in everywhere, so nothing sleeps."""

from datetime import UTC, datetime, timedelta


class MovedClock:
    """Answers one moment until it is moved. Starts at the real now, for Stripe's stamps are real too."""

    def __init__(self, start: datetime | None = None) -> None:
        self.moment = start or datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.moment

    def move(self, **by: float) -> datetime:
        """Go forward by `timedelta(**by)` and answer the new moment."""
        self.moment += timedelta(**by)
        return self.moment
