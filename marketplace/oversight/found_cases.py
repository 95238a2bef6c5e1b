"""What reconciliation runs do with cases: open them, find them again, and resolve those that are gone.

The same difference is one case however often it is found. One that was resolved and is found again is open
again, with its whole history. Every run looks again at the cases that are left, whatever its range: one whose
difference is gone resolves itself.
"""

from datetime import datetime
from typing import Final

import msgspec

from marketplace.messages import outbox
from marketplace.oversight import audit
from marketplace.oversight.cases import COLUMNS, CaseRecord, case_of, written
from payments.database import execute, require_transaction, row, rows
from payments.ids import new_id
from payments.reconciliation_findings import Finding

BY_ITSELF: Final = "system:reconciliation"
"""Who opens a case again, or resolves one that is gone."""
_ABOUT: Final = ("kind", "what", "payment_id", "order_id", "stripe_id", "currency")

_FOUND = """
INSERT INTO cases (id, key, kind, what, payment_id, order_id, stripe_id, currency, ours, theirs, state,
                   times_found, reopened, found_at, last_found_at, last_run_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'open', 1, 0, $11, $11, $12)
ON CONFLICT (key) DO UPDATE SET
    kind = excluded.kind, ours = excluded.ours, theirs = excluded.theirs,
    times_found = cases.times_found + 1, last_found_at = excluded.last_found_at,
    last_run_id = excluded.last_run_id,
    reopened = cases.reopened + (cases.state = 'resolved')::int,
    state = CASE WHEN cases.state <> 'resolved' THEN cases.state
                 WHEN cases.owner IS NULL THEN 'open' ELSE 'taken' END,
    resolution = NULL, resolved_by = NULL, resolved_at = NULL
RETURNING id, times_found, reopened, state
"""


async def found(finding: Finding, run_id: str | None, now: datetime) -> str:
    """Open a case for this difference, add to the one there is, or open it again; answers its id.

    Inside the transaction that writes the difference down.
    """
    require_transaction()
    before = await row(
        "SELECT id, state, resolution, resolved_by FROM cases WHERE key = $1 FOR UPDATE",
        finding.key,
    )
    case = await row(
        _FOUND,
        new_id("cas"),
        finding.key,
        *[getattr(finding, name) for name in _ABOUT],
        written(finding.ours),
        written(finding.theirs),
        now,
        run_id,
    )
    assert case is not None
    case_id: str = case["id"]
    if before is not None and before["state"] == "resolved":
        await audit.record(
            actor=BY_ITSELF,
            action="case.reopened",
            subject=case_id,
            before=dict(before.items()),
            after={"run_id": run_id},
            now=now,
        )
    return case_id


async def close(case_id: str, run_id: str, now: datetime) -> None:
    """Resolve one that a run found gone, unless somebody has meanwhile. Inside the run's transaction."""
    require_transaction()
    how = f"Gone: {run_id} compared it again and found no difference."
    closed = await execute(
        "UPDATE cases SET state = 'resolved', resolution = $2, resolved_by = $3, resolved_at = $4 "
        "WHERE id = $1 AND state <> 'resolved'",
        case_id,
        how,
        BY_ITSELF,
        now,
    )
    if closed:
        await audit.record(
            actor=BY_ITSELF,
            action="case.resolved",
            subject=case_id,
            after={"state": "resolved", "run_id": run_id},
            reason=how,
            now=now,
        )


async def tell_admins(run_id: str, now: datetime) -> None:
    """Tell them once of the cases that a run opened, or opened again; of none, nothing."""
    require_transaction()
    fresh = await rows(
        "SELECT c.id, c.kind FROM cases c JOIN reconciliation_differences d ON d.case_id = c.id "
        "WHERE d.run_id = $1 AND (c.times_found = 1 OR EXISTS (SELECT FROM audit_log a "
        "  WHERE a.subject = c.id AND a.action = 'case.reopened' "
        "  AND a.after::jsonb ->> 'run_id' = $1)) ORDER BY c.id",
        run_id,
    )
    if fresh:
        await outbox.tell_admins(
            kind="cases_opened",
            subject_id=run_id,
            cause=f"{run_id}:cases",
            facts={
                "count": len(fresh),
                "kinds": ", ".join(sorted({one["kind"] for one in fresh})),
                "run_id": run_id,
            },
            now=now,
        )


async def unresolved(before_run: str, after: str, limit: int) -> list[CaseRecord]:
    """Cases that somebody has yet to resolve and that this run has not found again, by id."""
    records = await rows(
        f"SELECT {COLUMNS} FROM cases WHERE state <> 'resolved' AND last_run_id <> $1 AND id > $2 "
        "ORDER BY id LIMIT $3",
        before_run,
        after,
        limit,
    )
    return [case_of(dict(record.items())) for record in records]


class BrokenEquation(msgspec.Struct, frozen=True, kw_only=True):
    """An open case of a balance equation, and what the run that found it last knew: its JSON checkpoint."""

    id: str
    what: str
    currency: str
    since: datetime
    read_until: datetime
    checkpoint: str


async def broken_equations(before_run: str) -> list[BrokenEquation]:
    """Open cases of balance equations that earlier runs found, one for each equation and currency."""
    records = await rows(
        "SELECT c.id, c.what, c.currency, r.since, r.read_until, r.checkpoint FROM cases c "
        "JOIN reconciliation_runs r ON r.id = c.last_run_id "
        "WHERE c.kind = 'balance' AND c.state <> 'resolved' AND r.id <> $1 ORDER BY c.id",
        before_run,
    )
    return [BrokenEquation(**record) for record in records]
