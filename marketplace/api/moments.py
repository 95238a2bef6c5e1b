"""Moments in queries: RFC 3339; one that does not say its zone is UTC."""

from datetime import UTC, datetime
from typing import Annotated

from litestar.params import QueryParameter

From = Annotated[
    datetime | None, QueryParameter(name="from", description="From this moment on (RFC 3339).")
]
To = Annotated[
    datetime | None, QueryParameter(name="to", description="Before this moment (RFC 3339).")
]


def aware(moment: datetime | None) -> datetime | None:
    """The moment with its zone."""
    if moment is None or moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=UTC)
