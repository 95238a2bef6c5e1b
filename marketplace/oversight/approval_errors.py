"""What can go wrong with approvals. Classes carry data, not sentences, and no HTTP."""

from datetime import datetime


class ApprovalError(Exception):
    """Root of everything approvals raise."""


class ApprovalNotFound(ApprovalError):
    """No such approval."""

    def __init__(self, approval_id: str) -> None:
        self.approval_id = approval_id
        super().__init__(approval_id)


class ApprovalAsked(ApprovalError):
    """The same act is waiting for its decision already."""

    def __init__(self, approval_id: str) -> None:
        self.approval_id = approval_id
        super().__init__(approval_id)


class ApprovalDecided(ApprovalError):
    """Somebody has decided: `state` is approved or refused."""

    def __init__(self, approval_id: str, state: str) -> None:
        self.approval_id, self.state = approval_id, state
        super().__init__(approval_id, state)


class ApprovalExpired(ApprovalError):
    """Nobody decided in time, which ended with `expires_at`: it is to be asked for anew."""

    def __init__(self, approval_id: str, expires_at: datetime) -> None:
        self.approval_id, self.expires_at = approval_id, expires_at
        super().__init__(approval_id, expires_at)


class OwnApproval(ApprovalError):
    """Nobody approves what they asked for themself."""

    def __init__(self, approval_id: str) -> None:
        self.approval_id = approval_id
        super().__init__(approval_id)
