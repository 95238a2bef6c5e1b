"""Fee schedules in the making: one admin writes and submits, another approves, and only then they price.

draft -> submitted -> approved (a version now) | refused (may be edited again) | draft (withdrawn)
draft | refused -> discarded

Every act names the revision it is about, so that what is approved is what was read.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET

from marketplace.fees.draft_checks import check, findings_of, require_alive, sellers_currencies
from marketplace.fees.draft_records import (
    DraftChanges,
    DraftContent,
    DraftRecord,
    State,
    insert,
    note,
    page_of,
    read,
    update,
)
from marketplace.fees.errors import DraftChanged, DraftStepRefused, OwnFeeScheduleDecision
from marketplace.fees.in_force import Meant, Reign, reigns
from marketplace.fees.linting import Finding
from marketplace.fees.rules import FeeInputs
from marketplace.fees.schedule import Schedule
from marketplace.fees.schedules import NewSchedule, PublishedSchedule, Schedules
from marketplace.messages import outbox
from marketplace.paging import Page, PageRequest
from payments.currencies import check_whole
from payments.database import transaction
from payments.ids import new_id

Step = Literal["edit", "submit", "withdraw", "approve", "refuse", "discard"]

_FROM: Final[dict[Step, tuple[State, ...]]] = {
    "edit": ("draft", "refused"),
    "submit": ("draft", "refused"),
    "withdraw": ("submitted",),
    "approve": ("submitted",),
    "refuse": ("submitted",),
    "discard": ("draft", "refused"),
}


class Drafts:
    """The use cases of writing fee schedules and deciding about them."""

    def __init__(self, schedules: Schedules) -> None:
        self._schedules = schedules

    async def create(self, content: DraftContent, actor: str, now: datetime) -> DraftRecord:
        """Begin a draft. Raises MalformedSchedule with everything that is wrong with it."""
        await check(content, now)
        draft = DraftRecord(
            id=new_id("fsd"),
            state="draft",
            revision=1,
            created_by=actor,
            created_at=now,
            edited_by=actor,
            edited_at=now,
            **_facts(content),
        )
        async with transaction():
            await insert(draft)
            await note("created", None, draft, actor, None, now)
        return draft

    async def find(self, draft_id: str) -> DraftRecord:
        """The draft, in whatever state. Raises DraftNotFound."""
        return await read(draft_id)

    async def list(self, page: PageRequest, state: State | None = None) -> Page[DraftRecord]:
        """Drafts, the newest first."""
        return await page_of(page, state)

    async def edit(
        self, draft_id: str, changes: DraftChanges, *, revision: int, actor: str, now: datetime
    ) -> DraftRecord:
        """Change a draft or one that was refused, which is a draft again.

        Raises DraftNotFound, DraftStepRefused, DraftChanged, MalformedSchedule.
        """
        async with transaction():
            before = await _take(draft_id, "edit", revision)
            given = {name: fact for name, fact in _facts(changes).items() if fact is not UNSET}
            content = DraftContent(**{**_content(before), **given})
            await check(content, now)
            after = msgspec.structs.replace(
                before,
                **_facts(content),
                state="draft",
                revision=before.revision + 1,
                edited_by=actor,
                edited_at=now,
                **_undecided(),
            )
            await update(after)
            await note("edited", before, after, actor, None, now)
        return after

    async def submit(
        self, draft_id: str, *, revision: int, actor: str, reason: str, now: datetime
    ) -> DraftRecord:
        """Ask another admin to approve it.

        Raises DraftNotFound, DraftStepRefused, DraftChanged, and MalformedSchedule for dates that have
        passed meanwhile and for rules that can never match.
        """
        # Of the revision that is named, or it is refused below; outside the transaction, which must be short.
        await asyncio.to_thread(require_alive, await read(draft_id), now)
        async with transaction():
            before = await _take(draft_id, "submit", revision)
            await check(_content_of(before), now)
            after = msgspec.structs.replace(
                before,
                **{
                    **_undecided(),
                    "state": "submitted",
                    "submitted_by": actor,
                    "submitted_at": now,
                    "reason": reason,
                },
            )
            await update(after)
            await note("submitted", before, after, actor, reason, now)
            await outbox.tell_admins(
                kind="fee_draft_submitted",
                subject_id=draft_id,
                cause=f"{draft_id}:submitted:{now.isoformat()}",
                facts={"draft_id": draft_id, "title": after.title, "reason": reason},
                now=now,
            )
        return after

    async def withdraw(
        self, draft_id: str, *, revision: int, actor: str, reason: str, now: datetime
    ) -> DraftRecord:
        """Take it back, to edit it. Raises DraftNotFound, DraftStepRefused, DraftChanged."""
        async with transaction():
            before = await _take(draft_id, "withdraw", revision)
            after = msgspec.structs.replace(before, state="draft", **_undecided())
            await update(after)
            await note("withdrawn", before, after, actor, reason, now)
        return after

    async def discard(
        self, draft_id: str, *, revision: int, actor: str, reason: str | None, now: datetime
    ) -> DraftRecord:
        """Be done with it. Raises DraftNotFound, DraftStepRefused, DraftChanged."""
        return await self._end(draft_id, "discard", "discarded", revision, actor, reason, now)

    async def refuse(
        self, draft_id: str, *, revision: int, actor: str, reason: str, now: datetime
    ) -> DraftRecord:
        """Say no, and why. Raises DraftNotFound, DraftStepRefused, DraftChanged."""
        return await self._end(draft_id, "refuse", "refused", revision, actor, reason, now)

    async def approve(
        self, draft_id: str, *, revision: int, actor: str, reason: str, now: datetime
    ) -> PublishedSchedule:
        """Make it the next version, in force from its start.

        Raises DraftNotFound, DraftStepRefused, DraftChanged, OwnFeeScheduleDecision for who submitted it or
        edited it last, and MalformedSchedule where its start has passed meanwhile.
        """
        async with transaction():
            draft = await _take(draft_id, "approve", revision)
            if actor in (draft.submitted_by, draft.edited_by):
                raise OwnFeeScheduleDecision(draft_id)
            await check(_content_of(draft), now)
            schedule = await self._schedules.publish(_new(draft, actor, now), reason, now)
            after = msgspec.structs.replace(
                draft,
                state="approved",
                decided_by=actor,
                decided_at=now,
                decision_reason=reason,
                schedule_id=schedule.id,
            )
            await update(after)
            await note("approved", draft, after, actor, reason, now)
            await _tell_author(after, reason, now)
        return schedule

    async def lint(self, draft_id: str, now: datetime) -> Sequence[Finding]:
        """What is the matter with its rules, and what they change of those in force when they start.

        Raises DraftNotFound, NoFeeSchedule.
        """
        draft = await read(draft_id)
        before = await self.replaced(draft, now)
        currencies = await sellers_currencies()
        return await asyncio.to_thread(findings_of, before, draft, now, currencies)

    async def replaced(self, draft: DraftRecord, now: datetime) -> Schedule:
        """The rules that would be in force without it when it starts. Raises NoFeeSchedule."""
        return await self._schedules.current(max(draft.effective_from or now, now))

    async def reigns(self, draft_id: str, now: datetime) -> Sequence[Reign]:
        """Which version would be in force when, were it approved at `now`; it is version 0.

        Raises DraftNotFound.
        """
        draft = await read(draft_id)
        start = max(draft.effective_from or now, now)
        if draft.effective_to is not None and draft.effective_to <= start:
            return reigns(await self._schedules.meant_from(now), now)
        mine = Meant(id=draft_id, version=0, effective_from=start, effective_to=draft.effective_to)
        return reigns([*await self._schedules.meant_from(now), mine], now)

    async def rules_for(
        self, inputs: FeeInputs, schedule_id: str | None, draft_id: str | None
    ) -> Schedule:
        """The rules to price a made-up cart by: a version's, a draft's (as version 0), or those in force.

        Raises FeeScheduleNotFound, DraftNotFound, and CurrencyUnknown or AmountNotChargeable
        for an amount that does not exist in the cart's currency.
        """
        for line in inputs.lines:
            check_whole(line.amount, inputs.currency)
        check_whole(inputs.credit, inputs.currency)
        if draft_id is not None:
            draft = await read(draft_id)
            return Schedule(
                id=draft.id, version=0, rules=draft.rules, fee_on_refund=draft.fee_on_refund
            )
        if schedule_id is not None:
            return await self._schedules.require(schedule_id)
        assert inputs.placed_at is not None
        in_force = await self._schedules.in_force_id(inputs.placed_at)
        return await self._schedules.require(in_force or f"in force at {inputs.placed_at}")

    async def _end(
        self,
        draft_id: str,
        step: Step,
        state: State,
        revision: int,
        actor: str,
        reason: str | None,
        now: datetime,
    ) -> DraftRecord:
        async with transaction():
            before = await _take(draft_id, step, revision)
            after = msgspec.structs.replace(
                before, state=state, decided_by=actor, decided_at=now, decision_reason=reason
            )
            await update(after)
            await note(state, before, after, actor, reason, now)
            if state == "refused":
                await _tell_author(after, reason or "", now)
        return after


async def _take(draft_id: str, step: Step, revision: int) -> DraftRecord:
    """The draft, locked, if it may take the step and is as the caller knows it."""
    draft = await read(draft_id, lock=True)
    if draft.state not in _FROM[step]:
        raise DraftStepRefused(draft_id, draft.state, step)
    if draft.revision != revision:
        raise DraftChanged(draft_id, draft.revision)
    return draft


async def _tell_author(draft: DraftRecord, reason: str, now: datetime) -> None:
    assert draft.submitted_by is not None
    await outbox.tell(
        kind="fee_draft_decided",
        account_id=draft.submitted_by,
        subject_id=draft.id,
        cause=f"{draft.id}:{draft.state}:{now.isoformat()}",
        facts={
            "draft_id": draft.id,
            "title": draft.title,
            "decision": draft.state,
            "reason": reason,
        },
        now=now,
    )


def _new(draft: DraftRecord, approver: str, now: datetime) -> NewSchedule:
    assert draft.submitted_by is not None
    return NewSchedule(
        rules=draft.rules,
        fee_on_refund=draft.fee_on_refund,
        effective_from=draft.effective_from or now,
        effective_to=draft.effective_to,
        draft_id=draft.id,
        created_by=draft.submitted_by,
        approved_by=approver,
    )


def _facts(content: DraftContent | DraftChanges) -> dict[str, Any]:
    return {name: getattr(content, name) for name in content.__struct_fields__}


def _content(draft: DraftRecord) -> dict[str, Any]:
    return {name: getattr(draft, name) for name in DraftContent.__struct_fields__}


def _content_of(draft: DraftRecord) -> DraftContent:
    return DraftContent(**_content(draft))


def _undecided() -> dict[str, Any]:
    names = (
        "submitted_by",
        "submitted_at",
        "reason",
        "decided_by",
        "decided_at",
        "decision_reason",
    )
    return dict.fromkeys(names)
