"""Moments in queries: RFC 3339; one that does not say its zone is UTC."""

from datetime import UTC, datetime


def aware(moment: datetime | None) -> datetime | None:
    """The moment with its zone."""
    if moment is None or moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=UTC)
