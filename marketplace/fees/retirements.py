"""Taking a version of the fee rules out of force: one admin asks, another approves."""

from datetime import datetime
from typing import Final

from marketplace.fees.schedules import Schedules
from marketplace.oversight.approvals import ApprovalRecord, Approvals
from payments.database import transaction

RETIRE: Final = "fee_schedule.retire"
"""What another admin approves."""


class Retirements:
    """The use case of retiring a version."""

    def __init__(self, schedules: Schedules, approvals: Approvals) -> None:
        self._schedules, self._approvals = schedules, approvals
        approvals.register(RETIRE, self._retire)

    async def ask(
        self, schedule_id: str, *, actor: str, reason: str, now: datetime
    ) -> ApprovalRecord:
        """Ask that a version is retired: at once, when another admin approves.

        Raises FeeScheduleNotFound, FeeScheduleKept, ApprovalAsked.
        """
        async with transaction():
            schedule = await self._schedules.require_retirable(schedule_id, now)
            return await self._approvals.ask(
                action=RETIRE,
                subject=schedule_id,
                facts={
                    "version": schedule.version,
                    "effective_from": schedule.effective_from,
                    "effective_to": schedule.effective_to,
                },
                reason=reason,
                asked_by=actor,
                now=now,
            )

    async def _retire(self, approval: ApprovalRecord, now: datetime) -> None:
        """What an approval brings about, in its transaction."""
        await self._schedules.retire(
            approval.subject, actor=approval.asked_by, reason=approval.reason, now=now
        )
