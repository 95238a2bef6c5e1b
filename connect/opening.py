"""Opening a seller's connected account, through the journal: one account, whatever gets lost."""

from datetime import datetime

from connect import changes, records
from connect.capability import CapabilityPolicy
from connect.events import AnnounceAccount
from connect.gateway import AccountDraft, AccountGateway
from connect.snapshot import AccountSnapshot
from payments.database import require_transaction, row, value
from payments.errors import StripeRejected
from payments.events import Clock
from payments.ids import IdempotencyKey, OperationId, SellerId, new_id
from payments.journal import Operation
from payments.operations import Operations

KIND = "create_account"


class AccountOpening:
    """The journal's performer of `create_account`."""

    draft_type = AccountDraft

    def __init__(
        self,
        gateway: AccountGateway,
        clock: Clock,
        policy: CapabilityPolicy,
        announce: AnnounceAccount,
    ) -> None:
        self._gateway, self._clock = gateway, clock
        self._policy, self._announce = policy, announce

    async def send(self, draft: AccountDraft, key: IdempotencyKey) -> AccountSnapshot:
        """Ask Stripe for the account."""
        return await self._gateway.create_account(draft, key)

    async def find(self, draft: AccountDraft) -> AccountSnapshot | None:
        """Look for the account that a lost answer was about."""
        return await self._gateway.find_account(draft)

    async def succeeded(
        self, operation: Operation, draft: AccountDraft, result: AccountSnapshot
    ) -> str:
        """Keep the first snapshot, as old as the first asking: Stripe may repeat an old answer."""
        await changes.absorb(
            result,
            seller_id=draft.seller_id,
            checked_at=operation.first_sent_at or self._clock(),
            nudges_seen=0,
            policy=self._policy,
            announce=self._announce,
        )
        return result.id

    async def rejected(
        self, operation: Operation, draft: AccountDraft, rejection: StripeRejected
    ) -> None:
        """Nothing of ours changes: the journal keeps the no, and the next try gets a new key."""


async def is_opened(seller_id: SellerId) -> bool:
    """Whether the seller's account is open, or an answer about it is still out."""
    found: bool = await value(
        "SELECT EXISTS (SELECT FROM operations "
        "WHERE kind = $1 AND subject = $2 AND state <> 'rejected')",
        KIND,
        seller_id,
    )
    return found


async def is_any_under_way() -> bool:
    """Whether the answer to some opening is still out: an account may exist that we do not know."""
    found: bool = await value(
        "SELECT EXISTS (SELECT FROM operations WHERE kind = $1 AND concluded_at IS NULL)", KIND
    )
    return found


async def plan(
    operations: Operations,
    *,
    seller_id: SellerId,
    country: str,
    currency: str,
    email: str,
    display_name: str,
    now: datetime,
) -> OperationId:
    """The seller's one unfinished opening, or a new one, inside the caller's transaction.

    An opening that is still open keeps what it was first asked with, even if the profile has
    changed since. After Stripe's definite no the key's number grows: the old key would replay the
    no.
    """
    require_transaction()
    await records.lock_seller(seller_id)
    under_way = await row(
        "SELECT id FROM operations WHERE kind = $1 AND subject = $2 AND state <> 'rejected'",
        KIND,
        seller_id,
    )
    if under_way is not None:
        return OperationId(under_way["id"])
    number = 1 + await value(
        "SELECT count(*) FROM operations WHERE kind = $1 AND subject = $2", KIND, seller_id
    )
    operation_id = OperationId(new_id("op"))
    draft = AccountDraft(
        operation_id=operation_id,
        seller_id=seller_id,
        country=country,
        currency=currency,
        email=email,
        display_name=display_name,
    )
    return await operations.plan(
        kind=KIND,
        subject=seller_id,
        order_id=None,
        key=IdempotencyKey(f"seller:{seller_id}:account:{number}"),
        draft=draft,
        operation_id=operation_id,
        now=now,
    )
