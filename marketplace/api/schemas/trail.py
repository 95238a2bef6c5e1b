"""An order's trail as it is told."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from marketplace.orders.trail import Trail
from marketplace.orders.trail_entries import Audience, TrailEntry


class TrailEntryAnswer(msgspec.Struct, kw_only=True):
    """One thing that happened. `actor` is buyer, seller, admin, platform or stripe."""

    at: datetime
    event: Annotated[
        str, Meta(description="What, for programs.", examples=["books.application_fee"])
    ]
    summary: Annotated[str, Meta(description="What, for people.", examples=["Application fee"])]
    actor: Annotated[str | None, Meta(examples=["platform"])]
    amount: Annotated[
        int | None, Meta(description="Signed as a seller's account sees it.", examples=[-900])
    ]
    currency: Annotated[str | None, Meta(examples=["eur"])]
    ids: Annotated[
        dict[str, str],
        Meta(
            description="Ours, by what they name.",
            examples=[{"posting": "pst_01k9zc3v5m8q2r4t6w8y0abcde"}],
        ),
    ]
    stripe_ids: Annotated[
        dict[str, str],
        Meta(description="Stripe's, by what they name.", examples=[{"transfer": "tr_3Q8..."}]),
    ]
    facts: Annotated[
        dict[str, Any],
        Meta(description="Whatever else there is to tell.", examples=[{"fee_rule_id": "sessions"}]),
    ]

    @classmethod
    def of(cls, entry: TrailEntry) -> "TrailEntryAnswer":
        """As it was written down."""
        return cls(**msgspec.structs.asdict(entry))


class TrailAnswer(msgspec.Struct, kw_only=True):
    """An order's story, the first thing first, as far as it is yours to know: whole for admins, your own
    money for sellers, your payment for buyers."""

    order_id: Annotated[str, Meta(examples=["ord_01k9zc3v5m8q2r4t6w8y0abcde"])]
    audience: Annotated[Audience, Meta(examples=["seller"])]
    data: list[TrailEntryAnswer]
    has_more: bool = False

    @classmethod
    def of(cls, trail: Trail) -> "TrailAnswer":
        """As it was put together."""
        return cls(
            order_id=trail.order_id,
            audience=trail.audience,
            data=[TrailEntryAnswer.of(entry) for entry in trail.entries],
        )
