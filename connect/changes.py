"""A snapshot that says something new of an account is announced, in the transaction that takes it in."""

from datetime import datetime

from connect import records
from connect.capability import AccountState, CapabilityPolicy, due_of, state_of
from connect.events import AccountChanged, AnnounceAccount
from connect.snapshot import AccountSnapshot
from payments.database import require_transaction


async def absorb(
    snapshot: AccountSnapshot,
    *,
    seller_id: str,
    checked_at: datetime,
    nudges_seen: int,
    policy: CapabilityPolicy,
    announce: AnnounceAccount,
) -> None:
    """Take a snapshot in, and announce what it changes; see `records.absorb`. Raises NoTransaction."""
    require_transaction()
    before = await records.find_locked(snapshot.id)
    absorbed = await records.absorb(
        snapshot,
        seller_id=seller_id,
        checked_at=checked_at,
        nudges_seen=nudges_seen,
        policy=policy,
    )
    if absorbed and _says_more(before, snapshot, policy):
        await announce(
            AccountChanged(
                seller_id=seller_id,
                account_id=snapshot.id,
                before=None if before is None else state_of(before, policy),
                after=state_of(snapshot, policy),
                missing=tuple(one.description for one in due_of(snapshot)),
                deadline=snapshot.deadline,
                occurred_at=checked_at,
            )
        )


def _says_more(
    before: AccountSnapshot | None, after: AccountSnapshot, policy: CapabilityPolicy
) -> bool:
    """Whether the account stands elsewhere now, or must be seen to by another time."""
    if before is None or state_of(before, policy) is not state_of(after, policy):
        return True
    moved = after.deadline is not None and after.deadline != before.deadline
    return moved and state_of(after, policy) is AccountState.READY_WITH_DEADLINE
