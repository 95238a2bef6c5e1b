"""What can go wrong with fee schedules. Classes carry data, not sentences, and no HTTP.

FeeError
|-- NoFeeSchedule           none is in force: the database was not prepared
|-- FeeScheduleNotFound     no such version
|-- FeeScheduleKept         a version that cannot be retired
|-- DraftNotFound           no such draft
|-- DraftStepRefused        where the draft stands does not allow this
|-- DraftChanged            somebody edited it after it was read
|-- OwnFeeScheduleDecision  nobody approves what they wrote or submitted themself
|-- ReplayRefused           of neither a draft nor a version, or of both
|-- ReplayNotFound          no such replay
|-- ReplayStepRefused       it is over already
|-- FeeCreditNotFound       no such credit
|-- FeeCreditRevoked        it was revoked before
|-- FeeCreditNeedsApproval  more than one admin may grant alone
`-- FeeCreditRefused        a credit that could not be used

schedule.MalformedSchedule, which pure code raises, stands beside them.
"""

from typing import Any, Literal


class FeeError(Exception):
    """Root of what fees raise, but for MalformedSchedule."""

    def __init__(self, *details: Any) -> None:
        super().__init__(*details)


class NoFeeSchedule(FeeError):
    """No schedule is in force: the database was not prepared with `ensure_first`."""


class FeeScheduleNotFound(FeeError):
    """No such schedule."""

    def __init__(self, schedule_id: str) -> None:
        self.schedule_id = schedule_id
        super().__init__(schedule_id)


class FeeScheduleKept(FeeError):
    """It cannot be retired: `why` says that it is already, is over, or is the last without an end."""

    def __init__(self, schedule_id: str, why: Literal["retired", "over", "last_one"]) -> None:
        self.schedule_id, self.why = schedule_id, why
        super().__init__(schedule_id, why)


class DraftNotFound(FeeError):
    """No such draft."""

    def __init__(self, draft_id: str) -> None:
        self.draft_id = draft_id
        super().__init__(draft_id)


class DraftStepRefused(FeeError):
    """A draft in `state` cannot take `step`."""

    def __init__(self, draft_id: str, state: str, step: str) -> None:
        self.draft_id, self.state, self.step = draft_id, state, step
        super().__init__(draft_id, state, step)


class DraftChanged(FeeError):
    """The draft is at `revision` now: read it again before deciding about it."""

    def __init__(self, draft_id: str, revision: int) -> None:
        self.draft_id, self.revision = draft_id, revision
        super().__init__(draft_id, revision)


class OwnFeeScheduleDecision(FeeError):
    """Who submitted a draft or edited it last does not approve it."""

    def __init__(self, draft_id: str) -> None:
        self.draft_id = draft_id
        super().__init__(draft_id)


class ReplayRefused(FeeError):
    """A replay that could not be done: where and why."""

    def __init__(self, path: str, why: str) -> None:
        self.path, self.why = path, why
        super().__init__(path, why)


class ReplayNotFound(FeeError):
    """No such replay."""

    def __init__(self, replay_id: str) -> None:
        self.replay_id = replay_id
        super().__init__(replay_id)


class ReplayStepRefused(FeeError):
    """A replay in `state` cannot be canceled."""

    def __init__(self, replay_id: str, state: str) -> None:
        self.replay_id, self.state = replay_id, state
        super().__init__(replay_id, state)


class FeeCreditNotFound(FeeError):
    """No such credit."""

    def __init__(self, credit_id: str) -> None:
        self.credit_id = credit_id
        super().__init__(credit_id)


class FeeCreditRevoked(FeeError):
    """It was revoked before: nothing is left to end."""

    def __init__(self, credit_id: str) -> None:
        self.credit_id = credit_id
        super().__init__(credit_id)


class FeeCreditNeedsApproval(FeeError):
    """One admin grants a seller `limit` alone; with this it would be `amount`. Minor units."""

    def __init__(self, seller_id: str, *, amount: int, limit: int, currency: str) -> None:
        self.seller_id, self.amount = seller_id, amount
        self.limit, self.currency = limit, currency
        super().__init__(seller_id, amount, limit, currency)


class FeeCreditRefused(FeeError):
    """A credit that could not be used: where and why."""

    def __init__(self, path: str, why: str) -> None:
        self.path, self.why = path, why
        super().__init__(path, why)
