"""What buyers are told of their saved cards: what they recognise them by, and nothing one could pay with."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from marketplace.paging import Page
from payments.card_records import CardRecord, SetupRecord
from payments.card_setups import SetupForBuyer
from payments.declines import DeclineReason, advice_on

_CARD_ID = "crd_01k9zc3v5m8q2r4t6w8y0abcde"
_SETUP_ID = "cst_01k9zc3v5m8q2r4t6w8y0abcde"


class SetupSecret(msgspec.Struct, kw_only=True):
    """What the buyer's browser needs to give Stripe a card. The client secret is kept nowhere here."""

    id: Annotated[str, Meta(examples=[_SETUP_ID])]
    setup_intent: Annotated[str, Meta(examples=["seti_1Q8..."])]
    client_secret: Annotated[str, Meta(examples=["seti_1Q8..._secret_..."])]
    publishable_key: Annotated[str, Meta(examples=["pk_test_..."])]
    status: Annotated[str, Meta(examples=["requires_payment_method"])]

    @classmethod
    def of(cls, setup: SetupForBuyer, publishable_key: str) -> "SetupSecret":
        """For its buyer only."""
        return cls(
            id=setup.setup_id,
            setup_intent=setup.stripe_setup_id,
            client_secret=setup.client_secret,
            publishable_key=publishable_key,
            status=setup.status,
        )

    def __repr__(self) -> str:
        """Never shows the client secret."""
        return f"SetupSecret({self.id})"


class SetupAnswer(msgspec.Struct, kw_only=True):
    """How a setup stands: `status` is Stripe's word. `reason` is why the bank did not want it."""

    id: Annotated[str, Meta(examples=[_SETUP_ID])]
    status: Annotated[str, Meta(examples=["succeeded"])]
    reason: Annotated[DeclineReason | None, Meta(examples=[None])]
    advice: Annotated[
        str | None,
        Meta(description="What the buyer can do, ready to be shown.", examples=[None]),
    ]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, setup: SetupRecord, reason: DeclineReason | None = None) -> "SetupAnswer":
        """As it is known; a reason is only told by Stripe itself."""
        return cls(
            id=setup.id,
            status=setup.status,
            reason=reason,
            advice=advice_on(reason).text if reason else None,
            created_at=setup.created_at,
            updated_at=setup.updated_at,
        )


class CardAnswer(msgspec.Struct, kw_only=True):
    """A saved card. `expired` is a hint: banks may still say yes."""

    id: Annotated[str, Meta(examples=[_CARD_ID])]
    brand: Annotated[str | None, Meta(examples=["visa"])]
    last4: Annotated[str | None, Meta(examples=["4242"])]
    expiry_month: Annotated[int | None, Meta(examples=[12])]
    expiry_year: Annotated[int | None, Meta(examples=[2034])]
    expired: bool
    is_default: bool
    created_at: datetime

    @classmethod
    def of(cls, card: CardRecord, now: datetime) -> "CardAnswer":
        """As it is at this moment."""
        return cls(
            id=card.id,
            brand=card.brand,
            last4=card.last4,
            expiry_month=card.expiry_month,
            expiry_year=card.expiry_year,
            expired=card.expired(now),
            is_default=card.is_default,
            created_at=card.created_at,
        )


class CardList(msgspec.Struct, kw_only=True):
    """A buyer's cards, the newest first."""

    data: list[CardAnswer]
    has_more: bool

    @classmethod
    def of(cls, page: Page[CardRecord], now: datetime) -> "CardList":
        """One page."""
        return cls(data=[CardAnswer.of(card, now) for card in page.data], has_more=page.has_more)
