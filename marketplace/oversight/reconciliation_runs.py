"""Reconciliation runs: asked for or due once a day, worked on in slices, shown, canceled.

A run is a row; whichever worker holds its lease goes on where the last one wrote down how far it came. Any
slice may be done twice: what was read is kept by Stripe's id, what differs by the run and the difference.
"""

from datetime import date, datetime, timedelta
from typing import Final, Literal

import asyncpg
import msgspec

from marketplace.oversight import audit
from marketplace.oversight.errors import (
    ReconciliationNotFound,
    ReconciliationOver,
    ReconciliationRefused,
)
from marketplace.paging import Page, PageRequest
from payments.database import execute, row, rows, transaction, value
from payments.ids import new_id
from payments.reconciliation_findings import Kind, Value

State = Literal["waiting", "running", "done", "canceled", "failed"]
Phase = Literal[
    "movements",
    "intents",
    "refunds",
    "disputes",
    "unexplained",
    "payments",
    "missing",
    "payouts",
    "cases",
    "equation",
]
"""What a run does, in this order."""
FIRST_PHASE: Final[Phase] = "movements"
LEASE: Final = timedelta(minutes=5)
"""Longer than any slice takes; a run whose worker died goes on after it."""
OVERLAP: Final = timedelta(hours=1)
"""A day begins so long before the last one ended: what was too young then is looked at again."""
BY_ITSELF: Final = "system:daily"

_LONGEST_AGO: Final = timedelta(days=3650)
_A_DAY: Final = timedelta(days=1)


class Equation(msgspec.Struct, frozen=True, kw_only=True):
    """One currency, in minor units. Stripe's own sums: `opening` plus `moved` is `closing`. And over the
    compared payments: what our ledger's platform accounts hold is what Stripe left on the balance.
    """

    currency: str
    # Null where Stripe's balance at the beginning is not known, or moved while it was read.
    opening: int | None
    closing: int | None
    # Of everything that moved, and of it what orders moved.
    moved: int
    moved_by_orders: int
    ledger: int
    stripe: int
    holds: bool


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it stands: `read` objects of Stripe's, `compared` payments; what it found is in counts."""

    id: str
    day: date | None
    since: datetime
    until: datetime
    read_until: datetime | None
    asked_by: str
    asked_at: datetime
    state: State
    phase: Phase
    read: int
    compared: int
    timing: int
    healed: int
    cases: int
    equations: list[Equation]
    started_at: datetime | None
    concluded_at: datetime | None
    failure: str | None


class DifferenceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One difference that a run found, and what became of it."""

    id: str
    kind: Kind
    what: str
    payment_id: str | None
    order_id: str | None
    stripe_id: str | None
    currency: str | None
    ours: Value
    theirs: Value
    state: Literal["timing", "healed", "case"]
    case_id: str | None
    found_at: datetime


_STORED: Final = (
    "r.id, r.day, r.since, r.until, r.read_until, r.asked_by, r.asked_at, r.state, r.phase, r.read, "
    "r.compared, r.equations, r.started_at, r.concluded_at, r.failure"
)
_COUNTED: Final = (
    f"SELECT {_STORED}, count(d.id) FILTER (WHERE d.state = 'timing') AS timing, "
    "count(d.id) FILTER (WHERE d.state = 'healed') AS healed, "
    "count(d.id) FILTER (WHERE d.state = 'case') AS cases "
    "FROM reconciliation_runs r LEFT JOIN reconciliation_differences d ON d.run_id = r.id "
)


async def ask(
    since: datetime | None, until: datetime | None, *, actor: str, now: datetime
) -> RunRecord:
    """Ask for a run over what was made or moved in `[since, until)`.

    Without a beginning it goes on where the last daily one ended, or looks at the day before its end;
    without an end it goes until now. Raises ReconciliationRefused.
    """
    ends = now if until is None else until
    if ends > now:
        raise ReconciliationRefused("until", "in_the_future")
    if since is None:
        since = await _where_the_last_ended(ends)
    if since > now:
        raise ReconciliationRefused("since", "in_the_future")
    if ends <= since:
        raise ReconciliationRefused("since" if until is None else "until", "not_after_since")
    if since < now - _LONGEST_AGO:
        raise ReconciliationRefused("since", "too_long_ago")
    async with transaction():
        run_id = await _insert(since, ends, None, actor, now)
        await audit.record(
            actor=actor,
            action="reconciliation.asked",
            subject=str(run_id),
            after={"since": since, "until": ends},
            now=now,
        )
    return await find(str(run_id))


async def begin_day(now: datetime) -> bool:
    """Write down today's run unless there is one; answers whether it is new.

    It begins an hour before the last one ended, the first with the first payment.
    """
    if await value("SELECT EXISTS (SELECT FROM reconciliation_runs WHERE day = $1)", now.date()):
        return False
    since = await value(
        "SELECT coalesce((SELECT max(read_until) - $1::interval FROM reconciliation_runs "
        "WHERE day IS NOT NULL AND state = 'done'), (SELECT min(created_at) FROM payments))",
        OVERLAP,
    )
    if since is None or since >= now:
        return False
    return await _insert(since, now, now.date(), BY_ITSELF, now) is not None


async def _where_the_last_ended(until: datetime) -> datetime:
    """An hour before the end of the last daily run, as the next one begins; a day ago if there was none."""
    read_until: datetime | None = await value(
        "SELECT max(read_until) FROM reconciliation_runs "
        "WHERE day IS NOT NULL AND state = 'done' AND read_until < $1",
        until,
    )
    return until - _A_DAY if read_until is None else read_until - OVERLAP


async def _insert(
    since: datetime, until: datetime, day: date | None, actor: str, now: datetime
) -> str | None:
    inserted: str | None = await value(
        "INSERT INTO reconciliation_runs (id, day, since, until, asked_by, asked_at, state, phase, read, "
        "compared) VALUES ($1, $2, $3, $4, $5, $6, 'waiting', $7, 0, 0) "
        "ON CONFLICT (day) DO NOTHING RETURNING id",
        new_id("rec"),
        day,
        since,
        until,
        actor,
        now,
        FIRST_PHASE,
    )
    return inserted


async def find(run_id: str) -> RunRecord:
    """How far it is, and what it found. Raises ReconciliationNotFound."""
    found = await row(f"{_COUNTED} WHERE r.id = $1 GROUP BY r.id", run_id)
    if found is None:
        raise ReconciliationNotFound(run_id)
    return _run(found)


async def page(request: PageRequest) -> Page[RunRecord]:
    """Every run, the newest first."""
    found = await rows(
        f"{_COUNTED} WHERE $1::text IS NULL OR r.id < $1 GROUP BY r.id ORDER BY r.id DESC LIMIT $2",
        request.starting_after,
        request.fetched,
    )
    return Page.cut([_run(record) for record in found], request)


async def differences(
    run_id: str, state: str | None, kind: str | None, request: PageRequest
) -> Page[DifferenceRecord]:
    """What a run found, in the order it was found. Raises ReconciliationNotFound."""
    await find(run_id)
    found = await rows(
        f"SELECT {', '.join(DifferenceRecord.__struct_fields__)} FROM reconciliation_differences "
        "WHERE run_id = $1 AND ($2::text IS NULL OR state = $2) AND ($3::text IS NULL OR kind = $3) "
        "AND ($4::text IS NULL OR id > $4) ORDER BY id LIMIT $5",
        run_id,
        state,
        kind,
        request.starting_after,
        request.fetched,
    )
    return Page.cut([_difference(record) for record in found], request)


async def cancel(run_id: str, *, actor: str, now: datetime) -> RunRecord:
    """Stop it; what it found so far stays. Raises ReconciliationNotFound, ReconciliationOver."""
    async with transaction():
        stopped = await execute(
            "UPDATE reconciliation_runs SET state = 'canceled', concluded_at = $2, leased_until = NULL, "
            "checkpoint = NULL WHERE id = $1 AND concluded_at IS NULL",
            run_id,
            now,
        )
        run = await find(run_id)
        if not stopped:
            raise ReconciliationOver(run_id, run.state)
        await audit.record(actor=actor, action="reconciliation.canceled", subject=run_id, now=now)
    return run


async def covered_from(run_id: str, since: datetime) -> datetime:
    """From when on Stripe's movements were read without a gap: by runs that reach into each other."""
    done = await rows(
        "SELECT since, read_until FROM reconciliation_runs WHERE state = 'done' AND id <> $1 "
        "AND since < $2 ORDER BY read_until DESC",
        run_id,
        since,
    )
    begins = since
    for record in done:
        if record["since"] < begins <= record["read_until"]:
            begins = record["since"]
    return begins


def _run(found: asyncpg.Record) -> RunRecord:
    told = dict(found.items())
    equations = told.pop("equations")
    return RunRecord(
        **told,
        equations=msgspec.json.decode(equations, type=list[Equation]) if equations else [],
    )


def _difference(found: asyncpg.Record) -> DifferenceRecord:
    told = dict(found.items())
    for name in ("ours", "theirs"):
        told[name] = None if told[name] is None else msgspec.json.decode(told[name])
    return msgspec.convert(told, DifferenceRecord)
