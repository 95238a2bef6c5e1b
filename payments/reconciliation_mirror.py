"""Stripe's balance transactions as reconciliation read them: kept, so that a payment is compared over its
whole life however few days a run reads.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from payments.database import execute, rows, value
from payments.gateway import BalanceTransaction
from payments.reconciliation import KINDS, NOT_OF_PAYMENTS

_COLUMNS = (
    "id, type, reporting_category, amount, fee, net, currency, source_id, charge_id, created_at"
)


class ChargeMoves(msgspec.Struct, frozen=True, kw_only=True):
    """What moved because of one charge: sums by our words, signed as on the platform's balance."""

    sums: dict[str, int]
    net: int
    currency: str
    moved_at: datetime


class Net(msgspec.Struct, frozen=True, kw_only=True):
    """What the platform's balance gained in one currency: of orders, and of everything."""

    currency: str
    of_orders: int
    total: int


async def keep(page: Sequence[BalanceTransaction], now: datetime) -> None:
    """Add what is not there yet; the charge of one that was found later is added too."""
    await execute(
        f"INSERT INTO balance_transactions ({_COLUMNS}, read_at) "
        "SELECT t.*, $11 FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], "
        "$6::bigint[], $7::text[], $8::text[], $9::text[], $10::timestamptz[]) AS t "
        "ON CONFLICT (id) DO UPDATE SET charge_id = excluded.charge_id "
        "WHERE balance_transactions.charge_id IS NULL AND excluded.charge_id IS NOT NULL",
        *[[getattr(one, name) for one in page] for name in _COLUMNS.split(", ")],
        now,
    )


async def moves_of(charge_ids: Sequence[str]) -> dict[str, ChargeMoves]:
    """Everything that was ever read of these charges."""
    found = await rows(
        "SELECT charge_id, reporting_category, min(currency) AS currency, sum(amount)::bigint AS amount, "
        "sum(fee)::bigint AS fee, sum(net)::bigint AS net, max(created_at) AS moved_at "
        "FROM balance_transactions WHERE charge_id = ANY($1::text[]) "
        "GROUP BY charge_id, reporting_category",
        list(charge_ids),
    )
    moves: dict[str, ChargeMoves] = {}
    for record in found:
        word = KINDS.get(record["reporting_category"])
        if word is not None:
            charge_id = record["charge_id"]
            moves[charge_id] = _added(moves.get(charge_id), word, **record)
    return moves


def _added(
    known: ChargeMoves | None,
    word: str,
    *,
    currency: str,
    amount: int,
    fee: int,
    net: int,
    moved_at: datetime,
    **_: object,
) -> ChargeMoves:
    sums = {} if known is None else dict(known.sums)
    sums[word] = sums.get(word, 0) + amount
    # Stripe's own price rides on the charge or the dispute, and on what gives it back.
    sums["processing"] = sums.get("processing", 0) + fee
    return ChargeMoves(
        sums=sums,
        net=net + (known.net if known else 0),
        currency=currency,
        moved_at=max(moved_at, known.moved_at) if known else moved_at,
    )


async def net_between(since: datetime, until: datetime) -> list[Net]:
    """What the balance gained in `[since, until)`, by currency."""
    found = await rows(
        "SELECT currency, coalesce(sum(net) FILTER (WHERE reporting_category = ANY($3::text[])), 0)::bigint "
        "AS of_orders, sum(net)::bigint AS total FROM balance_transactions "
        "WHERE created_at >= $1 AND created_at < $2 GROUP BY currency ORDER BY currency",
        since,
        until,
        list(KINDS),
    )
    return [Net(**record) for record in found]


async def unexplained(
    since: datetime, until: datetime, after: str, limit: int
) -> list[BalanceTransaction]:
    """Movements in `[since, until)` that belong to no charge of ours, by id: of a type we do not know, of no
    charge at all, or of a charge that no payment names."""
    found = await rows(
        f"SELECT {_COLUMNS} FROM balance_transactions b WHERE {_UNEXPLAINED} "
        "AND created_at >= $3 AND created_at < $4 AND id > $5 ORDER BY id LIMIT $6",
        list(NOT_OF_PAYMENTS),
        list(KINDS),
        since,
        until,
        after,
        limit,
    )
    return [BalanceTransaction(**record) for record in found]


async def is_unexplained(stripe_id: str) -> bool:
    """Whether this movement, or one of this charge, still belongs to no payment of ours."""
    return bool(
        await value(
            f"SELECT EXISTS (SELECT FROM balance_transactions b WHERE {_UNEXPLAINED} "
            "AND (id = $3 OR charge_id = $3))",
            list(NOT_OF_PAYMENTS),
            list(KINDS),
            stripe_id,
        )
    )


_UNEXPLAINED = (
    "reporting_category <> ALL($1::text[]) AND (charge_id IS NULL "
    "OR reporting_category <> ALL($2::text[]) "
    "OR NOT EXISTS (SELECT FROM payments p WHERE p.charge_id = b.charge_id))"
)
