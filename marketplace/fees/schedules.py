"""Fee schedules as they are kept: one row for each version, never changed once written.

In force is the version that started last, of those that have not ended and were not retired; of two with
the same start, the newer. So a version with an end (a season's) gives way to the one it covered.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec

from marketplace.fees.checking import check_rules
from marketplace.fees.errors import FeeScheduleKept, FeeScheduleNotFound, NoFeeSchedule
from marketplace.fees.first_schedule import FIRST_RULES
from marketplace.fees.in_force import Meant
from marketplace.fees.schedule import FeeOnRefund, FeeRule, Schedule
from marketplace.oversight import audit
from marketplace.paging import Page, PageRequest
from payments.database import execute, require_transaction, row, rows, value
from payments.ids import new_id

Standing = Literal["scheduled", "in_force", "superseded", "ended", "retired"]

_PLATFORM: Final = "platform"
# No order may fall before the first version, whichever machine's clock it was placed by.
_FROM_THE_BEGINNING: Final = datetime(2000, 1, 1, tzinfo=UTC)
_PUBLISHING: Final = "fee_schedules"
_REMEMBERED: Final = 64
_CURRENT = """
SELECT f.id FROM fee_schedules f
WHERE f.effective_from <= $1 AND (f.effective_to IS NULL OR f.effective_to > $1)
  AND NOT EXISTS (SELECT FROM fee_schedule_retirements r
    WHERE r.schedule_id = f.id AND r.retired_at <= $1)
ORDER BY f.effective_from DESC, f.version DESC LIMIT 1
"""
_SELECT = """
SELECT f.id, f.version, f.rules, f.fee_on_refund, f.effective_from, f.effective_to, f.draft_id,
    f.approved_by, f.created_at, f.created_by, r.retired_at, r.retired_by, r.reason AS retired_because
FROM fee_schedules f LEFT JOIN fee_schedule_retirements r ON r.schedule_id = f.id
"""


class PublishedSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """A version of the fee rules: who wrote and approved it, and from when to when it is in effect."""

    id: str
    version: int
    rules: tuple[FeeRule, ...]
    fee_on_refund: FeeOnRefund
    effective_from: datetime
    effective_to: datetime | None
    draft_id: str | None
    created_by: str
    approved_by: str | None
    created_at: datetime
    retired_at: datetime | None = None
    retired_by: str | None = None
    retired_because: str | None = None

    @property
    def schedule(self) -> Schedule:
        """The rules alone, ready to price by."""
        return Schedule(
            id=self.id, version=self.version, rules=self.rules, fee_on_refund=self.fee_on_refund
        )

    def standing(self, current_id: str | None, now: datetime) -> Standing:
        """Where it stands at `now`, when `current_id` is in force."""
        if self.retired_at is not None and self.retired_at <= now:
            return "retired"
        if self.effective_from > now:
            return "scheduled"
        if self.effective_to is not None and self.effective_to <= now:
            return "ended"
        return "in_force" if self.id == current_id else "superseded"


class NewSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes a version."""

    rules: tuple[FeeRule, ...]
    fee_on_refund: FeeOnRefund
    effective_from: datetime
    effective_to: datetime | None
    draft_id: str
    created_by: str
    approved_by: str


class Schedules:
    """Reads the versions of the platform's fee rules, writes new ones and retires old ones."""

    def __init__(self) -> None:
        # Versions never change, so what was read once holds.
        self._known: dict[str, Schedule] = {}

    async def current(self, now: datetime) -> Schedule:
        """The version in force at `now`: one query. Raises NoFeeSchedule."""
        found = await self.in_force_id(now)
        if found is None:
            raise NoFeeSchedule
        return await self.require(found)

    async def in_force_id(self, now: datetime) -> str | None:
        """The id of the version in force at `now`; None before there was any."""
        found: str | None = await value(_CURRENT, now)
        return found

    async def require(self, schedule_id: str) -> Schedule:
        """The version with this id, in force or not. Raises FeeScheduleNotFound."""
        known = self._known.get(schedule_id)
        if known is None:
            known = (await self.find(schedule_id)).schedule
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[schedule_id] = known
        return known

    async def find(self, schedule_id: str) -> PublishedSchedule:
        """The version with this id and all about it. Raises FeeScheduleNotFound."""
        found = await row(f"{_SELECT} WHERE f.id = $1", schedule_id)
        if found is None:
            raise FeeScheduleNotFound(schedule_id)
        return _published(found)

    async def list(self, page: PageRequest) -> Page[PublishedSchedule]:
        """Every version, the newest first."""
        found = await rows(
            f"{_SELECT} WHERE $1::text IS NULL OR f.version < "
            "(SELECT version FROM fee_schedules WHERE id = $1) ORDER BY f.version DESC LIMIT $2",
            page.starting_after,
            page.fetched,
        )
        return Page.cut([_published(record) for record in found], page)

    async def meant_from(self, now: datetime) -> Sequence[Meant]:
        """Every version that may be in force at `now` or later."""
        found = await rows(
            "SELECT f.id, f.version, f.effective_from, f.effective_to FROM fee_schedules f "
            "WHERE (f.effective_to IS NULL OR f.effective_to > $1) AND NOT EXISTS "
            "(SELECT FROM fee_schedule_retirements r WHERE r.schedule_id = f.id)",
            now,
        )
        return [Meant(**record) for record in found]

    async def ensure_first(self, now: datetime) -> bool:
        """Write version 1 unless there is one; answers whether it did. Safe to call at every start."""
        check_rules(FIRST_RULES)
        written = await execute(
            "INSERT INTO fee_schedules (id, version, rules, effective_from, created_at, created_by) "
            "VALUES ($1, 1, $2, $3, $4, $5) ON CONFLICT (version) DO NOTHING",
            new_id("fsc"),
            json_of(FIRST_RULES),
            _FROM_THE_BEGINNING,
            now,
            _PLATFORM,
        )
        return written == 1

    async def publish(self, new: NewSchedule, reason: str, now: datetime) -> PublishedSchedule:
        """Write the next version, inside the transaction that approved it.

        Raises NoTransaction, MalformedSchedule.
        """
        require_transaction()
        check_rules(new.rules)
        await _one_at_a_time()
        latest = await row("SELECT id, version FROM fee_schedules ORDER BY version DESC LIMIT 1")
        schedule = PublishedSchedule(
            id=new_id("fsc"),
            version=latest["version"] + 1 if latest else 1,
            created_at=now,
            **{name: getattr(new, name) for name in new.__struct_fields__},
        )
        await _write(schedule)
        await audit.record(
            actor=new.approved_by,
            action="fee_schedule.published",
            subject=schedule.id,
            before=dict(latest) if latest else None,
            after={
                "id": schedule.id,
                "version": schedule.version,
                "draft_id": new.draft_id,
                "effective_from": schedule.effective_from,
                "effective_to": schedule.effective_to,
            },
            reason=reason,
            now=now,
        )
        return schedule

    async def require_retirable(self, schedule_id: str, now: datetime) -> PublishedSchedule:
        """The version, if it may be retired, in the open transaction: no other one changes until it ends.

        Raises FeeScheduleNotFound, and FeeScheduleKept where it is over already or nothing without an end
        would be left in force.
        """
        require_transaction()
        await _one_at_a_time()
        schedule = await self.find(schedule_id)
        await _require_retirable(schedule, now)
        return schedule

    async def retire(self, schedule_id: str, *, actor: str, reason: str, now: datetime) -> None:
        """Take a version out of force, or see to it that it never comes into force, in the open transaction.

        Orders keep what they were placed under. Raises what `require_retirable` does.
        """
        schedule = await self.require_retirable(schedule_id, now)
        await execute(
            "INSERT INTO fee_schedule_retirements (schedule_id, retired_at, retired_by, reason) "
            "VALUES ($1, $2, $3, $4)",
            schedule_id,
            now,
            actor,
            reason,
        )
        await audit.record(
            actor=actor,
            action="fee_schedule.retired",
            subject=schedule_id,
            before={"version": schedule.version, "retired_at": None},
            after={"version": schedule.version, "retired_at": now},
            reason=reason,
            now=now,
        )


def json_of(rules: Sequence[FeeRule]) -> str:
    """The rules as they are kept."""
    return msgspec.json.encode(rules).decode()


def rules_of(text: str) -> tuple[FeeRule, ...]:
    """The rules as they were kept."""
    return msgspec.json.decode(text, type=tuple[FeeRule, ...])


async def _one_at_a_time() -> None:
    """Two admins at once: the second becomes the next version instead of a conflict."""
    await execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", _PUBLISHING)


async def _require_retirable(schedule: PublishedSchedule, now: datetime) -> None:
    if schedule.retired_at is not None:
        raise FeeScheduleKept(schedule.id, "retired")
    if schedule.effective_to is not None and schedule.effective_to <= now:
        raise FeeScheduleKept(schedule.id, "over")
    others: bool = await value(
        "SELECT EXISTS (SELECT FROM fee_schedules f WHERE f.id <> $1 AND f.effective_from <= $2 "
        "AND f.effective_to IS NULL AND NOT EXISTS "
        "(SELECT FROM fee_schedule_retirements r WHERE r.schedule_id = f.id))",
        schedule.id,
        now,
    )
    if not others:
        raise FeeScheduleKept(schedule.id, "last_one")


async def _write(schedule: PublishedSchedule) -> None:
    await execute(
        "INSERT INTO fee_schedules (id, version, rules, fee_on_refund, effective_from, effective_to, "
        "draft_id, created_by, approved_by, created_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        schedule.id,
        schedule.version,
        json_of(schedule.rules),
        schedule.fee_on_refund,
        schedule.effective_from,
        schedule.effective_to,
        schedule.draft_id,
        schedule.created_by,
        schedule.approved_by,
        schedule.created_at,
    )


def _published(record: Any) -> PublishedSchedule:
    facts = dict(record)
    return PublishedSchedule(**{**facts, "rules": rules_of(facts["rules"])})
