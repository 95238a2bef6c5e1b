"""Fee credits: an amount of application fees that a seller does not pay, until it is used up or over.

    pieces = await credits.take(seller_id, currency, wanted, now)  # in the placing transaction
    await credits.note(order_id, pieces, now)                      # once the order is written
    await credits.settle(order_id, amount, now)                    # gives back what it holds beyond

`used` is always the sum of a credit's movements, and what an order holds is the sum of its own.

Credits are locked after the order and after its listings' stock, several sellers' in the order of their ids,
and a seller's in the order in which they are used: so nobody waits in a circle.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from marketplace.fees.errors import FeeCreditNotFound
from marketplace.paging import Page, PageRequest
from payments.database import (
    execute,
    execute_many,
    require_transaction,
    row,
    rows,
    value,
)
from payments.ids import new_id

# The one that ends first is used first.
_ORDER: Final = "ends_at ASC NULLS LAST, id"
_LEFT: Final = """
used < amount AND revoked_at IS NULL AND starts_at <= {now} AND (ends_at IS NULL OR ends_at > {now})
"""


class CreditRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A credit as it stands; minor units of `currency`."""

    id: str
    seller_id: str
    currency: str
    amount: int
    used: int
    starts_at: datetime
    ends_at: datetime | None
    revoked_at: datetime | None
    reason: str
    granted_by: str
    granted_at: datetime
    # The second admin, where it was too much for one.
    approved_by: str | None

    @property
    def left(self) -> int:
        """What fees may still be lessened by, while it lasts."""
        return 0 if self.revoked_at is not None else self.amount - self.used


class CreditMovement(msgspec.Struct, frozen=True, kw_only=True):
    """What an order took of a credit, or (negative) gave back."""

    id: str
    credit_id: str
    order_id: str
    amount: int
    occurred_at: datetime


class Piece(msgspec.Struct, frozen=True):
    """So much of one credit."""

    credit_id: str
    amount: int


COLUMNS: Final = ", ".join(CreditRecord.__struct_fields__)


async def find(credit_id: str) -> CreditRecord:
    """One credit. Raises FeeCreditNotFound."""
    found = await row(f"SELECT {COLUMNS} FROM seller_fee_credits WHERE id = $1", credit_id)
    if found is None:
        raise FeeCreditNotFound(credit_id)
    return CreditRecord(**found)


async def credits_of(seller_id: str | None, page: PageRequest) -> Page[CreditRecord]:
    """Credits of one seller, or of all, the newest first."""
    found = await rows(
        f"SELECT {COLUMNS} FROM seller_fee_credits WHERE ($1::text IS NULL OR seller_id = $1) "
        "AND ($2::text IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
        seller_id,
        page.starting_after,
        page.fetched,
    )
    return Page.cut([CreditRecord(**record) for record in found], page)


async def movements_of(credit_id: str, page: PageRequest) -> Page[CreditMovement]:
    """What orders took of a credit and gave back, the newest first. Raises FeeCreditNotFound."""
    await find(credit_id)
    found = await rows(
        "SELECT id, credit_id, order_id, amount, occurred_at FROM fee_credit_movements "
        "WHERE credit_id = $1 AND ($2::text IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
        credit_id,
        page.starting_after,
        page.fetched,
    )
    return Page.cut([CreditMovement(**record) for record in found], page)


async def available(sellers: Iterable[str], now: datetime) -> dict[tuple[str, str], int]:
    """How much is left at `now`, by seller and currency, where any is. What is taken may be less by then."""
    found = await rows(
        "SELECT seller_id, currency, sum(amount - used)::bigint AS left FROM seller_fee_credits "
        f"WHERE seller_id = ANY($1::text[]) AND {_LEFT.format(now='$2')} GROUP BY 1, 2",
        list(sellers),
        now,
    )
    return {(one["seller_id"], one["currency"]): one["left"] for one in found}


async def held_by(order_id: str) -> int:
    """How much credit an order holds."""
    found: int = await value(
        "SELECT coalesce(sum(amount), 0)::bigint FROM fee_credit_movements WHERE order_id = $1",
        order_id,
    )
    return found


async def take(seller_id: str, currency: str, wanted: int, now: datetime) -> list[Piece]:
    """Take up to `wanted` of the seller's credits, in the open transaction.

    The credits stay locked until it ends, so no two orders take the same. Raises NoTransaction.
    """
    require_transaction()
    if wanted <= 0:
        return []
    found = await rows(
        "SELECT id, amount - used AS left FROM seller_fee_credits WHERE seller_id = $1 "
        f"AND currency = $2 AND {_LEFT.format(now='$3')} ORDER BY {_ORDER} FOR UPDATE",
        seller_id,
        currency,
        now,
    )
    pieces = []
    for credit in found:
        amount = min(wanted, credit["left"])
        if amount:
            pieces.append(Piece(credit["id"], amount))
            wanted -= amount
    await _move(pieces)
    return pieces


async def note(order_id: str, pieces: Sequence[Piece], now: datetime) -> None:
    """Write down what an order took (negative: gave back). Raises NoTransaction."""
    require_transaction()
    if pieces:
        await execute_many(
            "INSERT INTO fee_credit_movements (id, credit_id, order_id, amount, occurred_at) "
            "VALUES ($1, $2, $3, $4, $5)",
            [(new_id("fcm"), piece.credit_id, order_id, piece.amount, now) for piece in pieces],
        )


async def settle(order_id: str, amount: int, now: datetime) -> int:
    """Give back what the order holds beyond `amount`; answers how much that was.

    The caller holds the order's lock. Raises NoTransaction.
    """
    require_transaction()
    found = await rows(
        "SELECT c.id, m.held FROM seller_fee_credits c JOIN (SELECT credit_id, sum(amount)::bigint "
        "AS held FROM fee_credit_movements WHERE order_id = $1 GROUP BY credit_id) m "
        f"ON m.credit_id = c.id WHERE m.held > 0 ORDER BY {_ORDER} FOR UPDATE OF c",
        order_id,
    )
    beyond = sum(one["held"] for one in found) - amount
    pieces = []
    # The last one taken is the first one given back.
    for one in reversed(found):
        back = min(max(beyond, 0), one["held"])
        if back:
            pieces.append(Piece(one["id"], -back))
            beyond -= back
    await _move(pieces)
    await note(order_id, pieces, now)
    return -sum(piece.amount for piece in pieces)


async def _move(pieces: Sequence[Piece]) -> None:
    if pieces:
        await execute(
            "UPDATE seller_fee_credits c SET used = c.used + p.amount "
            "FROM unnest($1::text[], $2::bigint[]) AS p (id, amount) WHERE c.id = p.id",
            [piece.credit_id for piece in pieces],
            [piece.amount for piece in pieces],
        )
