"""Asking every rule: by the worker about what is recent, by `marketplace check` about everything."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg
import msgspec
import structlog

from marketplace.books.chains import BOOKS as SEALED_BOOKS
from marketplace.invariants.books import BOOKS
from marketplace.invariants.fee_credits import FEE_CREDITS
from marketplace.invariants.fee_review import FEE_REVIEW
from marketplace.invariants.guards import GUARDS
from marketplace.invariants.liveness import LIVENESS
from marketplace.invariants.money import MONEY
from marketplace.invariants.once import ONCE
from marketplace.invariants.papers import PAPERS
from marketplace.invariants.rule import Invariant, Rule
from marketplace.invariants.states import STATES
from marketplace.invariants.stock import STOCK
from payments.chain_verification import verify
from payments.database import execute, rows
from payments.ids import id_floor

RULES: Final[tuple[Rule, ...]] = (
    *MONEY,
    *ONCE,
    *STATES,
    *BOOKS,
    *FEE_REVIEW,
    *FEE_CREDITS,
    *PAPERS,
    *STOCK,
    *LIVENESS,
    *GUARDS,
)
RECENT: Final = timedelta(days=10)
"""How far back the worker looks: longer than a hold lasts."""
_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
SHOWN: Final = 20
"""How many rows are named for a rule that is broken."""

LATEST_LINKS: Final = 5000
"""How many rows of each book the worker compares with their seals: a quarter of a second."""
SEALED: Final = Invariant(code="L8", name="no sealed row was altered, removed or slipped in")
"""What only hashing can tell (`payments.chain_verification`)."""
INVARIANTS: Final[tuple[Invariant, ...]] = (*RULES, SEALED)

_log = structlog.get_logger("marketplace.invariants")


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that is broken, and the first rows that break it."""

    rule: Invariant
    ids: tuple[str, ...]


async def broken(
    now: datetime, *, since: datetime | None = None, rules: Sequence[Rule] = RULES
) -> list[Broken]:
    """The rules that are broken by rows made since then; None looks at all there are."""
    found = [await ask(rule, now, since) for rule in rules]
    return [one for one in found if one is not None]


async def ask(rule: Rule, now: datetime, since: datetime | None = None) -> Broken | None:
    """The rule, if it is broken by rows made since then; None looks at all there are."""
    floor, moment = ("", _EVER) if since is None else (id_floor(since), since)
    query, asked = rule.query, []
    for name, value in (("$1", floor), ("$2", now), ("$3", moment)):
        if name in query:
            asked.append(value)
            query = query.replace(name, f"${len(asked)}")
    breaking = await rows(f"SELECT * FROM ({query}) AS broken LIMIT {SHOWN}", *asked)
    ids = tuple(str(record[0]) for record in breaking)
    return Broken(rule=rule, ids=ids) if ids else None


async def look_at_everything() -> None:
    """Let a connection that is this command's alone count as long as it takes, in memory where it can."""
    await execute("SET statement_timeout = 0")
    await execute("SET work_mem = '128MB'")


async def broken_chains(latest: int | None = None) -> list[Broken]:
    """Whether a sealed row of the books is not what it was: of the latest links, or of all (None)."""
    found = [
        f"{book.table}:{one.row_id}:{one.fault}"
        for book in SEALED_BOOKS.values()
        async for one in verify(book, latest=latest)
        if one.fault != "backdated"
    ]
    return [Broken(rule=SEALED, ids=tuple(found[:SHOWN]))] if found else []


async def check_recent(now: datetime, limit: int) -> int:
    """The sweep: rings the alarm for each rule that is broken; answers nothing to do next."""
    for rule in RULES:
        try:
            one = await ask(rule, now, now - RECENT)
        except asyncpg.QueryCanceledError:
            # The others are asked all the same.
            _log.error("an invariant took too long", code=rule.code, rule=rule.name, alarm=True)
            continue
        if one is not None:
            _ring(one, limit)
    for one in await broken_chains(LATEST_LINKS):
        _ring(one, limit)
    return 0


def _ring(one: Broken, limit: int) -> None:
    _log.error(
        "an invariant is broken",
        code=one.rule.code,
        rule=one.rule.name,
        ids=list(one.ids[:limit]),
        alarm=True,
    )
