"""What a seller owes the platform, as rows and postings: opened once for a cause, then only smaller."""

from datetime import datetime

import msgspec

from payments import ledger
from payments.database import execute, require_transaction, row, rows
from payments.events import Announce, DebtOpened, DebtSettled
from payments.ids import new_id


class DebtRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One debt. Amounts are minor units of `currency`; `cause` is the refund or dispute behind it."""

    id: str
    seller_id: str
    order_id: str | None
    payment_id: str | None
    currency: str
    amount: int
    amount_settled: int
    amount_written_off: int
    cause: str
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None

    @property
    def left(self) -> int:
        """What is still owed."""
        return self.amount - self.amount_settled - self.amount_written_off


COLUMNS = ", ".join(DebtRecord.__struct_fields__)


async def open_debt(
    subject: ledger.Subject, amount: int, cause: str, announce: Announce, now: datetime
) -> None:
    """Write down that the seller owes `amount` because of `cause`; once for each cause.

    Inside the transaction of what made them owe it. Raises NoTransaction.
    """
    require_transaction()
    assert subject.payment_id is not None
    assert subject.order_id is not None
    debt_id = new_id("dbt")
    opened = await execute(
        "INSERT INTO debts (id, seller_id, order_id, payment_id, currency, amount, amount_settled, "
        "amount_written_off, cause, created_at, updated_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, 0, 0, $7, $8, $8) ON CONFLICT (cause) DO NOTHING",
        debt_id,
        subject.seller_id,
        subject.order_id,
        subject.payment_id,
        subject.currency,
        amount,
        cause,
        now,
    )
    if not opened:
        return
    owed = ledger.debt_account(subject.seller_id)
    entry = _entry(f"{debt_id}:opened", "debt", owed, ledger.RECOVERED, amount, now)
    await ledger.post(subject, [entry], now)
    await announce(
        DebtOpened(
            order_id=subject.order_id,
            payment_id=subject.payment_id,
            occurred_at=now,
            debt_id=debt_id,
            seller_id=subject.seller_id,
            amount=amount,
        )
    )


async def lock_debt(debt_id: str) -> DebtRecord | None:
    """The debt, held until the open transaction ends."""
    require_transaction()
    found = await row(f"SELECT {COLUMNS} FROM debts WHERE id = $1 FOR UPDATE", debt_id)
    return None if found is None else DebtRecord(**found)


async def lock_debts_of(payment_id: str, cause: str) -> list[DebtRecord]:
    """The payment's debts because of `cause`: what was never there to take, and what Stripe refused to."""
    require_transaction()
    found = await rows(
        f"SELECT {COLUMNS} FROM debts WHERE payment_id = $1 "
        "AND (cause = $2 OR cause LIKE $2 || ':%' OR cause LIKE $2 || '+%') ORDER BY id FOR UPDATE",
        payment_id,
        cause,
    )
    return [DebtRecord(**record) for record in found]


async def settle(
    debt: DebtRecord,
    amount: int,
    subject: ledger.Subject,
    cause: str,
    announce: Announce,
    now: datetime,
) -> None:
    """The debt is smaller by `amount`, which `cause` brought. The debt's row is locked."""
    assert subject.payment_id is not None
    assert subject.order_id is not None
    entry = _entry(
        cause, "debt_settled", ledger.RECOVERED, ledger.debt_account(debt.seller_id), amount, now
    )
    if not await ledger.post(subject, [entry], now):
        return
    await _shrink(debt.id, settled=amount, written_off=0, now=now)
    await announce(
        DebtSettled(
            order_id=subject.order_id,
            payment_id=subject.payment_id,
            occurred_at=now,
            debt_id=debt.id,
            seller_id=debt.seller_id,
            amount=amount,
            left=debt.left - amount,
        )
    )


async def write_off(debt: DebtRecord, amount: int, cause: str, now: datetime) -> None:
    """The platform gives `amount` of the debt up. The debt's row is locked."""
    subject = ledger.Subject(seller_id=debt.seller_id, currency=debt.currency)
    owed = ledger.debt_account(debt.seller_id)
    entry = _entry(cause, "debt_written_off", ledger.WRITTEN_OFF, owed, amount, now)
    if await ledger.post(subject, [entry], now):
        await _shrink(debt.id, settled=0, written_off=amount, now=now)


async def _shrink(debt_id: str, *, settled: int, written_off: int, now: datetime) -> None:
    await execute(
        "UPDATE debts SET amount_settled = amount_settled + $2, "
        "amount_written_off = amount_written_off + $3, updated_at = $4, "
        "closed_at = CASE WHEN amount_settled + amount_written_off + $2 + $3 = amount "
        "THEN $4::timestamptz END "
        "WHERE id = $1",
        debt_id,
        settled,
        written_off,
        now,
    )


def _entry(
    cause: str, kind: str, source: str, target: str, amount: int, now: datetime
) -> ledger.Entry:
    return ledger.Entry(
        cause=cause, kind=kind, source=source, target=target, amount=amount, occurred_at=now
    )
