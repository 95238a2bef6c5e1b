"""How a reconciliation run is written down: how far it is and what it found, together, after every slice."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from marketplace.oversight import cases, found_cases
from marketplace.oversight.balance_equation import Checkpoint
from marketplace.oversight.reconciliation_runs import LEASE, Equation, Phase
from payments.database import execute, row, transaction
from payments.ids import new_id
from payments.reconciliation_chain import Verdict
from payments.reconciliation_gateway import Span

PATIENCE: Final = timedelta(minutes=10)
MARGIN: Final = timedelta(minutes=5)
"""Stripe is read from so long before the range: its clock is not ours."""


class Work(msgspec.Struct, kw_only=True):
    """A run under way, in this worker's hands."""

    id: str
    since: datetime
    until: datetime
    read_until: datetime
    phase: Phase
    cursor: str | None
    checkpoint: Checkpoint

    @property
    def settled_before(self) -> datetime:
        """What moved later is too young."""
        return self.read_until - PATIENCE

    @property
    def span(self) -> Span:
        """What is read of the platform's movements."""
        return Span(self.since - MARGIN, None)

    def made(self, back: timedelta = timedelta(0)) -> Span:
        """What was made in the range, or so long before it."""
        return Span(self.since - MARGIN - back, self.until)


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What a slice of work came to. `cursor` None: the phase is over."""

    verdicts: list[Verdict] = []
    read: int = 0
    compared: int = 0
    cursor: str | None = None
    equations: list[Equation] | None = None
    # Cases whose difference is gone.
    gone: Sequence[str] = ()


_AFTER: Final[Mapping[Phase, Phase | None]] = {
    "movements": "intents",
    "intents": "refunds",
    "refunds": "disputes",
    "disputes": "unexplained",
    "unexplained": "payments",
    "payments": "missing",
    "missing": "payouts",
    "payouts": "cases",
    "cases": "equation",
    "equation": None,
}


async def write_down(work: Work, step: Step, now: datetime) -> bool:
    """What was found and how far the run is, together; answers whether there is more to do.

    Nothing where somebody canceled it, or another worker went on with it meanwhile.
    """
    before = (work.phase, work.cursor)
    after = work.phase if step.cursor is not None else _AFTER[work.phase]
    async with transaction():
        ours = await execute(
            "UPDATE reconciliation_runs SET phase = $4, cursor = $5, read = read + $6, "
            "compared = compared + $7, checkpoint = $8, equations = coalesce($9, equations), "
            "leased_until = $10 WHERE id = $1 AND concluded_at IS NULL AND phase = $2 "
            "AND cursor IS NOT DISTINCT FROM $3",
            work.id,
            *before,
            after or work.phase,
            step.cursor,
            step.read,
            step.compared,
            msgspec.json.encode(work.checkpoint).decode(),
            None if step.equations is None else msgspec.json.encode(step.equations).decode(),
            now + LEASE,
        )
        if not ours:
            return False
        for verdict in step.verdicts:
            await _keep(work.id, verdict, now)
        for case_id in step.gone:
            await found_cases.close(case_id, work.id, now)
        if after is None:
            await _conclude(work.id, now)
            return False
    work.phase, work.cursor = after, step.cursor
    return True


async def _keep(run_id: str, verdict: Verdict, now: datetime) -> None:
    finding = verdict.finding
    known = await row(
        "SELECT state FROM reconciliation_differences WHERE run_id = $1 AND key = $2",
        run_id,
        finding.key,
    )
    if known is not None and known["state"] == "case":
        return
    case_id = await found_cases.found(finding, run_id, now) if verdict.state == "case" else None
    await execute(
        "INSERT INTO reconciliation_differences (id, run_id, key, kind, what, payment_id, order_id, "
        "stripe_id, currency, ours, theirs, state, case_id, found_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) "
        "ON CONFLICT (run_id, key) DO UPDATE SET state = excluded.state, case_id = excluded.case_id, "
        "kind = excluded.kind, ours = excluded.ours, theirs = excluded.theirs",
        new_id("rdf"),
        run_id,
        finding.key,
        finding.kind,
        finding.what,
        finding.payment_id,
        finding.order_id,
        finding.stripe_id,
        finding.currency,
        cases.written(finding.ours),
        cases.written(finding.theirs),
        verdict.state,
        case_id,
        now,
    )


async def _conclude(run_id: str, now: datetime) -> None:
    await execute(
        "UPDATE reconciliation_runs SET state = 'done', concluded_at = $2, leased_until = NULL "
        "WHERE id = $1",
        run_id,
        now,
    )
    await found_cases.tell_admins(run_id, now)


async def put_off(run_id: str, until: datetime | None) -> None:
    """Let go of it: any worker may go on, at once or then."""
    await execute(
        "UPDATE reconciliation_runs SET leased_until = $2 WHERE id = $1 AND concluded_at IS NULL",
        run_id,
        until,
    )


async def fail(run_id: str, failure: str, now: datetime) -> None:
    """End it for good: what went wrong would go wrong again."""
    await execute(
        "UPDATE reconciliation_runs SET state = 'failed', failure = $2, concluded_at = $3, "
        "leased_until = NULL WHERE id = $1 AND concluded_at IS NULL",
        run_id,
        failure,
        now,
    )
