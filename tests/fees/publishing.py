"""New fee rules in force, by the only way there is: one writes, another approves."""

from collections.abc import Sequence
from datetime import datetime

from marketplace.fees.drafts import DraftContent, Drafts
from marketplace.fees.schedule import FeeRule
from marketplace.fees.schedules import PublishedSchedule, Schedules

AUTHOR, APPROVER = "acc_author", "acc_approver"


async def publish(
    schedules: Schedules, rules: Sequence[FeeRule], now: datetime, **facts: object
) -> PublishedSchedule:
    """Put rules in force at `now`, or when `effective_from` says."""
    drafts = Drafts(schedules)
    content = DraftContent(title="A test", rules=tuple(rules), **facts)  # type: ignore[arg-type]
    draft = await drafts.create(content, AUTHOR, now)
    await drafts.submit(draft.id, revision=1, actor=AUTHOR, reason="a test", now=now)
    return await drafts.approve(draft.id, revision=1, actor=APPROVER, reason="fine", now=now)
