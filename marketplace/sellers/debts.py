"""What a seller owes: told to them, netted from next orders when they agree, written off by two admins."""

from datetime import datetime
from typing import Final

import msgspec
import structlog

from marketplace.messages import outbox
from marketplace.oversight import audit
from marketplace.oversight.approvals import ApprovalRecord, Approvals
from marketplace.paging import Page, PageRequest
from marketplace.sellers import records
from marketplace.sellers.errors import SellerNotFound
from marketplace.sellers.profile import checked_reason, require_not_own
from payments.database import execute, lock_order, row, rows, transaction
from payments.debt_book import DebtRecord
from payments.debts import DebtFilter, Debts
from payments.errors import DebtClosed, PaymentError
from payments.events import DebtOpened, DebtSettled, TransferReversed
from payments.money import portion
from payments.transfers import Transfers

WRITE_OFF: Final = "debt.write_off"

_log = structlog.get_logger("marketplace.sellers.debts")


class DebtConsent(msgspec.Struct, frozen=True):
    """How much of each new order a seller lets be kept back for what they owe; None: nothing."""

    basis_points: int | None
    given_at: datetime | None


class SellerDebts:
    """The use cases of a seller's debts."""

    def __init__(self, debts: Debts, transfers: Transfers, approvals: Approvals) -> None:
        self._debts, self._transfers, self._approvals = debts, transfers, approvals
        approvals.register(WRITE_OFF, self._write_off)

    @property
    def debts(self) -> Debts:
        """What payments knows of them."""
        return self._debts

    async def page(
        self, wanted: DebtFilter, request: PageRequest, now: datetime
    ) -> Page[DebtRecord]:
        """Debts, the newest first."""
        found = await self._debts.matching(
            wanted, now, starting_after=request.starting_after, limit=request.fetched
        )
        return Page.cut(found, request)

    async def consent(self, seller_id: str) -> DebtConsent:
        """What the seller agreed to. Raises SellerNotFound."""
        found = await row(
            "SELECT debt_consent_basis_points, debt_consented_at FROM sellers WHERE id = $1",
            seller_id,
        )
        if found is None:
            raise SellerNotFound(seller_id)
        return DebtConsent(found["debt_consent_basis_points"], found["debt_consented_at"])

    async def agree(
        self, seller_id: str, account_id: str, basis_points: int | None, now: datetime
    ) -> DebtConsent:
        """Let this much of each order from now on be kept back (1 to 10000), or nothing any more (None).

        The seller's own to say. Raises SellerNotFound, for others' sellers too.
        """
        async with transaction():
            if (await records.require_locked(seller_id)).account_id != account_id:
                raise SellerNotFound(seller_id)
            before = await self.consent(seller_id)
            given_at = None if basis_points is None else now
            await execute(
                "UPDATE sellers SET debt_consent_basis_points = $2, debt_consented_at = $3 WHERE id = $1",
                seller_id,
                basis_points,
                given_at,
            )
            await audit.record(
                actor=account_id,
                action="seller.debt_consent_changed",
                subject=seller_id,
                before={"basis_points": before.basis_points},
                after={"basis_points": basis_points},
                now=now,
            )
        return DebtConsent(basis_points, given_at)

    async def net_due(self, now: datetime, limit: int) -> int:
        """Keep back what sellers agreed to of orders paid since; answers how many were looked at."""
        due = await rows(_NETTABLE, limit)
        netted = [await self._netted(record["id"], record["order_id"], now) for record in due]
        if len(due) < limit and all(netted):
            await execute(_LOOKED_AT, now)
        return len(due)

    async def _netted(self, payment_id: str, order_id: str, now: datetime) -> bool:
        try:
            await self._net(payment_id, order_id, now)
        except PaymentError as error:
            _log.warning(
                "a debt could not be netted", payment_id=payment_id, outcome=type(error).__name__
            )
            return False
        except Exception:  # noqa: BLE001 - what one order cannot take in must not stop the others
            _log.exception("a debt could not be netted", payment_id=payment_id, alarm=True)
            return False
        return True

    async def take_again(self, debt_id: str, *, actor: str, now: datetime) -> DebtRecord:
        """Ask Stripe once more to take a debt from the order it is of; it stays owed where Stripe refuses.

        Raises DebtNotFound, DebtClosed, NothingToTakeBack, StripeRejected, NotSent, OutcomeUnknown.
        """
        order_id = (await self._debts.require(debt_id)).order_id
        async with transaction():
            await lock_order(order_id or "")
            planned = await self._debts.take_again(debt_id, now)
            await audit.record(
                actor=actor,
                action="debt.tried_again",
                subject=debt_id,
                after={"operations": list(planned)},
                now=now,
            )
        for operation_id in planned:
            await self._transfers.carry_out(operation_id)
        return await self._debts.require(debt_id)

    async def ask_write_off(
        self, debt_id: str, *, reason: str, asked_by: str, now: datetime
    ) -> ApprovalRecord:
        """Ask that what is left of a debt be given up; another admin decides.

        Raises DebtNotFound, OwnSellerDecision, DebtClosed, ReasonRequired, ApprovalAsked.
        """
        why = checked_reason(reason)
        async with transaction():
            debt = await self._debts.require(debt_id)
            require_not_own(await records.require(debt.seller_id), asked_by)
            if debt.left == 0:
                raise DebtClosed(debt_id)
            return await self._approvals.ask(
                action=WRITE_OFF,
                subject=debt_id,
                facts={"amount": debt.left, "currency": debt.currency, "seller_id": debt.seller_id},
                reason=why,
                asked_by=asked_by,
                now=now,
            )

    async def _write_off(self, approval: ApprovalRecord, now: datetime) -> None:
        before = await self._debts.require(approval.subject)
        require_not_own(await records.require(before.seller_id), approval.decided_by or "")
        after = await self._debts.write_off(
            approval.subject, approval.facts["amount"], f"{approval.id}:written_off", now
        )
        given_up = before.left - after.left
        await audit.record(
            actor=approval.decided_by or "",
            action="debt.written_off",
            subject=after.id,
            before={"left": before.left},
            after={"left": after.left, "approval": approval.id},
            reason=approval.reason,
            now=now,
        )
        await outbox.tell_seller(
            after.seller_id,
            kind="debt_written_off",
            subject_id=after.id,
            cause=f"{approval.id}:written_off",
            facts={"amount": given_up, "left_amount": after.left, "currency": after.currency},
            now=now,
        )

    async def _net(self, payment_id: str, order_id: str, now: datetime) -> None:
        async with transaction():
            await lock_order(order_id)
            # Again, now that nothing moves: the seller may have changed their mind.
            found = await row(_SHARE, payment_id)
            if found is None:
                return
            most = portion(found["net"], found["basis_points"])
            planned = await self._debts.net(payment_id, most, now)
        for operation_id in planned:
            await self._transfers.carry_out(operation_id)


async def tell(event: DebtOpened | DebtSettled, currency: str) -> None:
    """Tell the seller, in the open transaction that made it true."""
    settled = isinstance(event, DebtSettled)
    await outbox.tell_seller(
        event.seller_id,
        kind="debt_settled" if settled else "debt_opened",
        subject_id=event.debt_id,
        cause=f"{event.debt_id}:{event.payment_id}" if settled else f"{event.debt_id}:opened",
        facts={
            "amount": event.amount,
            "currency": currency,
            "order_id": event.order_id,
            **({"left_amount": event.left} if isinstance(event, DebtSettled) else {}),
        },
        now=event.occurred_at,
    )


async def tell_taken_back(event: TransferReversed, currency: str) -> None:
    """Tell the seller whose share somebody took back at Stripe, in the transaction that booked it."""
    await outbox.tell_seller(
        event.seller_id,
        kind="share_taken_back",
        subject_id=event.order_id,
        cause=f"{event.movement_id}:taken_back",
        facts={"amount": event.amount, "currency": currency, "order_id": event.order_id},
        now=event.occurred_at,
    )


_OWN = "p.amount_captured - p.transfer_reversed + p.transfer_restored - p.fee_captured + p.fee_refunded"
"""What the seller has of an order: their transfer less the fee."""
_SHARE = f"""
SELECT {_OWN} AS net, s.debt_consent_basis_points AS basis_points
FROM payments p JOIN sellers s ON s.id = p.seller_id
WHERE p.id = $1 AND p.transfer_id IS NOT NULL AND s.debt_consent_basis_points IS NOT NULL AND {_OWN} > 0
AND NOT EXISTS (SELECT FROM disputes d WHERE d.payment_id = p.id AND d.closed_at IS NULL)
AND NOT EXISTS (SELECT FROM transfer_movements m WHERE m.payment_id = p.id AND m.kind = 'reversal'
                AND m.cause LIKE 'debt:%')
"""
# Only orders that were paid after the debt and after the consent: the next ones, each once. What was looked
# at before is not looked at again, however long a debt stays open, but where a dispute held it up until then.
_NETTABLE = f"""
WITH owing AS MATERIALIZED (
    SELECT o.id, o.seller_id, o.currency, o.payment_id, s.debt_consent_basis_points AS basis_points,
        greatest(o.created_at, s.debt_consented_at) AS since,
        greatest(o.created_at, s.debt_consented_at, s.debts_netted_until - interval '1 hour') AS unseen
    FROM debts o JOIN sellers s ON s.id = o.seller_id AND s.debt_consent_basis_points IS NOT NULL
    WHERE o.closed_at IS NULL
    AND o.amount - o.amount_settled - o.amount_written_off > coalesce((
        SELECT sum(m.amount) FROM transfer_movements m WHERE m.seller_id = o.seller_id
        AND m.cause LIKE 'debt:%' AND m.kind = 'reversal' AND m.status = 'planned'
        AND m.cause LIKE 'debt:' || o.id || ':%'), 0)
), paid AS (
    SELECT o.id AS debt_id, t.payment_id FROM owing o JOIN postings t ON t.seller_id = o.seller_id
    AND t.kind = 'capture' AND t.currency = o.currency AND t.recorded_at > o.unseen
    UNION SELECT o.id, t.payment_id FROM owing o JOIN disputes d ON d.seller_id = o.seller_id
    AND d.closed_at > o.unseen
    JOIN postings t ON t.payment_id = d.payment_id AND t.kind = 'capture' AND t.currency = o.currency
    AND t.recorded_at > o.since
)
SELECT DISTINCT p.id, p.order_id
FROM owing o JOIN paid ON paid.debt_id = o.id
JOIN payments p ON p.id = paid.payment_id AND p.id IS DISTINCT FROM o.payment_id
WHERE p.transfer_id IS NOT NULL AND ({_OWN}) * o.basis_points >= 5000
AND NOT EXISTS (SELECT FROM disputes d WHERE d.payment_id = p.id AND d.closed_at IS NULL)
AND NOT EXISTS (SELECT FROM transfer_movements m WHERE m.payment_id = p.id AND m.kind = 'reversal'
                AND m.cause LIKE 'debt:%')
ORDER BY p.id LIMIT $1
"""
# While a reversal is under way a debt may seem to be covered: whoever it is of is looked at again. An hour is
# longer than any transaction takes to write what it posts.
_LOOKED_AT = """
UPDATE sellers s SET debts_netted_until = $1
WHERE s.id IN (SELECT seller_id FROM debts WHERE closed_at IS NULL) AND s.debt_consented_at < $1
AND (s.debts_netted_until IS NULL OR s.debts_netted_until < $1 - interval '10 minutes')
AND NOT EXISTS (SELECT FROM transfer_movements m WHERE m.seller_id = s.id AND m.cause LIKE 'debt:%'
                AND m.kind = 'reversal' AND m.status = 'planned')
"""
