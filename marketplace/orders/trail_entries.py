"""What an order's trail is made of: the rows it is told from, its entries, and who may read which. Pure."""

import enum
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

Row = Mapping[str, Any]


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
