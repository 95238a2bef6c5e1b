"""What an order's trail is made of: the rows it is told from, its entries, and who may read which. Pure."""

import enum
from collections.abc import Mapping, Sequence, Set
from datetime import datetime, timedelta
from typing import Any

import msgspec

Row = Mapping[str, Any]
SAME_MOMENT = timedelta(seconds=60)
"""How far Stripe's clock and ours may be apart, with the time until we hear of something."""


class Audience(enum.StrEnum):
    """Who reads."""

    BUYER = "buyer"
    SELLER = "seller"
    ADMIN = "admin"


ADMIN = frozenset({Audience.ADMIN})
SELLER = ADMIN | {Audience.SELLER}
EVERYBODY = SELLER | {Audience.BUYER}


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """All that is written down about one order, as rows of its tables."""

    order: Row
    lines: Sequence[Row]
    steps: Sequence[Row]
    changes: Sequence[Row]
    payments: Sequence[Row]
    attempts: Sequence[Row]
    operations: Sequence[Row]
    postings: Sequence[Row]
    refunds: Sequence[Row]
    movements: Sequence[Row]
    fee_returns: Sequence[Row]
    disputes: Sequence[Row]
    debts: Sequence[Row]
    payouts: Sequence[Row]
    shipments: Sequence[Row]
    events: Sequence[Row]

    def learned(self, at: datetime, steps: Set[str]) -> datetime:
        """When the order took in what Stripe says happened at `at`: the nearest of these steps, if near."""
        taken = [row["occurred_at"] for row in self.steps if row["step"] in steps]
        nearest: datetime = min(taken, key=lambda moment: abs(moment - at), default=at)
        return nearest if abs(nearest - at) <= SAME_MOMENT else at

    def is_disputes(self, movement_id: str) -> bool:
        """Whether this movement of a transfer is because of a dispute."""
        return any(
            row["id"] == movement_id and row["cause"].startswith("dispute")
            for row in self.movements
        )


class TrailEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened. `amount` is minor units of `currency`.

    `ids` are ours, `stripe_ids` Stripe's, by what they name; `facts` is whatever else is told.
    """

    at: datetime
    event: str
    summary: str
    actor: str | None = None
    amount: int | None = None
    currency: str | None = None
    ids: dict[str, str] = {}
    stripe_ids: dict[str, str] = {}
    facts: dict[str, Any] = {}


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """An entry before it is in its place: its chapter and turn there, and who may know what of it."""

    entry: TrailEntry
    chapter: int
    # Where it stands, when that is not where its stamp says: Stripe's clock is not ours.
    placed_at: datetime | None = None
    # Within a second and a chapter: asked for, done, told.
    turn: int = 0
    # Among the steps of one place: as they were taken.
    position: int = 0
    seen_by: frozenset[Audience] = ADMIN
    stripe_ids_seen_by: frozenset[Audience] = ADMIN
    # Facts for admins only: operators' words, people's ids, keys.
    private: dict[str, Any] = {}
