"""One try to deliver: when it was, and what came of it. Kept as JSON with its delivery. Pure."""

from datetime import datetime

import msgspec


class Try(msgspec.Struct, frozen=True, kw_only=True):
    """`status` is the endpoint's answer; without one, `note` says why there was none."""

    at: datetime
    status: int | None
    note: str | None
