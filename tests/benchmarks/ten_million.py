"""How long admins and the worker wait when there are ten million payments.

    nice python -m tests.benchmarks.ten_million --keep /tmp/books      # fills it (an hour, 50 GB), measures
    nice python -m tests.benchmarks.ten_million --keep /tmp/books      # measures again
    python -m tests.benchmarks.ten_million --payments 100000 --orders 50000

Three years of payments of 2,000 sellers, the biggest with one of forty-five, in four currencies, thirteen
categories, twelve rules and six versions (`ten_million_fill`), in a durable PostgreSQL as `marketplace run`
starts it, with the settings PostgreSQL comes with. Every route is asked over HTTP in this process, by an API
key, each time for another seller, day or page: p50 and p95 of twenty requests, the first one apart. Then a
million fees as CSV, and the rules the worker asks.

    nice python -m tests.benchmarks.ten_million --keep /tmp/books --recount     # proves the sums
    python -m tests.benchmarks.ten_million --payments 1000000 --orders 1000000 --fold-anew 4000000 --recount

With --recount the sums are compared with a recount of every posting, row by row (`ten_million_recount`), then
the rules of the fee review look at everything; with --fold-anew they are thrown away before, and the sweep
folds so many of the newest postings in. Both say how far they are, and ask no route.
"""

import argparse
import asyncio
import contextlib
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import asyncpg
import httpx

from marketplace import logs
from marketplace.api.application import build
from marketplace.api.routes import ROUTES
from marketplace.books.fees import fee_csv
from marketplace.books.fees.listing import FeeFilter
from marketplace.composition import Composition, compose
from marketplace.embedded_postgres import EmbeddedPostgres
from marketplace.invariants.check import RECENT, RULES, ask, look_at_everything
from marketplace.invariants.fee_review import FEE_REVIEW
from marketplace.migrating import migrate
from marketplace.settings import Settings
from payments.database import engine
from tests.benchmarks.ten_million_cast import NOW, TOKEN
from tests.benchmarks.ten_million_fill import fill
from tests.benchmarks.ten_million_folding import fold_anew
from tests.benchmarks.ten_million_questions import Question, questions
from tests.benchmarks.ten_million_recount import compare

ASKED = 20
IN_THE_FILE = 1_000_000
_DATABASE = "books"


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill where nothing is kept, then measure; answers 1 when a question was not answered."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.ten_million")
    parser.add_argument("--payments", type=int, default=10_000_000)
    parser.add_argument("--orders", type=int, default=1_500_000, help="of the newest payments")
    parser.add_argument("--biggest", type=int, default=0, help="so many more of the biggest seller")
    parser.add_argument("--keep", type=Path, help="where the database is, or will be, kept")
    parser.add_argument("--fold-anew", type=int, default=0, help="of so many postings, the newest")
    parser.add_argument("--recount", action="store_true", help="compare the sums with a recount")
    parser.add_argument("--only", default="", help="only questions with this in their words")
    asked = parser.parse_args(arguments)
    with _folder(asked.keep) as folder, EmbeddedPostgres(folder / "postgres") as postgres:
        url = postgres.dsn_of(_DATABASE)
        if asyncio.run(_made(postgres.dsn)):
            asyncio.run(migrate(url))
            asyncio.run(fill(url, asked.payments, asked.orders, asked.biggest))
        asyncio.run(migrate(url))
        if asked.fold_anew:
            asyncio.run(fold_anew(url, asked.fold_anew, _say))
        if asked.recount:
            return asyncio.run(_recount(url))
        return 0 if asked.fold_anew else asyncio.run(_measure(url, asked))


@contextlib.contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    folder = Path(tempfile.mkdtemp(prefix="ten-million-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


async def _made(dsn: str) -> bool:
    """Whether the database had to be made."""
    connection = await asyncpg.connect(dsn)
    try:
        if await connection.fetchrow("SELECT 1 FROM pg_database WHERE datname = $1", _DATABASE):
            return False
        await connection.execute(f"CREATE DATABASE {_DATABASE}")
        return True
    finally:
        await connection.close()


async def _measure(url: str, asked: argparse.Namespace) -> int:
    settings = Settings(
        database_url=url,
        stripe_secret_key="sk_test_benchmark00000000",
        stripe_publishable_key="pk_test_benchmark00000000",
        stripe_api_base="http://127.0.0.1:9",
    )
    logs.configure("ERROR")
    composition = compose(settings, lambda: NOW)
    async with composition.running():
        failed = await _routes(composition, asked.only)
        if not asked.only:
            failed += await _rules_of_the_worker()
            await _file(composition)
    return 1 if failed else 0


async def _routes(composition: Composition, only: str) -> int:
    services = composition.services
    app = build(services, services.settings, ROUTES, lifespan=[])
    failed = 0
    async with _client(app) as client:
        for question in await questions():
            if only in question.words:
                failed += await _answered(client, question)
    return failed


@contextlib.asynccontextmanager
async def _client(app: object) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        yield client


async def _answered(client: httpx.AsyncClient, question: Question) -> int:
    """Says how long it took; answers 1 when it was not answered."""
    headers = {"authorization": f"Bearer {TOKEN[question.who]}"}
    taken = []
    for place in range(ASKED):
        began = time.perf_counter()
        answer = await client.get(question.path(place), headers=headers, timeout=60)
        taken.append(1000 * (time.perf_counter() - began))
        if answer.status_code != 200:
            _say(f"NOT ANSWERED  {question.words}: {answer.status_code} {answer.text[:200]}")
            return 1
    first, *others = taken
    p95 = statistics.quantiles(others, n=20)[-1]
    _say(f"{statistics.median(others):8.1f} {p95:8.1f} {first:8.1f} ms  {question.words}")
    return 0


async def _rules_of_the_worker() -> int:
    """The rules about what is recent, as the sweep asks them: every one within its five seconds."""
    failed, slow, began = 0, [], time.perf_counter()
    for rule in RULES:
        asked_at = time.perf_counter()
        try:
            broken = await ask(rule, NOW, NOW - RECENT)
        except asyncpg.QueryCanceledError:
            _say(f"TOO LONG  {rule.code}")
            failed += 1
            continue
        slow.append((time.perf_counter() - asked_at, rule.code))
        if broken is not None:
            _say(f"BROKEN  {rule.code} {broken.ids[:3]}")
    told = ", ".join(f"{code} {1000 * took:.0f} ms" for took, code in sorted(slow)[:-6:-1])
    _say(f"{len(RULES)} rules of the worker in {time.perf_counter() - began:.1f} s; slowest {told}")
    return failed


async def _file(composition: Composition) -> None:
    began, lines, size, first = time.perf_counter(), 0, 0, 0.0
    pieces = await composition.services.fee_review.every(FeeFilter())
    async for piece in fee_csv.lines(pieces):
        size, lines = size + len(piece.encode()), lines + piece.count("\n")
        if lines > 1 and not first:
            first = time.perf_counter() - began
        if lines > IN_THE_FILE:
            break
    seconds = time.perf_counter() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    _say(
        f"CSV of {lines - 1:,} fees in {seconds:.1f} s ({size / 1e6:.0f} MB), the first of them after "
        f"{1000 * first:.0f} ms; this process had {memory:.0f} MB at most"
    )


async def _recount(url: str) -> int:
    """Answers 1 where a sum is not what was counted, or a rule of the fee review is broken."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SET work_mem = '256MB'")
        compared = await compare(connection, _say)
    finally:
        await connection.close()
    _say(
        f"{compared.sums:,} sums compared with {compared.postings:,} postings in {compared.seconds:.0f} s: "
        f"{len(compared.different)} different {compared.different[:5] or ''}"
    )
    return 1 if compared.different or await _rules_of_fees(url) else 0


async def _rules_of_fees(url: str) -> int:
    """As `marketplace check` asks them, about everything."""
    await engine().start(url, pool_size=1, answer_seconds=None)
    found = 0
    try:
        await look_at_everything()
        for rule in FEE_REVIEW:
            began = time.perf_counter()
            broken = await ask(rule, NOW)
            words = "holds" if broken is None else f"is BROKEN: {broken.ids[:5]}"
            _say(f"{rule.code}, {rule.name}: {words}, {time.perf_counter() - began:.0f} s")
            found += broken is not None
    finally:
        await engine().stop()
    return found


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
