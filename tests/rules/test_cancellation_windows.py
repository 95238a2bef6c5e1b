"""How much of a session comes back when its buyer cancels: by the hour, by the unit."""

from datetime import UTC, datetime, timedelta

import pytest

from marketplace.sellers.cancellation_windows import (
    PLATFORM_WINDOWS,
    TIME_TO_OBJECT,
    CancellationWindow,
    checked,
    decoded,
    encoded,
    share_in_money,
    share_of,
)
from marketplace.sellers.errors import CancellationWindowsRefused

START = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
LONG_AGO = START - timedelta(days=7)
STRICT = (
    CancellationWindow(hours_before=72, refund_basis_points=8_000),
    CancellationWindow(hours_before=24, refund_basis_points=3_333),
)


@pytest.mark.parametrize(
    ("before", "share"),
    [
        (timedelta(days=7), 10_000),
        (timedelta(hours=24), 10_000),
        (timedelta(hours=24) - timedelta(seconds=1), 5_000),
        (timedelta(seconds=1), 5_000),
        (timedelta(0), 0),
        (timedelta(hours=-1), 0),
    ],
)
def test_the_platform_refunds_all_a_day_before_and_half_until_the_start(
    before: timedelta, share: int
) -> None:
    told = share_of(PLATFORM_WINDOWS, starts_at=START, scheduled_at=LONG_AGO, now=START - before)
    assert told == share


@pytest.mark.parametrize(
    ("hours", "share"), [(100, 8_000), (72, 8_000), (71, 3_333), (24, 3_333), (23, 0), (0, 0)]
)
def test_a_sellers_own_windows_are_read_from_the_longest_notice(hours: int, share: int) -> None:
    now = START - timedelta(hours=hours)
    assert share_of(STRICT, starts_at=START, scheduled_at=LONG_AGO, now=now) == share


def test_a_session_without_a_time_is_refunded_whole() -> None:
    assert share_of(STRICT, starts_at=None, scheduled_at=None, now=START) == 10_000


def test_a_time_that_was_just_set_or_moved_costs_the_buyer_nothing() -> None:
    """A seller cannot move a session to tomorrow morning and keep half of it."""
    moved = START - timedelta(hours=30)
    soon = moved + TIME_TO_OBJECT - timedelta(seconds=1)
    assert share_of(STRICT, starts_at=START, scheduled_at=moved, now=soon) == 10_000
    late = moved + TIME_TO_OBJECT
    assert share_of(STRICT, starts_at=START, scheduled_at=moved, now=late) == 0
    assert share_of(STRICT, starts_at=START, scheduled_at=START, now=START) == 0


@pytest.mark.parametrize(
    ("paid", "share", "currency", "money"),
    [
        (6_000, 5_000, "eur", 3_000),
        (6_001, 5_000, "eur", 3_001),
        (999, 3_333, "eur", 333),
        (333, 5_000, "jpy", 167),
        (10_010, 5_000, "kwd", 5_010),
        (100_300, 5_000, "isk", 50_200),
        (6_000, 0, "eur", 0),
        (6_000, 10_000, "eur", 6_000),
    ],
)
def test_the_share_is_rounded_half_up_once_to_an_amount_that_exists(
    paid: int, share: int, currency: str, money: int
) -> None:
    assert share_in_money(paid, share, currency) == money


def test_they_are_kept_as_they_were() -> None:
    assert decoded(encoded(STRICT)) == checked(STRICT) == STRICT
    assert decoded(encoded(None)) == PLATFORM_WINDOWS == checked(PLATFORM_WINDOWS)


@pytest.mark.parametrize(
    ("windows", "why"),
    [
        ((), "count"),
        (STRICT * 3, "count"),
        ((CancellationWindow(hours_before=24 * 91, refund_basis_points=0),), "hours_before"),
        ((CancellationWindow(hours_before=1, refund_basis_points=-1),), "refund_basis_points"),
        (STRICT + STRICT[1:], "hours_rise"),
        (STRICT[::-1], "hours_rise"),
        (
            (
                CancellationWindow(hours_before=2, refund_basis_points=1),
                CancellationWindow(hours_before=1, refund_basis_points=2),
            ),
            "refund_rises",
        ),
    ],
)
def test_what_could_not_be_read_is_refused(
    windows: tuple[CancellationWindow, ...], why: str
) -> None:
    with pytest.raises(CancellationWindowsRefused) as refusal:
        checked(windows)
    assert refusal.value.why == why
