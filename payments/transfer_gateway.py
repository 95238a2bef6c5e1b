"""The port to the seller's side of an order's money: reversals, transfers, returned fees.

`stripe_transfers.py` answers it. As everywhere, every method takes its idempotency key, and a lost
answer is read back by the id of ours in the object's metadata. Every method raises the errors of
`payments.errors`: StripeRejected and its kinds, NotSent, OutcomeUnknown, StripeMisconfigured.
"""

from datetime import datetime
from typing import Protocol

import msgspec

from payments.gateway import Draft
from payments.ids import IdempotencyKey, IntentId, OperationId


class ReversalDraft(Draft, frozen=True, kw_only=True):
    """Take money of one of Stripe's transfers back; its currency is the transfer's, so none is said."""

    operation_id: OperationId
    movement_id: str
    payment_id: str
    order_id: str
    transfer_id: str
    amount: int


class TransferDraft(Draft, frozen=True, kw_only=True):
    """Send money to a seller anew, from the platform's available balance.

    It cannot be drawn on the charge (`source_transaction`): the order's own transfer took all of that.
    """

    operation_id: OperationId
    movement_id: str
    payment_id: str
    order_id: str
    charge_id: str
    destination: str
    amount: int
    currency: str


class FeeReturnDraft(Draft, frozen=True, kw_only=True):
    """Give a part of an application fee back to the seller, by our own number."""

    operation_id: OperationId
    fee_return_id: str
    payment_id: str
    order_id: str
    intent_id: IntentId
    fee_id: str
    amount: int


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """What Stripe made of a draft: minor units of `currency`."""

    id: str
    amount: int
    currency: str
    created_at: datetime
    request_id: str | None


class ForeignReversals(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody reversed of a transfer past this program, in all: minor units, and the latest of it."""

    amount: int
    latest_id: str
    latest_at: datetime


class TransferGateway(Protocol):
    """Stripe, as far as sellers' transfers and the platform's fees are concerned."""

    async def reverse(self, draft: ReversalDraft, key: IdempotencyKey) -> Moved: ...

    async def find_reversal(self, draft: ReversalDraft) -> Moved | None:
        """The reversal that a lost request may have made."""
        ...

    async def left_of(self, transfer_id: str) -> int:
        """How much of a transfer has not been reversed, in minor units."""
        ...

    async def foreign_reversals(self, transfer_id: str) -> ForeignReversals | None:
        """What was reversed of it neither by a request of ours nor with a refund; None: nothing."""
        ...

    async def transfer(self, draft: TransferDraft, key: IdempotencyKey) -> Moved: ...

    async def find_transfer(self, draft: TransferDraft) -> Moved | None:
        """The transfer that a lost request may have made."""
        ...

    async def return_fee(self, draft: FeeReturnDraft, key: IdempotencyKey) -> Moved: ...

    async def find_fee_return(self, draft: FeeReturnDraft) -> Moved | None:
        """The fee refund that a lost request may have made."""
        ...
