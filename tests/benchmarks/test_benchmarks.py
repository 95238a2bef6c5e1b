"""The measure itself: answers are cut and counted right, a no is never counted as work, the runs run."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.deliveries import EVENT_BYTES, deliveries
from tests.benchmarks.figures import Figures, Row, figures_of, medians_of, table
from tests.benchmarks.load import Answers, Generator, Load
from tests.benchmarks.measuring import Contestant, WorkNotDone, load
from tests.benchmarks.processes import DidNotStart, Served, serve
from tests.benchmarks.receipt_limits import no_work
from tests.benchmarks.stripe_stub import serve_stub
from tests.benchmarks.wire import MessageRefused, Messages, request

ANYWHERE: frozenset[int] = frozenset()
TWO = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 204 No Content\r\n\r\n"


@pytest.mark.parametrize("size", [1, 2, 7, 40, len(TWO)])
def test_messages_are_cut_whole_however_they_arrive(size: int) -> None:
    messages = Messages()
    pieces = [TWO[at : at + size] for at in range(0, len(TWO), size)]
    whole = [one for piece in pieces for one in messages.feed(piece)]
    assert [(head[9:12], body) for head, body in whole] == [(b"200", b"abc"), (b"204", b"")]


def test_a_body_in_chunks_is_refused() -> None:
    with pytest.raises(MessageRefused):
        Messages().feed(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n")


def test_deliveries_are_of_one_size_and_never_twice_the_same() -> None:
    made = [Messages().feed(one)[0][1] for one in deliveries(20)]
    assert {len(body) for body in made} == {EVENT_BYTES}
    assert len(set(made)) == 20


def test_percentiles_are_values_that_occurred() -> None:
    latencies = [number / 1000 for number in range(100, 0, -1)]
    figures = figures_of(_answers(latencies), cpu_seconds=0.05)
    assert (figures.p50_ms, figures.p99_ms) == (50, 99)
    assert figures.requests_per_second == 50
    assert figures.cpu_ms == 0.5


def test_the_median_of_each_figure_is_taken_by_itself() -> None:
    rounds = [_figures(1, 30), _figures(2, 10), _figures(3, 20)]
    assert medians_of(rounds) == _figures(2, 20)


def test_a_limit_is_shown_beside_ours() -> None:
    limit, ours = _figures(1000, 0.1), _figures(750, 0.2)
    rows = [_row("by hand", limit), _row("the program", ours, is_ours=True)]
    shown = table(rows).splitlines()
    assert shown[1].split()[-2:] == ["0.75", "2.00"]
    assert shown[2].split()[-2:] == ["0.200", "50"]


@pytest.fixture(scope="module")
def generator() -> Iterator[Generator]:
    with Generator(ANYWHERE) as started:
        yield started


def test_a_load_counts_every_answer(generator: Generator) -> None:
    with Served("bare", serve, ANYWHERE, None, no_work) as bare:
        answers = generator.run(Load(bare.port, deliveries(300), connections=7))
        assert bare.cpu_seconds() > 0
    assert len(answers.latencies) == 300
    assert (answers.unanswered, answers.refused) == (0, 0)


def test_a_refusal_stops_the_measurement(generator: Generator) -> None:
    with Served("the stub", serve_stub, ANYWHERE, 0.0) as stub:
        stranger = Contestant(
            name="stranger",
            served=stub,
            requests=lambda count: [request("GET", "/v1/balance", {})] * count,
        )
        with pytest.raises(WorkNotDone, match=r"3 refused.*404"):
            load(stranger, generator, 3, 2)


def test_a_server_that_cannot_start_is_told() -> None:
    with pytest.raises(DidNotStart):
        Served("broken", serve, ANYWHERE, None, _broken)


def test_both_jobs_run_and_the_work_is_done() -> None:
    sizes = ["--rounds", "1", "--requests", "40", "--connections", "4"]
    # As people run it: it chooses its cores and its own database.
    ended = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", *sizes],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "ours: POST /webhooks/stripe/platform" in ended.stdout
    assert "ours: POST /v1/orders/{id}/checkout" in ended.stdout


def _broken() -> None:
    raise SystemExit(3)


def _answers(latencies: list[float]) -> Answers:
    return Answers(seconds=2, latencies=latencies, unanswered=0, refused=0, first_refusal="")


def _figures(requests_per_second: float, cpu_ms: float) -> Figures:
    return Figures(requests_per_second=requests_per_second, p50_ms=1, p99_ms=2, cpu_ms=cpu_ms)


def _row(name: str, figures: Figures, *, is_ours: bool = False) -> Row:
    return Row(name=name, ours=is_ours, medians=figures, rounds=[figures], resident_megabytes=50)
