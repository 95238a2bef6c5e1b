"""Drafts of fee schedules as rows, and what is noted of each change."""

from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from marketplace.fees.errors import DraftNotFound
from marketplace.fees.regions import Span, span_of
from marketplace.fees.schedule import FeeOnRefund, FeeRule
from marketplace.fees.schedules import json_of, rules_of
from marketplace.oversight import audit
from marketplace.paging import Page, PageRequest
from payments.database import execute, row, rows

State = Literal["draft", "submitted", "approved", "refused", "discarded"]


class DraftRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A draft as it stands. `effective_from` None means from when it is approved."""

    id: str
    title: str
    state: State
    rules: tuple[FeeRule, ...]
    fee_on_refund: FeeOnRefund
    effective_from: datetime | None
    effective_to: datetime | None
    revision: int
    created_by: str
    created_at: datetime
    edited_by: str
    edited_at: datetime
    submitted_by: str | None = None
    submitted_at: datetime | None = None
    reason: str | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    decision_reason: str | None = None
    schedule_id: str | None = None

    def in_effect(self, now: datetime) -> Span:
        """When its rules would be in effect, were it approved at `now`."""
        return span_of(self.effective_from or now, self.effective_to)


_COLUMNS: Final = ", ".join(DraftRecord.__struct_fields__)


class DraftContent(msgspec.Struct, frozen=True, kw_only=True):
    """What an author writes."""

    title: str
    rules: tuple[FeeRule, ...]
    fee_on_refund: FeeOnRefund = "return"
    effective_from: datetime | None = None
    effective_to: datetime | None = None


class DraftChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What an author changes; what is not set stays."""

    title: str | UnsetType = UNSET
    rules: tuple[FeeRule, ...] | UnsetType = UNSET
    fee_on_refund: FeeOnRefund | UnsetType = UNSET
    effective_from: datetime | UnsetType | None = UNSET
    effective_to: datetime | UnsetType | None = UNSET


async def read(draft_id: str, *, lock: bool = False) -> DraftRecord:
    """The draft, locked until the transaction ends if asked. Raises DraftNotFound."""
    found = await row(
        f"SELECT {_COLUMNS} FROM fee_schedule_drafts WHERE id = $1 {'FOR UPDATE' if lock else ''}",
        draft_id,
    )
    if found is None:
        raise DraftNotFound(draft_id)
    return _record(found)


async def page_of(request: PageRequest, state: State | None) -> Page[DraftRecord]:
    """Drafts, the newest first."""
    found = await rows(
        f"SELECT {_COLUMNS} FROM fee_schedule_drafts WHERE ($1::text IS NULL OR id < $1) "
        "AND ($2::text IS NULL OR state = $2) ORDER BY id DESC LIMIT $3",
        request.starting_after,
        state,
        request.fetched,
    )
    return Page.cut([_record(one) for one in found], request)


async def insert(draft: DraftRecord) -> None:
    """Write a new one."""
    places = ", ".join(f"${at}" for at in range(1, len(DraftRecord.__struct_fields__) + 1))
    await execute(
        f"INSERT INTO fee_schedule_drafts ({_COLUMNS}) VALUES ({places})", *_columns(draft)
    )


async def update(draft: DraftRecord) -> None:
    """Write all of it again."""
    names = DraftRecord.__struct_fields__[1:]
    settings = ", ".join(f"{name} = ${at}" for at, name in enumerate(names, start=2))
    await execute(f"UPDATE fee_schedule_drafts SET {settings} WHERE id = $1", *_columns(draft))


def _columns(draft: DraftRecord) -> list[object]:
    facts = {name: getattr(draft, name) for name in draft.__struct_fields__}
    return list({**facts, "rules": json_of(draft.rules)}.values())


def _record(found: Any) -> DraftRecord:
    facts = dict(found)
    return DraftRecord(**{**facts, "rules": rules_of(facts["rules"])})


async def note(
    did: str,
    before: DraftRecord | None,
    after: DraftRecord,
    actor: str,
    reason: str | None,
    now: datetime,
) -> None:
    """What changed, in the audit log: the rules in full where they did."""
    names = [
        name
        for name in DraftRecord.__struct_fields__
        if before is None or getattr(before, name) != getattr(after, name)
    ]
    await audit.record(
        actor=actor,
        action=f"fee_schedule_draft.{did}",
        subject=after.id,
        before=None if before is None else {name: getattr(before, name) for name in names},
        after={name: getattr(after, name) for name in names},
        reason=reason,
        now=now,
    )
