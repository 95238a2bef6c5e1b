"""Stripe's payouts in memory, behind connect's port."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import msgspec

from connect.payout_gateway import Funds, PayoutItemSeen, PayoutSnapshot
from payments.database import in_transaction
from payments.errors import PaymentError, StripeRejected, TransactionOpen
from payments.events import Clock
from payments.ids import ConnectedAccountId, new_id


class FakePayoutGateway:
    """Remembers payouts by account; silent or refusing when told to."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.made: dict[str, PayoutSnapshot] = {}
        self.carried: dict[str, list[PayoutItemSeen]] = {}
        self.funds: dict[str, tuple[Funds, ...]] = {}
        # Everything asked: method, account, object.
        self.asked: list[tuple[str, str, str | None]] = []
        # Raised instead of an answer.
        self.trouble: PaymentError | None = None

    # The port

    async def retrieve_payout(
        self, account_id: ConnectedAccountId, payout_id: str
    ) -> PayoutSnapshot:
        self._hear("retrieve_payout", account_id, payout_id)
        found = self.made.get(payout_id)
        if found is None or found.account_id != account_id:
            raise StripeRejected("resource_missing", http_status=404)
        return found

    async def payouts(
        self, account_id: ConnectedAccountId, *, since: datetime | None
    ) -> AsyncIterator[PayoutSnapshot]:
        self._hear("payouts", account_id, None if since is None else since.isoformat())
        for one in reversed(self.made.values()):
            if one.account_id == account_id and (since is None or one.created_at >= since):
                yield one

    async def items(
        self, account_id: ConnectedAccountId, payout_id: str
    ) -> tuple[PayoutItemSeen, ...]:
        self._hear("items", account_id, payout_id)
        return tuple(self.carried.get(payout_id, ()))

    async def balance(self, account_id: ConnectedAccountId) -> tuple[Funds, ...]:
        self._hear("balance", account_id, None)
        return self.funds.get(account_id, ())

    # What happens at Stripe

    def pay_out(
        self, account_id: str, amount: int = 5_400, *transfer_ids: str, **changes: Any
    ) -> str:
        """A payout of everything; answers its id. It carries an equal part of each transfer."""
        payout_id = new_id("po")
        facts: dict[str, Any] = {
            "id": payout_id,
            "account_id": account_id,
            "amount": amount,
            "currency": "eur",
            "status": "pending",
            "automatic": True,
            "items_known": bool(transfer_ids),
            "arrival_at": self.clock() + timedelta(days=2),
            "failure_code": None,
            "failure_message": None,
            "returned_at": None,
            "created_at": self.clock(),
        }
        self.made[payout_id] = PayoutSnapshot(**facts | changes)
        self.carried[payout_id] = [
            self._item(transfer_id, amount // len(transfer_ids)) for transfer_id in transfer_ids
        ]
        return payout_id

    def change(self, payout_id: str, **changes: Any) -> None:
        """Anything that moves at Stripe, in the words of the snapshot."""
        self.made[payout_id] = msgspec.structs.replace(self.made[payout_id], **changes)

    def fail(self, payout_id: str, code: str = "account_closed") -> None:
        """The bank sends the money back."""
        self.change(
            payout_id,
            status="failed",
            failure_code=code,
            failure_message="Stripe's words",
            returned_at=self.clock(),
        )

    def count(self, method: str) -> int:
        """How often a method was called."""
        return sum(asked[0] == method for asked in self.asked)

    def _item(self, transfer_id: str, net: int) -> PayoutItemSeen:
        return PayoutItemSeen(
            id=new_id("txn"),
            source_id=new_id("py"),
            transfer_id=transfer_id,
            kind="charge",
            amount=net,
            fee=0,
            net=net,
            currency="eur",
            created_at=self.clock(),
        )

    def _hear(self, method: str, account_id: str, about: str | None) -> None:
        if in_transaction():
            raise TransactionOpen(method)
        self.asked.append((method, account_id, about))
        if self.trouble is not None:
            raise self.trouble
