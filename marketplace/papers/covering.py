"""What a closed month covers of sellers' accounts, read for many sellers at once."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from marketplace.papers.months import PaperMonth
from payments.database import rows

FEE_KINDS: Final = ("application_fee", "fee_refund")
"""The kinds of postings that invoices and credit notes are about."""
MINE: Final = "'seller:' || p.seller_id IN (p.source, p.target)"
LEG: Final = "CASE p.target WHEN 'seller:' || p.seller_id THEN p.amount ELSE -p.amount END"
# $1 sellers, $2 and $3 the month, $4 the place in the chain, $5 what came late.
COVERED: Final = f"""(
    SELECT p.* FROM postings p
    JOIN chain_links l ON l.row_id = p.id AND l.book = 'postings' AND l.position <= $4
    WHERE p.seller_id = ANY($1::text[]) AND p.recorded_at >= $2 AND p.recorded_at < $3 AND {MINE}
    UNION ALL SELECT p.* FROM postings p
    WHERE p.id = ANY($5::text[]) AND p.seller_id = ANY($1::text[]) AND {MINE}
)"""


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """All covered movements of a kind on a seller's account. Minor units."""

    seller_id: str
    currency: str
    kind: str
    movements: int
    amount: int


class FeePosting(msgspec.Struct, frozen=True, kw_only=True):
    """A fee that was taken (above zero) or returned (below zero)."""

    id: str
    seller_id: str
    payment_id: str
    order_id: str
    currency: str
    amount: int
    occurred_at: datetime


def arguments(sellers: Sequence[str], month: PaperMonth) -> tuple[object, ...]:
    """As `COVERED` numbers them."""
    span = month.span
    return (list(sellers), span.first, span.until, month.sealed_through, month.late)


async def sums(sellers: Sequence[str], month: PaperMonth) -> list[Moved]:
    """What moved on the sellers' accounts, by currency and kind."""
    found = await rows(
        f"SELECT seller_id, currency, kind, count(*) AS movements, sum({LEG})::bigint AS amount "
        f"FROM {COVERED} AS p GROUP BY seller_id, currency, kind ORDER BY seller_id, currency, kind",
        *arguments(sellers, month),
    )
    return [Moved(**each) for each in found]


async def fees(sellers: Sequence[str], month: PaperMonth) -> list[FeePosting]:
    """The covered fees, as they were written down."""
    found = await rows(
        "SELECT id, seller_id, payment_id, order_id, currency, occurred_at, "
        f"-({LEG})::bigint AS amount FROM {COVERED} AS p WHERE kind = ANY($6::text[]) "
        "ORDER BY seller_id, recorded_at, kind, id",
        *arguments(sellers, month),
        list(FEE_KINDS),
    )
    return [FeePosting(**each) for each in found]


async def openings(
    accounts: Sequence[tuple[str, str]], month: PaperMonth
) -> dict[tuple[str, str], int]:
    """What the balance of each (seller, currency) was: its last statement's closing one; before the first,
    everything that is older than the papers."""
    found = await rows(
        f"""
        SELECT w.seller_id, w.currency, coalesce(last.closing, older.held) AS opening
        FROM unnest($1::text[], $2::text[]) AS w (seller_id, currency)
        LEFT JOIN LATERAL (
            SELECT closing FROM papers s WHERE s.seller_id = w.seller_id AND s.currency = w.currency
            AND s.kind = 'statement' AND s.month < $3 ORDER BY s.month DESC LIMIT 1
        ) AS last ON true
        LEFT JOIN LATERAL (
            SELECT coalesce(sum({LEG}), 0)::bigint AS held FROM postings p
            JOIN chain_links l ON l.row_id = p.id AND l.book = 'postings' AND l.position <= $4
            WHERE last.closing IS NULL AND p.seller_id = w.seller_id AND p.currency = w.currency
            AND {MINE} AND p.recorded_at < $5 AND NOT p.id = ANY($6::text[])
        ) AS older ON true
        """,
        [seller_id for seller_id, _ in accounts],
        [currency for _, currency in accounts],
        month.month,
        month.sealed_through,
        month.span.first,
        month.late,
    )
    return {(each["seller_id"], each["currency"]): each["opening"] for each in found}


class FeeHistory(msgspec.Struct, frozen=True, kw_only=True):
    """What was kept of a payment's fee before, and the invoice that charged it, if there is one."""

    kept: int
    invoice_id: str | None


async def histories(
    payments: Sequence[str], covered: Sequence[str], month: PaperMonth
) -> dict[str, FeeHistory]:
    """Of each payment, everything about its fee that papers before said, or that is older than they are.

    What is recorded in this month and was sealed too late for it is the next one's: not a part of this past.
    """
    found = await rows(
        """
        SELECT w.payment_id, (
            SELECT coalesce(sum(CASE p.kind WHEN 'application_fee' THEN p.amount ELSE -p.amount END), 0)
            FROM postings p
            JOIN chain_links l ON l.row_id = p.id AND l.book = 'postings' AND l.position <= $5
            WHERE p.payment_id = w.payment_id AND p.kind = ANY($4::text[])
            AND p.recorded_at < $3 AND NOT p.id = ANY($2::text[])
        )::bigint AS kept, (
            SELECT l.paper_id FROM paper_fee_lines l WHERE l.payment_id = w.payment_id
            AND l.corrects IS NULL AND l.amount > 0 ORDER BY l.paper_id DESC LIMIT 1
        ) AS invoice_id
        FROM unnest($1::text[]) AS w (payment_id)
        """,
        list(payments),
        list(covered),
        month.span.until,
        list(FEE_KINDS),
        month.sealed_through,
    )
    return {
        each["payment_id"]: FeeHistory(kept=each["kept"], invoice_id=each["invoice_id"])
        for each in found
    }
