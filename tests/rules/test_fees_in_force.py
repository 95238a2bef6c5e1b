"""Which version of the fee rules is in force when: told for a draft before it is approved."""

import random
from datetime import UTC, datetime, timedelta

from marketplace.fees.in_force import Meant, Reign, reigns

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def at(days: int) -> datetime:
    return NOON + timedelta(days=days)


def meant(version: int, start: int, end: int | None = None) -> Meant:
    return Meant(
        id=f"fsc_{version}",
        version=version,
        effective_from=at(start),
        effective_to=None if end is None else at(end),
    )


def told(found: list[Reign]) -> list[tuple[int, int, int | None]]:
    return [
        (
            one.version,
            (one.since - NOON).days,
            None if one.until is None else (one.until - NOON).days,
        )
        for one in found
    ]


def test_a_season_gives_way_to_what_it_covered_and_a_later_start_covers_it() -> None:
    first, season, new_year = meant(1, -100), meant(2, 5, 30), meant(3, 20)
    draft = meant(0, 10, 40)
    assert told(reigns([first, season, new_year, draft], NOON)) == [
        (1, 0, 5),
        (2, 5, 10),
        (0, 10, 20),
        (3, 20, None),
    ]


def test_of_two_with_one_start_the_draft_is_the_newer() -> None:
    assert told(reigns([meant(0, 5), meant(7, 5), meant(1, -1)], NOON)) == [(1, 0, 5), (0, 5, None)]


def test_where_nothing_is_in_force_nothing_is_told() -> None:
    assert told(reigns([meant(1, 3, 5), meant(2, 9)], NOON)) == [(1, 3, 5), (2, 9, None)]
    assert reigns([meant(1, -5, -1)], NOON) == []


def test_every_day_is_the_version_that_started_last() -> None:
    chance = random.Random(4)
    for _ in range(200):
        versions = [
            meant(version, start, chance.choice((None, start + chance.randint(1, 9))))
            for version, start in enumerate(chance.choices(range(-5, 15), k=5), start=1)
        ]
        found = reigns(versions, NOON)
        for day in range(30):
            mine = [
                one for one in found if one.since <= at(day) and (one.until or at(99)) > at(day)
            ]
            alive = [
                one
                for one in versions
                if one.effective_from <= at(day) < (one.effective_to or at(99))
            ]
            last = max(alive, key=lambda one: (one.effective_from, one.version), default=None)
            assert [one.id for one in mine] == ([] if last is None else [last.id])
