"""Rounds: every server is loaded once in each, one after the other, starting with another one each time."""

from collections.abc import Callable, Sequence

import msgspec

from tests.benchmarks.databases import Server
from tests.benchmarks.figures import Figures, Row, figures_of, medians_of
from tests.benchmarks.load import PATIENCE_SECONDS, Answers, Generator, Load
from tests.benchmarks.processes import Served

_WARM_UP_SHARE = 5
"""One request in so many, before the rounds: pools open, statements prepared, code warm."""


class WorkNotDone(Exception):
    """A server said no, fell silent, or did not leave the rows its answers promised."""


class Contestant(msgspec.Struct, frozen=True, kw_only=True):
    """One server of a job. `requests` makes so many new ones; `kept` counts the rows they left."""

    name: str
    served: Served
    requests: Callable[[int], list[bytes]]
    ours: bool = False
    before: Callable[[], None] | None = None
    kept: Callable[[], int] | None = None


class Effort(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured."""

    rounds: int
    requests: int
    connections: int

    @property
    def warm_up(self) -> int:
        return max(self.connections, self.requests // _WARM_UP_SHARE)

    @property
    def all_requests(self) -> int:
        """What one server answers in the whole run."""
        return self.warm_up + self.rounds * self.requests


def compete(
    contestants: Sequence[Contestant], generator: Generator, server: Server, effort: Effort
) -> list[Row]:
    """Run all rounds and answer a row for each contestant. Raises WorkNotDone."""
    for contestant in contestants:
        load(contestant, generator, effort.warm_up, effort.connections)
    rounds: dict[str, list[Figures]] = {one.name: [] for one in contestants}
    for number in range(effort.rounds):
        first = number % len(contestants)
        for contestant in (*contestants[first:], *contestants[:first]):
            server.checkpoint()
            before = contestant.served.cpu_seconds()
            answers = load(contestant, generator, effort.requests, effort.connections)
            used = contestant.served.cpu_seconds() - before
            rounds[contestant.name].append(figures_of(answers, used))
    for contestant in contestants:
        _check_kept(contestant, effort.all_requests)
    return [
        Row(
            name=one.name,
            ours=one.ours,
            medians=medians_of(rounds[one.name]),
            rounds=rounds[one.name],
            resident_megabytes=one.served.resident_megabytes(),
        )
        for one in contestants
    ]


def load(contestant: Contestant, generator: Generator, count: int, connections: int) -> Answers:
    """Send so many new requests to a server. Raises WorkNotDone unless each is answered by a yes."""
    if contestant.before is not None:
        contestant.before()
    answers = generator.run(
        Load(contestant.served.port, contestant.requests(count), connections, PATIENCE_SECONDS)
    )
    if answers.unanswered or answers.refused:
        raise WorkNotDone(
            f"{contestant.name}: of {count} requests {answers.unanswered} unanswered, "
            f"{answers.refused} refused; the first refusal: {answers.first_refusal}"
        )
    return answers


def _check_kept(contestant: Contestant, expected: int) -> None:
    if contestant.kept is not None and (kept := contestant.kept()) != expected:
        raise WorkNotDone(f"{contestant.name}: {expected} answered, {kept} kept")
