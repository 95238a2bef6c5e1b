"""Fee schedules as they are kept: one row for each version, never changed once written."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from marketplace.fees.checking import check_rules
from marketplace.fees.first_schedule import FIRST_RULES
from marketplace.fees.schedule import FeeRule, Schedule
from marketplace.oversight import audit
from marketplace.paging import Page, PageRequest
from payments.database import execute, require_transaction, row, rows, transaction
from payments.ids import new_id

_PLATFORM = "platform"
# No order may fall before the first version, whichever machine's clock it was placed by.
_FROM_THE_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
_PUBLISHING = "fee_schedules"
_COLUMNS = "id, version, rules, effective_from, created_at, created_by"


class NoFeeSchedule(Exception):
    """No schedule is in force: the database was not prepared with `ensure_first`."""


class FeeScheduleNotFound(Exception):
    """No such schedule."""

    def __init__(self, schedule_id: str) -> None:
        self.schedule_id = schedule_id
        super().__init__(schedule_id)


class PublishedSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """A version of the fee rules with who published it, and since when it is in force."""

    id: str
    version: int
    rules: tuple[FeeRule, ...]
    effective_from: datetime
    created_at: datetime
    created_by: str


class Schedules:
    """Reads and publishes the versions of the platform's fee rules."""

    async def current(self, now: datetime) -> Schedule:
        """The version in force at `now`. Raises NoFeeSchedule."""
        found = await row(
            "SELECT id, version, rules FROM fee_schedules WHERE effective_from <= $1 "
            "ORDER BY version DESC LIMIT 1",
            now,
        )
        if found is None:
            raise NoFeeSchedule
        return Schedule(id=found["id"], version=found["version"], rules=_rules(found["rules"]))

    async def require(self, schedule_id: str) -> Schedule:
        """The version with this id, in force or not. Raises FeeScheduleNotFound."""
        found = await row("SELECT id, version, rules FROM fee_schedules WHERE id = $1", schedule_id)
        if found is None:
            raise FeeScheduleNotFound(schedule_id)
        return Schedule(id=found["id"], version=found["version"], rules=_rules(found["rules"]))

    async def list(self, page: PageRequest) -> Page[PublishedSchedule]:
        """Every version, the newest first."""
        found = await rows(
            f"SELECT {_COLUMNS} FROM fee_schedules WHERE $1::text IS NULL OR version < "
            "(SELECT version FROM fee_schedules WHERE id = $1) ORDER BY version DESC LIMIT $2",
            page.starting_after,
            page.fetched,
        )
        return Page.cut([_published(record) for record in found], page)

    async def ensure_first(self, now: datetime) -> bool:
        """Write version 1 unless there is one; answers whether it did. Safe to call at every start."""
        check_rules(FIRST_RULES)
        written = await execute(
            f"INSERT INTO fee_schedules ({_COLUMNS}) VALUES ($1, 1, $2, $3, $4, $5) "
            "ON CONFLICT (version) DO NOTHING",
            new_id("fsc"),
            _json(FIRST_RULES),
            _FROM_THE_BEGINNING,
            now,
            _PLATFORM,
        )
        return written == 1

    async def publish(
        self, rules: Sequence[FeeRule], *, actor: str, reason: str | None, now: datetime
    ) -> PublishedSchedule:
        """Put new rules in force for orders placed from now on; earlier orders keep theirs.

        Raises MalformedSchedule, and nothing changes.
        """
        check_rules(rules)
        async with transaction():
            # Two admins at once: the second becomes the next version instead of a conflict.
            await execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", _PUBLISHING)
            return await self._publish(tuple(rules), actor, reason, now)

    async def _publish(
        self, rules: tuple[FeeRule, ...], actor: str, reason: str | None, now: datetime
    ) -> PublishedSchedule:
        require_transaction()
        latest = await row("SELECT id, version FROM fee_schedules ORDER BY version DESC LIMIT 1")
        schedule = PublishedSchedule(
            id=new_id("fsc"),
            version=latest["version"] + 1 if latest else 1,
            rules=rules,
            effective_from=now,
            created_at=now,
            created_by=actor,
        )
        await execute(
            f"INSERT INTO fee_schedules ({_COLUMNS}) VALUES ($1, $2, $3, $4, $4, $5)",
            schedule.id,
            schedule.version,
            _json(rules),
            now,
            actor,
        )
        await audit.record(
            actor=actor,
            action="fee_schedule.published",
            subject=schedule.id,
            before=dict(latest) if latest else None,
            after={"id": schedule.id, "version": schedule.version},
            reason=reason,
            now=now,
        )
        return schedule


def _json(rules: Sequence[FeeRule]) -> str:
    return msgspec.json.encode(rules).decode()


def _rules(text: str) -> tuple[FeeRule, ...]:
    return msgspec.json.decode(text, type=tuple[FeeRule, ...])


def _published(record: object) -> PublishedSchedule:
    facts = dict(record)  # type: ignore[call-overload]
    return PublishedSchedule(**{**facts, "rules": _rules(facts["rules"])})
