"""Debts: what sellers owe the platform, netted from their next orders by consent, aged, written off."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Literal, get_args

import msgspec

from payments.database import require_transaction, row, rows, value
from payments.debt_book import COLUMNS, DebtRecord, lock_debt, write_off
from payments.errors import DebtClosed, DebtNotFound, NothingToTakeBack
from payments.events import Announce
from payments.ids import OperationId
from payments.movements import (
    DEBT_CAUSE,
    plan_reversal,
    plan_taking_again,
    require_payment,
    sources,
)

Age = Literal["up_to_30_days", "up_to_60_days", "up_to_90_days", "older"]
_AGES: Final[tuple[tuple[int, Age], ...]] = (
    (30, "up_to_30_days"),
    (60, "up_to_60_days"),
    (90, "up_to_90_days"),
)
AGES: Final[tuple[Age, ...]] = get_args(Age)


class DebtFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which debts to list; None leaves a field open. `older_than_days` counts from when it was opened."""

    seller_id: str | None = None
    currency: str | None = None
    is_open: bool | None = None
    older_than_days: int | None = None


class DebtTotal(msgspec.Struct, frozen=True, kw_only=True):
    """What is still owed in one currency and how old it is; minor units."""

    currency: str
    debts: int
    left: int
    by_age: dict[Age, int]


def age_of(debt: DebtRecord, now: datetime) -> Age:
    """How long it has been owed, or was when it was closed."""
    days = ((debt.closed_at or now) - debt.created_at) / timedelta(days=1)
    return next((age for limit, age in _AGES if days <= limit), "older")


class Debts:
    """The use cases of debts; opening and settling them is what reversals do."""

    def __init__(self, announce: Announce) -> None:
        self._announce = announce

    async def require(self, debt_id: str) -> DebtRecord:
        """The debt with this id. Raises DebtNotFound."""
        found = await row(f"SELECT {COLUMNS} FROM debts WHERE id = $1", debt_id)
        if found is None:
            raise DebtNotFound(debt_id)
        return DebtRecord(**found)

    async def matching(
        self, wanted: DebtFilter, now: datetime, *, starting_after: str | None, limit: int
    ) -> list[DebtRecord]:
        """Debts, the newest first."""
        found = await rows(
            f"SELECT {COLUMNS} FROM debts WHERE {_WANTED} AND ($5::text IS NULL OR id < $5) "
            "ORDER BY id DESC LIMIT $6",
            *_arguments(wanted, now),
            starting_after,
            limit,
        )
        return [DebtRecord(**record) for record in found]

    async def totals(self, wanted: DebtFilter, now: datetime) -> list[DebtTotal]:
        """What is still owed of these debts, by currency and age."""
        found = await rows(
            f"SELECT {COLUMNS} FROM debts WHERE {_WANTED} AND closed_at IS NULL ORDER BY currency",
            *_arguments(wanted, now),
        )
        return _totals([DebtRecord(**record) for record in found], now)

    async def net(self, payment_id: str, most: int, now: datetime) -> Sequence[OperationId]:
        """Plan to keep up to `most` (minor units) of this payment's transfer back for the seller's debts.

        The oldest debt first, in the payment's currency. Inside the caller's transaction, the order's lock
        held; once for each payment and debt. Answers the operations to carry out.
        """
        require_transaction()
        payment = await require_payment(payment_id)
        most = min(most, sum(source.left for source in await sources(payment_id)))
        found = await rows(
            f"SELECT {COLUMNS} FROM debts WHERE seller_id = $1 AND currency = $2 AND closed_at IS NULL "
            "AND payment_id IS DISTINCT FROM $3 ORDER BY id FOR UPDATE",
            payment.seller_id,
            payment.currency,
            payment_id,
        )
        netted = await _being_netted(payment.seller_id)
        planned = []
        for debt in [DebtRecord(**record) for record in found]:
            part = min(most, debt.left - netted.get(debt.id, 0))
            if part > 0:
                cause = f"{DEBT_CAUSE}{debt.id}:{payment_id}"
                operation_id = await plan_reversal(payment_id, part, cause, self._announce, now)
                planned += [operation_id] if operation_id else []
                most -= part
        return planned

    async def take_again(self, debt_id: str, now: datetime) -> Sequence[OperationId]:
        """Plan to take a debt from its own order's transfer once more: the seller may have money now.

        Inside the caller's transaction, the order's lock held; each time under a cause of its own. Answers
        the operations to carry out. Raises DebtNotFound, DebtClosed, NothingToTakeBack.
        """
        debt = await lock_debt(debt_id)
        if debt is None:
            raise DebtNotFound(debt_id)
        owed = debt.left - (await _being_netted(debt.seller_id)).get(debt_id, 0)
        if owed <= 0:
            raise DebtClosed(debt_id)
        cause = f"{DEBT_CAUSE}{debt_id}:{debt.payment_id}"
        tried = await value(
            "SELECT count(*) FROM transfer_movements WHERE payment_id = $1 AND cause LIKE $2 || ':%'",
            debt.payment_id,
            cause,
        )
        planned = []
        if debt.payment_id is not None:
            planned = await plan_taking_again(debt.payment_id, owed, f"{cause}:{tried + 1}", now)
        if not planned:
            raise NothingToTakeBack(debt_id)
        return planned

    async def write_off(self, debt_id: str, amount: int, cause: str, now: datetime) -> DebtRecord:
        """Give up to `amount` (minor units) of a debt up, once for each `cause`, in the open transaction.

        What is being netted at this moment is not given up. Raises DebtNotFound, DebtClosed.
        """
        debt = await lock_debt(debt_id)
        if debt is None:
            raise DebtNotFound(debt_id)
        netted = await _being_netted(debt.seller_id)
        given_up = min(amount, debt.left - netted.get(debt_id, 0))
        if given_up <= 0:
            raise DebtClosed(debt_id)
        await write_off(debt, given_up, cause, now)
        return await self.require(debt_id)


_WANTED = (
    "($1::text IS NULL OR seller_id = $1) AND ($2::text IS NULL OR currency = $2) "
    "AND ($3::bool IS NULL OR (closed_at IS NULL) = $3) "
    "AND ($4::timestamptz IS NULL OR created_at < $4)"
)


def _arguments(wanted: DebtFilter, now: datetime) -> tuple[object, ...]:
    days = wanted.older_than_days
    before = None if days is None else now - timedelta(days=days)
    return wanted.seller_id, wanted.currency, wanted.is_open, before


def _totals(debts: Sequence[DebtRecord], now: datetime) -> list[DebtTotal]:
    totals: dict[str, DebtTotal] = {}
    for debt in debts:
        known = totals.get(debt.currency)
        by_age: dict[Age, int] = dict(known.by_age) if known else dict.fromkeys(AGES, 0)
        by_age[age_of(debt, now)] += debt.left
        totals[debt.currency] = DebtTotal(
            currency=debt.currency,
            debts=(known.debts if known else 0) + 1,
            left=(known.left if known else 0) + debt.left,
            by_age=by_age,
        )
    return list(totals.values())


async def _being_netted(seller_id: str) -> dict[str, int]:
    """What reversals under way will settle of the seller's debts, by debt. Minor units."""
    found = await rows(
        "SELECT split_part(cause, ':', 2) AS debt_id, sum(amount)::bigint AS amount "
        "FROM transfer_movements WHERE seller_id = $1 AND cause LIKE 'debt:%' "
        "AND kind = 'reversal' AND status = 'planned' GROUP BY 1",
        seller_id,
    )
    return {record["debt_id"]: record["amount"] for record in found}
