"""Approvals: a dangerous act that one admin asks for is done when another one says yes, once.

What will be done is written down when it is asked for; the decision, the act and their audit entries share
one transaction. Who asked may withdraw it, which is a refusal, but never approve it. What nobody decided
within a week is refused by time: what two people agree on is to be of the same days.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import msgspec

from marketplace.messages import outbox
from marketplace.oversight import audit
from marketplace.oversight.approval_errors import (
    ApprovalAsked,
    ApprovalDecided,
    ApprovalExpired,
    ApprovalNotFound,
    OwnApproval,
)
from marketplace.paging import Page, PageRequest
from payments.database import execute, require_transaction, row, rows, transaction, value
from payments.ids import new_id

WAITS: Final = timedelta(days=7)
"""How long a wish waits for its decision."""
_NOBODY: Final = "nobody decided in time"

State = Literal["asked", "approved", "refused"]


class ApprovalRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One act that needs two. `facts` is exactly what will be done."""

    id: str
    action: str
    subject: str
    facts: dict[str, Any]
    reason: str
    state: State
    asked_by: str
    asked_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    decision_reason: str | None

    @property
    def expires_at(self) -> datetime:
        """Until when it can be approved."""
        return self.asked_at + WAITS


Act = Callable[[ApprovalRecord, datetime], Awaitable[None]]
"""Does what was approved, inside the transaction of the approval."""
_COLUMNS = ", ".join(ApprovalRecord.__struct_fields__)


class Approvals:
    """Asking for acts, and deciding about them."""

    def __init__(self) -> None:
        self._acts: dict[str, Act] = {}

    def register(self, action: str, act: Act) -> None:
        """Say what is done when `action` is approved; each action once."""
        assert action not in self._acts, action
        self._acts[action] = act

    @property
    def actions(self) -> frozenset[str]:
        """Every act that can be asked for."""
        return frozenset(self._acts)

    async def ask(
        self,
        *,
        action: str,
        subject: str,
        facts: Mapping[str, Any],
        reason: str,
        asked_by: str,
        now: datetime,
    ) -> ApprovalRecord:
        """Write the wish down in the open transaction and tell the other admins.

        Raises ApprovalAsked while the same act on the same subject waits.
        """
        require_transaction()
        assert action in self._acts, action
        await _lock(action, subject)
        waiting = await self.waiting(action, subject)
        if waiting is not None:
            # Who decides it at this moment holds its row, and may want what the caller holds.
            free = await row(
                f"SELECT {_COLUMNS} FROM approvals WHERE id = $1 AND state = 'asked' "
                "FOR UPDATE SKIP LOCKED",
                waiting,
            )
            if free is None:
                raise ApprovalAsked(waiting)
            await self._expire(_approval(free), now)
        approval_id = new_id("apv")
        await execute(
            "INSERT INTO approvals (id, action, subject, facts, reason, state, asked_by, asked_at) "
            "VALUES ($1, $2, $3, $4, $5, 'asked', $6, $7)",
            approval_id,
            action,
            subject,
            msgspec.json.encode(facts).decode(),
            reason,
            asked_by,
            now,
        )
        approval = await self.require(approval_id)
        await _record(approval, asked_by, "approval.asked", reason, now)
        await _tell_others(approval, now)
        return approval

    async def approve(
        self, approval_id: str, *, by: str, reason: str, now: datetime
    ) -> ApprovalRecord:
        """Say yes, and have it done. Raises ApprovalNotFound, OwnApproval, ApprovalDecided, ApprovalExpired,
        and what the act raises: then nothing is decided.
        """
        async with transaction():
            approval = await _undecided(approval_id)
            if approval.expires_at <= now:
                raise ApprovalExpired(approval_id, approval.expires_at)
            if approval.asked_by == by:
                raise OwnApproval(approval_id)
            decided = await self._decide(approval, "approved", by, reason, now)
            await self._acts[approval.action](decided, now)
        return decided

    async def refuse(
        self, approval_id: str, *, by: str, reason: str, now: datetime
    ) -> ApprovalRecord:
        """Say no; whoever asked may, too. Raises ApprovalNotFound, ApprovalDecided."""
        async with transaction():
            return await self._decide(await _undecided(approval_id), "refused", by, reason, now)

    async def expire_due(self, now: datetime, limit: int) -> int:
        """The sweep: what nobody decided in time is refused, and whoever asked is told; answers how many."""
        async with transaction():
            found = await rows(
                f"SELECT {_COLUMNS} FROM approvals WHERE state = 'asked' AND asked_at <= $1 "
                "ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED",
                now - WAITS,
                limit,
            )
            for record in found:
                await self._expire(_approval(record), now)
        return len(found)

    async def _expire(self, approval: ApprovalRecord, now: datetime) -> None:
        """Refuse it by time. Raises ApprovalAsked for one that may still be decided."""
        if approval.expires_at > now:
            raise ApprovalAsked(approval.id)
        await self._decide(approval, "refused", audit.EXPIRY, _NOBODY, now)

    async def require(self, approval_id: str) -> ApprovalRecord:
        """The approval with this id. Raises ApprovalNotFound."""
        found = await row(f"SELECT {_COLUMNS} FROM approvals WHERE id = $1", approval_id)
        if found is None:
            raise ApprovalNotFound(approval_id)
        return _approval(found)

    async def waiting(self, action: str, subject: str) -> str | None:
        """The id of the approval that this act on this subject waits for; None when it waits for none."""
        found: str | None = await value(
            "SELECT id FROM approvals WHERE action = $1 AND subject = $2 AND state = 'asked'",
            action,
            subject,
        )
        return found

    async def page(
        self,
        state: State | None,
        request: PageRequest,
        *,
        action: str | None = None,
        subject: str | None = None,
    ) -> Page[ApprovalRecord]:
        """Approvals in this state, of this act and about this, or all of them; the newest first."""
        found = await rows(
            f"SELECT {_COLUMNS} FROM approvals WHERE ($1::text IS NULL OR state = $1) "
            "AND ($2::text IS NULL OR id < $2) AND ($4::text IS NULL OR action = $4) "
            "AND ($5::text IS NULL OR subject = $5) ORDER BY id DESC LIMIT $3",
            state,
            request.starting_after,
            request.fetched,
            action,
            subject,
        )
        return Page.cut([_approval(record) for record in found], request)

    async def _decide(
        self, approval: ApprovalRecord, state: State, by: str, reason: str, now: datetime
    ) -> ApprovalRecord:
        await execute(
            "UPDATE approvals SET state = $2, decided_by = $3, decided_at = $4, decision_reason = $5 "
            "WHERE id = $1",
            approval.id,
            state,
            by,
            now,
            reason,
        )
        decided = await self.require(approval.id)
        await _record(decided, by, f"approval.{state}", reason, now)
        if by != decided.asked_by:
            await outbox.tell(
                kind="approval_decided",
                account_id=decided.asked_by,
                subject_id=decided.id,
                cause=f"{decided.id}:decided",
                facts={**_told(decided), "decision": state, "reason": reason},
                now=now,
            )
        return decided


async def _lock(action: str, subject: str) -> None:
    """Two admins who ask for the same at once: the second is told of the first."""
    await execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"{action}:{subject}")


async def _undecided(approval_id: str) -> ApprovalRecord:
    found = await row(f"SELECT {_COLUMNS} FROM approvals WHERE id = $1 FOR UPDATE", approval_id)
    if found is None:
        raise ApprovalNotFound(approval_id)
    approval = _approval(found)
    if approval.state != "asked":
        raise ApprovalDecided(approval_id, approval.state)
    return approval


async def _tell_others(approval: ApprovalRecord, now: datetime) -> None:
    await outbox.tell_admins(
        kind="approval_asked",
        subject_id=approval.id,
        cause=f"{approval.id}:asked",
        facts={**_told(approval), "reason": approval.reason},
        now=now,
        but=approval.asked_by,
    )


async def _record(
    approval: ApprovalRecord, actor: str, action: str, reason: str, now: datetime
) -> None:
    await audit.record(
        actor=actor,
        action=action,
        subject=approval.subject,
        after={"approval": approval.id, "action": approval.action, **approval.facts},
        reason=reason,
        now=now,
    )


def _told(approval: ApprovalRecord) -> dict[str, Any]:
    amount = {name: approval.facts.get(name) for name in ("amount", "currency")}
    return {
        "approval_id": approval.id,
        "action": approval.action,
        "subject": approval.subject,
        **(amount if all(amount.values()) else {}),
    }


def _approval(record: Any) -> ApprovalRecord:
    facts = msgspec.json.decode(record["facts"], type=dict[str, Any])
    return ApprovalRecord(**{**dict(record), "facts": facts})
