"""The ledger: what moved, from where, to where, and why; once per cause, for ever.

A posting names a source, a target and an amount, so books that do not balance cannot be written. Accounts
are readable addresses. Amounts are deltas of Stripe's cumulative totals, named in the cause, so that a
repeated or reordered answer posts nothing twice.

Capture of 60.00 with a fee of 6.00 and Stripe's processing cost of 2.04:
`buyers -> seller:sel_1` 60.00, `seller:sel_1 -> platform:fees` 6.00, `platform:fees -> stripe:processing`
2.04. A refund of 20.00 whose transfer is reversed: `seller:sel_1 -> buyers` 20.00,
`platform:fees -> seller:sel_1` 2.00. An authorization moves nothing and posts nothing.

A seller's account always says what their Stripe balance holds of our orders: money that only should be theirs
(of a refund that failed) waits in `platform:recovered` until a transfer has brought it to them.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from payments.database import execute, require_transaction, rows
from payments.ids import new_id

BUYERS = "buyers"
FEES = "platform:fees"
PROCESSING = "stripe:processing"
REFUNDS_BORNE = "platform:refunds"
"""Refunds the platform pays from its own pocket: without reversing the transfer."""
RECOVERED = "platform:recovered"
"""What reversals brought back from sellers, less what was given to buyers or sent to sellers of it."""
WRITTEN_OFF = "platform:written_off"
"""Debts of sellers that the platform has given up, below zero."""
DISPUTES = "disputes"
"""What buyers' banks have taken back."""
DISPUTE_COSTS = "stripe:disputes"
"""Stripe's price of disputes."""
BANKS = "banks"
"""What was paid out to sellers' banks."""


def seller_account(seller_id: str) -> str:
    """The address of what a seller has."""
    return f"seller:{seller_id}"


def debt_account(seller_id: str) -> str:
    """The address of what a seller owes the platform, below zero."""
    return f"seller:{seller_id}:debt"


def reserve_account(seller_id: str) -> str:
    """The address of what is set aside of a seller's money, for a dispute that is not decided."""
    return f"seller:{seller_id}:reserve"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A posting to be made: minor units, always positive."""

    cause: str
    kind: str
    source: str
    target: str
    amount: int
    occurred_at: datetime


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """Whose money it is: of one payment of one order, or of a seller only (a payout, a written-off debt)."""

    payment_id: str | None = None
    order_id: str | None = None
    seller_id: str
    currency: str


_INSERT = """
INSERT INTO postings (id, cause, kind, source, target, amount, currency, order_id, payment_id,
                      seller_id, occurred_at, recorded_at)
SELECT e.id, e.cause, e.kind, e.source, e.target, e.amount, $7, $8, $9, $10, e.occurred_at, $11
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[],
            $12::timestamptz[]) AS e (id, cause, kind, source, target, amount, occurred_at)
ON CONFLICT (cause) DO NOTHING
"""


async def post(subject: Subject, entries: Sequence[Entry], now: datetime) -> int:
    """Write the entries that are not in the books yet, in one statement; answers how many were new.

    Inside the transaction of the state they explain: raises NoTransaction otherwise.
    """
    require_transaction()
    if not entries:
        return 0
    return await execute(
        _INSERT,
        [new_id("pst") for _ in entries],
        [entry.cause for entry in entries],
        [entry.kind for entry in entries],
        [entry.source for entry in entries],
        [entry.target for entry in entries],
        [entry.amount for entry in entries],
        subject.currency,
        subject.order_id,
        subject.payment_id,
        subject.seller_id,
        now,
        [entry.occurred_at for entry in entries],
    )


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """What an account holds: incoming minus outgoing, in minor units of one currency."""

    account: str
    currency: str
    amount: int


async def balances(*, before: datetime | None = None) -> list[Balance]:
    """Every account's balance, now or as it was recorded before a moment. They sum to zero."""
    found = await rows(
        "SELECT account, currency, sum(amount)::bigint AS amount FROM ("
        "  SELECT target AS account, currency, amount FROM postings "
        "  WHERE $1::timestamptz IS NULL OR recorded_at < $1 "
        "  UNION ALL SELECT source, currency, -amount FROM postings "
        "  WHERE $1::timestamptz IS NULL OR recorded_at < $1) AS legs "
        "GROUP BY account, currency ORDER BY account, currency",
        before,
    )
    return [Balance(**record) for record in found]
