"""Where the program's time goes: Python's functions from inside, SQL statements from the database."""

import pstats
from pathlib import Path

from tests.benchmarks.databases import Server

_ROOT = Path(__file__).resolve().parents[2]
_LONGEST_SQL = 150
_SMALLEST_SHARE = 0.005
_FUNCTIONS = 40

Place = tuple[str, int, str]
"""File, line and name of a function, as the profiler says it."""


def statements(server: Server, database: str, requests: int) -> str:
    """Every statement that ran for at least one request in a hundred, and how many there are in all."""
    often = [one for one in server.statements(database) if one.calls * 100 >= requests]
    total = sum(one.calls for one in often) / requests
    lines = [f"  {total:.2f} SQL statements a request", "  calls/req     ms  statement"]
    lines += [
        f"  {one.calls / requests:>9.2f}{one.milliseconds:>7.3f}  {one.sql[:_LONGEST_SQL]}"
        for one in often
    ]
    return "\n".join(lines)


def functions(profile: Path, requests: int) -> str:
    """The dearest functions by their own time, and ours with everything they call.

    The profiler slows what it sees about threefold: shares count, not milliseconds.
    """
    found = _timed(profile)
    total = sum(own for own, _ in found.values())
    by_own = sorted(((own, place) for place, (own, _) in found.items()), reverse=True)
    by_all = sorted(
        ((whole, place) for place, (_, whole) in found.items() if _is_ours(place)), reverse=True
    )
    return "\n".join(
        [
            f"  functions by their own time, of {total * 1000 / requests:.2f} ms a request (profiled)",
            *_lines(by_own, total),
            "  functions of ours, with all they call",
            *_lines(by_all, total),
        ]
    )


def _timed(profile: Path) -> dict[Place, tuple[float, float]]:
    """Own seconds and seconds with all calls. The loop's `run` is left out: waiting counts there."""
    stats = pstats.Stats(str(profile)).stats  # type: ignore[attr-defined]
    return {
        place: (own, whole)
        for place, (_, _, own, whole, _) in stats.items()
        if not place[0].endswith("asyncio/runners.py")
    }


def _is_ours(place: Place) -> bool:
    folder = place[0].removeprefix(f"{_ROOT}/").split("/")[0]
    return folder in ("marketplace", "connect", "payments")


def _lines(found: list[tuple[float, Place]], total: float) -> list[str]:
    shown = [one for one in found if one[0] >= total * _SMALLEST_SHARE][:_FUNCTIONS]
    return [f"  {seconds / total:>7.1%}  {_name(place)}" for seconds, place in shown]


def _name(place: Place) -> str:
    file, line, name = place
    return f"{name}  {file.removeprefix(f'{_ROOT}/').rpartition('site-packages/')[2]}:{line}"
