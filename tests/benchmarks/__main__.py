"""`python -m tests.benchmarks`: measure, print the tables, end. Nothing here judges a time."""

import argparse
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from tests.benchmarks import profiling
from tests.benchmarks.databases import Server, running_server
from tests.benchmarks.figures import Row, table
from tests.benchmarks.jobs import Places, Setting, checking_out, receiving
from tests.benchmarks.load import Generator
from tests.benchmarks.measuring import Effort, WorkNotDone, compete
from tests.benchmarks.processes import DidNotStart, stay_on

_JOBS: dict[str, Any] = {
    "W": ("receive a webhook: 4 KB, verified, kept once and durably, answered", receiving),
    "C": (
        "check out: gate, fee, PaymentIntent at a stub of Stripe, durable",
        checking_out,
    ),
}
_EFFORTS = {
    "W": Effort(rounds=5, requests=6_000, connections=64),
    "C": Effort(rounds=5, requests=1_500, connections=32),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; answers 1 when a server did not do its work."""
    asked = _parse(arguments)
    # Being stopped is an ordinary end: the servers, the database and its folder go too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    places = _places()
    # Everything but the measured servers, PostgreSQL too, is a child of ours and stays where we are.
    stay_on(places.rest)
    began = time.monotonic()
    report: dict[str, Any] = {}
    try:
        with running_server() as server, Generator(places.rest) as generator:
            if asked.profile:
                server.watch_statements()
            report["machine"] = _machine(server, places)
            _say(", ".join(f"{name} {value}" for name, value in report["machine"].items()))
            for job in ("W", "C") if asked.job == "all" else (asked.job,):
                report[job] = _run(job, asked, server, generator, places)
    except (WorkNotDone, DidNotStart) as error:
        _say(f"failed: {error}")
        return 1
    _say(f"took {time.monotonic() - began:.0f} s")
    if asked.json:
        asked.json.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    return 0


def _run(
    job: str, asked: argparse.Namespace, server: Server, generator: Generator, places: Places
) -> list[Row]:
    title, contenders = _JOBS[job]
    effort = _effort(job, asked)
    _say(
        f"\n{job} · {title}\n  {effort.connections} connections, {effort.requests:,} requests a round, "
        f"median of {effort.rounds} rounds"
    )
    with tempfile.TemporaryDirectory() as folder:
        profile = Path(folder) / "profile" if asked.profile else None
        setting = Setting(
            server=server,
            places=places,
            effort=effort,
            listing_kind=asked.listings,
            stripe_seconds=asked.stripe_ms / 1000,
            limits=profile is None,
            profile_into=profile,
        )
        with contenders(setting) as contestants:
            if profile is not None:
                server.forget_statements()
            rows = compete(contestants, generator, server, effort)
            _say(table(rows))
            if profile is not None:
                database = {"W": "receipt_ours", "C": "checkout_ours"}[job]
                _say(profiling.statements(server, database, effort.all_requests))
        if profile is not None:
            _say(profiling.functions(profile, effort.all_requests))
    return rows


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--job", choices=("W", "C", "all"), default="all")
    parser.add_argument("--rounds", type=_positive, help="rounds of every server (5)")
    parser.add_argument("--requests", type=_positive, help="requests a round (W 6000, C 1500)")
    parser.add_argument("--connections", type=_positive, help="kept-alive connections (W 64, C 32)")
    parser.add_argument(
        "--listings",
        choices=("session", "product"),
        default="session",
        help="what the orders of C are for: products reserve stock and are captured later",
    )
    parser.add_argument(
        "--stripe-ms",
        type=int,
        default=0,
        help="how long the stub of Stripe takes to answer; with --connections 500: a slow day (0)",
    )
    parser.add_argument(
        "--profile",
        action="store_true",
        help="ours alone, under cProfile, with every SQL statement counted",
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write every round's figures there"
    )
    return parser.parse_args(arguments)


def _effort(job: str, asked: argparse.Namespace) -> Effort:
    usual = _EFFORTS[job]
    return Effort(
        rounds=asked.rounds or (1 if asked.profile else usual.rounds),
        requests=asked.requests or usual.requests,
        connections=asked.connections or usual.connections,
    )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _places() -> Places:
    """A core for the measured server and the others for the rest, where there are two and Linux."""
    if not hasattr(os, "sched_getaffinity"):
        return Places(frozenset(), frozenset())
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        return Places(frozenset(), frozenset())
    return Places(frozenset(cores[:1]), frozenset(cores[1:]))


def _machine(server: Server, places: Places) -> dict[str, str]:
    facts = server.facts()
    return {
        "cores": f"{os.cpu_count()} (server on {len(places.server) or 'any'})",
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "PostgreSQL": facts["server_version"],
        "fsync": facts["fsync"],
        "synchronous_commit": facts["synchronous_commit"],
        "one commit, ms": facts["one_commit_ms"],
    }


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
