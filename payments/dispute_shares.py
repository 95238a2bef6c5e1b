"""The seller's side of a dispute: their share taken back when money leaves, sent again when it returns."""

from collections.abc import Sequence
from datetime import datetime

from payments import ledger
from payments.database import row, value
from payments.debt_book import DebtRecord, lock_debts_of, settle
from payments.dispute_records import CLOSED, DisputeRecord
from payments.events import Announce, Clock
from payments.ids import OperationId
from payments.money import whole_share
from payments.movements import plan_transfer
from payments.records import PaymentRecord
from payments.transfers import Transfers


class DisputeShares:
    """Plans what moves between the platform and the seller because of a dispute."""

    def __init__(self, transfers: Transfers, announce: Announce, clock: Clock) -> None:
        self._transfers, self._announce, self._clock = transfers, announce, clock

    async def move(self, payment: PaymentRecord, dispute: DisputeRecord) -> list[OperationId]:
        """Take the seller's share back, or send it again: each once, whatever is told how often."""
        now = self._clock()
        lost = dispute.status == "lost"
        taken = dispute.amount_withdrawn > dispute.amount_reinstated
        planned: list[OperationId | None] = []
        if taken and (dispute.policy == "reverse" or lost):
            share = seller_share(
                payment, dispute.amount_withdrawn, before=await _taken_by_others(dispute)
            )
            if share > 0:
                planned.append(
                    await self._transfers.plan_reversal(payment.id, share, _cause(dispute), now)
                )
        if dispute.amount_reinstated > 0 and dispute.status in CLOSED:
            planned.append(await self._give_back(dispute, now))
        return [operation_id for operation_id in planned if operation_id is not None]

    async def _give_back(self, dispute: DisputeRecord, now: datetime) -> OperationId | None:
        """Send the seller what the bank gave back of their share, once it is certain what was taken."""
        if await is_under_way(dispute):
            return None
        taken = await _taken_back(dispute)
        back = whole_share(
            taken, dispute.amount_reinstated, dispute.amount_withdrawn, dispute.currency
        )
        if dispute.amount_reinstated == dispute.amount_withdrawn:
            # A debt that the dispute left behind is not owed any more either.
            return await self._transfers.plan_transfer(
                dispute.payment_id, back, _cause(dispute), now
            )
        return await self._give_part_back(dispute, taken, now)

    async def _give_part_back(
        self, dispute: DisputeRecord, taken: int, now: datetime
    ) -> OperationId | None:
        """The part that the bank gave back lessens what the seller still owes, and is sent beyond that."""
        debts = await lock_debts_of(dispute.payment_id, _cause(dispute))
        share = whole_share(
            taken + sum(debt.amount for debt in debts),
            dispute.amount_reinstated,
            dispute.amount_withdrawn,
            dispute.currency,
        )
        settled = await _settled_in_part(debts)
        if settled is None:
            settled = await self._settle_in_part(debts, share, now)
        rest = min(share - settled, taken)
        if rest <= 0:
            return None
        return await plan_transfer(dispute.payment_id, rest, _cause(dispute), now)

    async def _settle_in_part(self, debts: Sequence[DebtRecord], share: int, now: datetime) -> int:
        left = share
        for debt in debts:
            part = min(left, debt.left)
            if part > 0:
                subject = ledger.Subject(
                    payment_id=debt.payment_id,
                    order_id=debt.order_id,
                    seller_id=debt.seller_id,
                    currency=debt.currency,
                )
                await settle(debt, part, subject, _part_won(debt), self._announce, now)
                left -= part
        return share - left


def seller_share(payment: PaymentRecord, amount: int, *, before: int = 0) -> int:
    """What the seller had of `amount` (minor units): it without the fee that the platform took of it.

    By cumulative difference over what was refunded and what other disputes took `before`, so that together
    they take the fee's share once, and never more than the seller had: a bank may ask for more than is left.
    """
    captured = payment.amount_captured
    gone = min(payment.amount_refunded + before, captured)
    rest = min(amount, captured - gone)
    fee_before, fee_with = (
        whole_share(payment.fee_captured, part, captured, payment.currency)
        for part in (gone, gone + rest)
    )
    return rest - (fee_with - fee_before)


async def _taken_by_others(dispute: DisputeRecord) -> int:
    """What earlier disputes of the same payment took and did not give back. Minor units."""
    taken: int = await value(
        "SELECT coalesce(sum(amount_withdrawn - amount_reinstated), 0)::bigint FROM disputes "
        "WHERE payment_id = $1 AND id <> $2 AND opened_at <= $3",
        dispute.payment_id,
        dispute.id,
        dispute.opened_at,
    )
    return taken


async def _settled_in_part(debts: Sequence[DebtRecord]) -> int | None:
    """What a bank's partial give-back has settled already; None when it has settled nothing yet."""
    settled: int | None = await value(
        "SELECT sum(amount)::bigint FROM postings WHERE cause = ANY($1::text[])",
        [_part_won(debt) for debt in debts],
    )
    return settled


def _part_won(debt: DebtRecord) -> str:
    return f"{debt.id}:part_won"


def _cause(dispute: DisputeRecord) -> str:
    return f"dispute:{dispute.id}"


async def _taken_back(dispute: DisputeRecord) -> int:
    """What was really taken back from the seller for this dispute. Minor units."""
    found = await row(
        "SELECT coalesce(sum(amount), 0)::bigint AS taken FROM transfer_movements "
        "WHERE payment_id = $2 AND (cause = $1 OR cause LIKE $1 || '+%') "
        "AND kind = 'reversal' AND status = 'succeeded'",
        _cause(dispute),
        dispute.payment_id,
    )
    return found["taken"] if found else 0


async def is_under_way(dispute: DisputeRecord) -> bool:
    """Whether a reversal's outcome is still open."""
    found = await row(
        "SELECT 1 FROM transfer_movements "
        "WHERE payment_id = $2 AND (cause = $1 OR cause LIKE $1 || '+%') "
        "AND kind = 'reversal' AND status = 'planned' LIMIT 1",
        _cause(dispute),
        dispute.payment_id,
    )
    return found is not None
