"""Money that is a seller's and that Stripe refuses to send: a case of somebody's, until it is sent.

Payments tries for a month by itself; after that it is tried again when an admin says so: once there is money
on the platform's balance, or the account can receive again.
"""

from datetime import datetime
from typing import Final

from marketplace.messages import outbox
from marketplace.oversight import audit, cases, found_cases
from marketplace.oversight.cases import CaseRecord
from marketplace.oversight.errors import CaseNotTried
from payments.database import lock_order, row, transaction
from payments.events import TransferGivenUp, TransferSent
from payments.reconciliation_findings import Finding
from payments.transfers import Transfers

_WHAT: Final = "transfer:"
_SYSTEM: Final = "system:transfers"


class UnsentTransfers:
    """The use case of trying once more."""

    def __init__(self, transfers: Transfers) -> None:
        self._transfers = transfers

    async def try_again(self, case_id: str, *, actor: str, now: datetime) -> CaseRecord:
        """Ask Stripe once more to send what the case is about; sent, the case is resolved.

        Raises CaseNotFound, CaseResolved, CaseNotTried, StripeRejected, NotSent, OutcomeUnknown; after the
        latter two the worker goes on with it.
        """
        case = await cases.find(case_id)
        async with transaction():
            await lock_order(case.order_id or "")
            case = await cases.require_unresolved(case_id)
            operation_id = None
            if case.kind == "transfer_refused":
                movement_id = case.what.removeprefix(_WHAT)
                operation_id = await self._transfers.send_again(movement_id, now)
            if operation_id is None:
                raise CaseNotTried(case_id)
            await audit.record(
                actor=actor,
                action="case.tried_again",
                subject=case_id,
                after={"operation_id": operation_id},
                now=now,
            )
        await self._transfers.carry_out(operation_id)
        return await cases.find(case_id)


async def take_in(event: TransferGivenUp | TransferSent, currency: str) -> None:
    """Open the case, or resolve it, in the open transaction that made it true."""
    if isinstance(event, TransferSent):
        await _resolve(event)
        return
    finding = Finding(
        kind="transfer_refused",
        what=f"{_WHAT}{event.movement_id}",
        payment_id=event.payment_id,
        order_id=event.order_id,
        currency=currency,
        ours=event.amount,
        theirs=event.code,
    )
    case_id = await found_cases.found(finding, None, event.occurred_at)
    await outbox.tell_admins(
        kind="transfer_given_up",
        subject_id=case_id,
        cause=f"{event.movement_id}:{event.occurred_at.isoformat()}",
        facts={
            "amount": event.amount,
            "currency": currency,
            "order_id": event.order_id,
            "seller_id": event.seller_id,
            "code": event.code,
            "case_id": case_id,
        },
        now=event.occurred_at,
    )


async def _resolve(event: TransferSent) -> None:
    found = await row(
        "SELECT id FROM cases WHERE key = $1 AND state <> 'resolved'",
        f"{_WHAT}{event.movement_id}:{event.payment_id}",
    )
    if found is not None:
        await cases.close(found["id"], "Stripe has sent it.", actor=_SYSTEM, now=event.occurred_at)
