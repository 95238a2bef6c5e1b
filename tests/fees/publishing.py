"""New fee rules in force, by the only way there is: one writes, another approves."""

from collections.abc import Sequence
from datetime import datetime

from marketplace.fees.drafts import DraftContent, Drafts
from marketplace.fees.schedule import FeeRule
from marketplace.fees.schedules import PublishedSchedule, Schedules
from payments.database import execute, transaction

AUTHOR, APPROVER = "acc_author", "acc_approver"


async def authors() -> None:
    """The two admins have accounts: they are told of each other's doings."""
    for account_id in (AUTHOR, APPROVER):
        await execute(
            "INSERT INTO accounts (id, email, display_name, password_hash, is_admin, created_at) "
            "VALUES ($1, $2, 'Ada', 'no password', true, now()) ON CONFLICT DO NOTHING",
            account_id,
            f"{account_id}@example.com",
        )


async def publish(
    schedules: Schedules, rules: Sequence[FeeRule], now: datetime, **facts: object
) -> PublishedSchedule:
    """Put rules in force at `now`, or when `effective_from` says."""
    await authors()
    drafts = Drafts(schedules)
    content = DraftContent(title="A test", rules=tuple(rules), **facts)  # type: ignore[arg-type]
    draft = await drafts.create(content, AUTHOR, now)
    await drafts.submit(draft.id, revision=1, actor=AUTHOR, reason="a test", now=now)
    return await drafts.approve(draft.id, revision=1, actor=APPROVER, reason="fine", now=now)


async def retire(schedules: Schedules, schedule_id: str, now: datetime) -> None:
    """Take a version out of force."""
    async with transaction():
        await schedules.retire(schedule_id, actor=APPROVER, reason="Over", now=now)
