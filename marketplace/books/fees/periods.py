"""Days that sums are asked for, cut into whole months and the days around them. Pure."""

from datetime import date, timedelta

import msgspec


class Span(msgspec.Struct, frozen=True):
    """From `since` on, before `until`; nothing where they meet."""

    since: date
    until: date


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """The same days in as few sums as can be: those before, whole months, those after."""

    whole: Span
    before: Span
    months: Span
    after: Span
    touched: Span
    """Every month that has a day of it."""


def cut(since: date | None, until: date | None) -> Cut:
    """None leaves an end open."""
    begins, ends = since or date.min, until or date.max
    ends = max(begins, ends)
    first = begins if begins.day == 1 else _next_month(begins)
    last = ends.replace(day=1) if ends != date.max else date.max
    if first >= last:
        first = last = ends
    return Cut(
        whole=Span(begins, ends),
        before=Span(begins, min(first, ends)),
        months=Span(first, last),
        after=Span(max(last, begins), ends),
        touched=Span(begins.replace(day=1), ends),
    )


def _next_month(day: date) -> date:
    if (day.year, day.month) == (date.max.year, date.max.month):
        return date.max
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)
