"""What was measured of one server, and the tables that show it."""

import statistics
from collections.abc import Sequence

import msgspec

from tests.benchmarks.load import Answers


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """One round of one server, or the medians of several."""

    requests_per_second: float
    p50_ms: float
    p99_ms: float
    # User and system time of the server's process alone, for one request.
    cpu_ms: float


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a table: a server, its medians, every round, and its largest memory."""

    name: str
    ours: bool
    medians: Figures
    rounds: list[Figures]
    resident_megabytes: float


def figures_of(answers: Answers, cpu_seconds: float) -> Figures:
    """One round's figures. Latencies are those of whole answers, in milliseconds."""
    count = len(answers.latencies)
    ordered = sorted(answers.latencies)
    return Figures(
        requests_per_second=count / answers.seconds,
        p50_ms=_percentile(ordered, 50) * 1000,
        p99_ms=_percentile(ordered, 99) * 1000,
        cpu_ms=cpu_seconds * 1000 / count,
    )


def medians_of(rounds: Sequence[Figures]) -> Figures:
    """The median of each figure by itself."""
    return Figures(
        **{
            name: statistics.median(getattr(one, name) for one in rounds)
            for name in Figures.__struct_fields__
        }
    )


def table(rows: Sequence[Row]) -> str:
    """Every server's medians; for a limit also ours beside it, as ours / limit."""
    ours = next((row.medians for row in rows if row.ours), None)
    lines = [
        f"  {'':<52}{'req/s':>8}{'p50':>8}{'p99':>8}{'CPU ms':>9}{'RSS':>6}   ours / it: req/s   CPU"
    ]
    for row in rows:
        m = row.medians
        line = (
            f"  {row.name:<52}{m.requests_per_second:>8,.0f}{m.p50_ms:>8.2f}{m.p99_ms:>8.2f}"
            f"{m.cpu_ms:>9.3f}{row.resident_megabytes:>6.0f}"
        )
        if ours is not None and not row.ours:
            faster = ours.requests_per_second / m.requests_per_second
            line += f"{faster:>20.2f}{ours.cpu_ms / m.cpu_ms:>6.2f}"
        lines.append(line)
    return "\n".join(lines)


def _percentile(ordered: Sequence[float], percent: int) -> float:
    """The smallest value that so many percent of the values do not exceed."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
