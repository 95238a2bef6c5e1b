"""Cases: differences between our books and Stripe's that nobody could heal, until somebody resolves them.

What people do with them: look, take, note, resolve. What runs do with them is in `found_cases.py`.
"""

from datetime import datetime
from typing import Final, Literal

import msgspec

from marketplace.messages import outbox
from marketplace.oversight import audit
from marketplace.oversight.errors import CaseNotFound, CaseOwnerRefused, CaseResolved
from marketplace.paging import Page, PageRequest
from marketplace.sellers.profile import checked_reason
from payments.database import execute, row, rows, transaction
from payments.ids import new_id
from payments.reconciliation_findings import Finding, Kind, Value

State = Literal["open", "taken", "resolved"]


class CaseRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One case. `ours` and `theirs` are as found last: an amount in minor units, a status or an id."""

    id: str
    kind: Kind
    what: str
    payment_id: str | None
    order_id: str | None
    stripe_id: str | None
    currency: str | None
    ours: Value
    theirs: Value
    state: State
    owner: str | None
    resolution: str | None
    resolved_by: str | None
    resolved_at: datetime | None
    times_found: int
    # How often it came back after somebody had resolved it.
    reopened: int
    found_at: datetime
    last_found_at: datetime
    last_run_id: str | None

    @property
    def finding(self) -> Finding:
        """The difference, as it was found last."""
        return Finding(**{name: getattr(self, name) for name in Finding.__struct_fields__})


class CaseNote(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody found out."""

    id: str
    author: str
    text: str
    created_at: datetime


class CaseFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which cases; None leaves a field open."""

    state: State | None = None
    kind: Kind | None = None
    owner: str | None = None
    order_id: str | None = None
    payment_id: str | None = None
    stripe_id: str | None = None
    run_id: str | None = None


COLUMNS: Final = ", ".join(CaseRecord.__struct_fields__)


async def find(case_id: str) -> CaseRecord:
    """One case. Raises CaseNotFound."""
    record = await row(f"SELECT {COLUMNS} FROM cases WHERE id = $1", case_id)
    if record is None:
        raise CaseNotFound(case_id)
    return case_of(dict(record.items()))


async def notes(case_id: str) -> list[CaseNote]:
    """What people found out about it, oldest first."""
    records = await rows(
        "SELECT id, author, text, created_at FROM case_notes WHERE case_id = $1 ORDER BY id",
        case_id,
    )
    return [CaseNote(**record) for record in records]


async def page(wanted: CaseFilter, request: PageRequest) -> Page[CaseRecord]:
    """Cases, the newest first."""
    records = await rows(
        f"SELECT {COLUMNS} FROM cases WHERE ($1::text IS NULL OR state = $1) "
        "AND ($2::text IS NULL OR kind = $2) AND ($3::text IS NULL OR owner = $3) "
        "AND ($4::text IS NULL OR order_id = $4) AND ($5::text IS NULL OR payment_id = $5) "
        "AND ($6::text IS NULL OR stripe_id = $6) AND ($7::text IS NULL OR id IN "
        "  (SELECT case_id FROM reconciliation_differences WHERE run_id = $7)) "
        "AND ($8::text IS NULL OR id < $8) ORDER BY id DESC LIMIT $9",
        *[getattr(wanted, name) for name in CaseFilter.__struct_fields__],
        request.starting_after,
        request.fetched,
    )
    return Page.cut([case_of(dict(record.items())) for record in records], request)


async def assign(case_id: str, owner: str | None, *, actor: str, now: datetime) -> CaseRecord:
    """Give the case to an admin; None: to nobody. Raises CaseNotFound, CaseResolved, CaseOwnerRefused."""
    async with transaction():
        before = await require_unresolved(case_id)
        if owner is not None and not await _is_admin(owner):
            raise CaseOwnerRefused(owner)
        await execute(
            "UPDATE cases SET owner = $2, state = $3 WHERE id = $1",
            case_id,
            owner,
            "open" if owner is None else "taken",
        )
        await audit.record(
            actor=actor,
            action="case.assigned",
            subject=case_id,
            before={"owner": before.owner},
            after={"owner": owner},
            now=now,
        )
        return await find(case_id)


async def note(case_id: str, text: str, *, actor: str, now: datetime) -> CaseNote:
    """Write down what was found out; also of a resolved case. Raises CaseNotFound, ReasonRequired."""
    written = CaseNote(id=new_id("ntc"), author=actor, text=checked_reason(text), created_at=now)
    async with transaction():
        await find(case_id)
        await execute(
            "INSERT INTO case_notes (id, case_id, author, text, created_at) VALUES ($1, $2, $3, $4, $5)",
            written.id,
            case_id,
            written.author,
            written.text,
            now,
        )
        await audit.record(
            actor=actor,
            action="case.noted",
            subject=case_id,
            after={"note_id": written.id},
            now=now,
        )
    return written


async def resolve(case_id: str, resolution: str, *, actor: str, now: datetime) -> CaseRecord:
    """Say how it was resolved. Raises CaseNotFound, CaseResolved, ReasonRequired."""
    how = checked_reason(resolution)
    async with transaction():
        return await close(case_id, how, actor=actor, now=now)


async def close(case_id: str, how: str, *, actor: str, now: datetime) -> CaseRecord:
    """Resolve it in the caller's transaction. Raises CaseNotFound, CaseResolved."""
    before = await require_unresolved(case_id)
    await execute(
        "UPDATE cases SET state = 'resolved', resolution = $2, resolved_by = $3, resolved_at = $4 "
        "WHERE id = $1",
        case_id,
        how,
        actor,
        now,
    )
    await audit.record(
        actor=actor,
        action="case.resolved",
        subject=case_id,
        before={"state": before.state, "owner": before.owner},
        after={"state": "resolved"},
        reason=how,
        now=now,
    )
    return await find(case_id)


async def require_unresolved(case_id: str) -> CaseRecord:
    """The case, its row locked. Raises CaseNotFound, CaseResolved."""
    await execute("SELECT FROM cases WHERE id = $1 FOR UPDATE", case_id)
    case = await find(case_id)
    if case.state == "resolved":
        raise CaseResolved(case_id)
    return case


async def _is_admin(account_id: str) -> bool:
    return account_id in await outbox.admins()


def written(told: Value) -> str | None:
    """As it is stored."""
    return None if told is None else msgspec.json.encode(told).decode()


def case_of(record: dict[str, object]) -> CaseRecord:
    """A row of the table, its values read."""
    for name in ("ours", "theirs"):
        told = record[name]
        record[name] = None if told is None else msgspec.json.decode(str(told))
    return msgspec.convert(record, CaseRecord)
