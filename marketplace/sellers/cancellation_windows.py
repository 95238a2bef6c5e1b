"""How much of a session is refunded when its buyer cancels, by how long before its start. Pure.

Windows are read from the earliest to the latest: the first one whose hours are still ahead decides. After
the start nothing is refunded; a session that has no time yet is refunded whole, and so is one whose time was
set or moved less than a day ago: the buyer never agreed to a shorter notice.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

import msgspec

from marketplace.sellers.errors import CancellationWindowsRefused
from payments.currencies import currency as find_currency
from payments.money import portion

WHOLE_BASIS_POINTS: Final = 10_000
WINDOWS_LIMIT: Final = 5
LONGEST_HOURS: Final = 90 * 24
TIME_TO_OBJECT: Final = timedelta(hours=24)
"""How long a buyer may cancel for nothing after the seller has set or moved the time."""


class CancellationWindow(msgspec.Struct, frozen=True, kw_only=True):
    """Canceled at least `hours_before` the start, so many basis points of what was paid are refunded."""

    hours_before: int
    refund_basis_points: int


Windows = tuple[CancellationWindow, ...]

PLATFORM_WINDOWS: Final[Windows] = (
    CancellationWindow(hours_before=24, refund_basis_points=WHOLE_BASIS_POINTS),
    CancellationWindow(hours_before=0, refund_basis_points=5_000),
)
"""What holds where the seller has said nothing else."""


def checked(windows: Sequence[CancellationWindow]) -> Windows:
    """The windows as they were given. Raises CancellationWindowsRefused.

    Hours fall from one to the next, and so does what is refunded: waiting never pays.
    """
    if not 1 <= len(windows) <= WINDOWS_LIMIT:
        raise CancellationWindowsRefused("count", limit=WINDOWS_LIMIT)
    for window in windows:
        if not 0 <= window.hours_before <= LONGEST_HOURS:
            raise CancellationWindowsRefused("hours_before", limit=LONGEST_HOURS)
        if not 0 <= window.refund_basis_points <= WHOLE_BASIS_POINTS:
            raise CancellationWindowsRefused("refund_basis_points", limit=WHOLE_BASIS_POINTS)
    for earlier, later in pairwise(windows):
        if later.hours_before >= earlier.hours_before:
            raise CancellationWindowsRefused("hours_rise", limit=earlier.hours_before)
        if later.refund_basis_points > earlier.refund_basis_points:
            raise CancellationWindowsRefused("refund_rises", limit=earlier.refund_basis_points)
    return tuple(windows)


def share_of(
    windows: Windows, *, starts_at: datetime | None, scheduled_at: datetime | None, now: datetime
) -> int:
    """The basis points of what was paid that a buyer who cancels now gets back.

    `scheduled_at` is when the time was last set or moved.
    """
    if starts_at is None:
        return WHOLE_BASIS_POINTS
    if now >= starts_at:
        return 0
    if scheduled_at is not None and now < scheduled_at + TIME_TO_OBJECT:
        return WHOLE_BASIS_POINTS
    ahead = starts_at - now
    for window in windows:
        if ahead >= timedelta(hours=window.hours_before):
            return window.refund_basis_points
    return 0


def share_in_money(paid: int, basis_points: int, currency: str) -> int:
    """That share of `paid` (minor units), in whole steps of the currency, rounded half up once."""
    step = find_currency(currency).step
    return portion(paid // step, basis_points) * step


def encoded(windows: Windows | None) -> str | None:
    """As a column keeps them; None stands for the platform's."""
    return None if windows is None else msgspec.json.encode(windows).decode()


def decoded(kept: str | None) -> Windows:
    """As a column kept them; the platform's where it kept none."""
    return PLATFORM_WINDOWS if kept is None else msgspec.json.decode(kept, type=Windows)
