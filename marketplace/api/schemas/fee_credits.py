"""Fee credits as admins grant and read them. Amounts are minor units."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from marketplace.fees.credits import CreditMovement, CreditRecord
from marketplace.fees.grants import NewCredit
from marketplace.fees.schedule import Moment
from marketplace.paging import Page
from payments.currencies import MAXIMUM_CHARGE

_CREDIT_ID = "fcr_01k9zc3v5m8q2r4t6w8y0abcde"
_SELLER_ID = "sel_01k9zc3v5m8q2r4t6w8y0abcde"
_Reason = Annotated[str, Meta(min_length=1, max_length=500, examples=["Welcome"])]


class NewFeeCredit(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """So much of the application fee that the seller does not pay."""

    seller_id: Annotated[str, Meta(min_length=1, max_length=40, examples=[_SELLER_ID])]
    currency: Annotated[str, Meta(min_length=3, max_length=3, examples=["eur"])]
    amount: Annotated[int, Meta(ge=1, le=MAXIMUM_CHARGE, examples=[5_000])]
    reason: _Reason
    starts_at: Annotated[
        Moment | None, Meta(description="Null: at once.", examples=["2027-01-01T00:00:00Z"])
    ] = None
    ends_at: Annotated[
        Moment | None, Meta(description="Null: never.", examples=["2027-07-01T00:00:00Z"])
    ] = None

    def told(self) -> NewCredit:
        """In the words of fees."""
        names = NewCredit.__struct_fields__
        return NewCredit(**{name: getattr(self, name) for name in names})


class RevocationReason(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Why what is left of a credit ends."""

    reason: _Reason


class FeeCreditAnswer(msgspec.Struct, kw_only=True):
    """A credit: of `amount`, orders hold or have used `used`, and `left` may still be used."""

    id: Annotated[str, Meta(examples=[_CREDIT_ID])]
    seller_id: Annotated[str, Meta(examples=[_SELLER_ID])]
    currency: Annotated[str, Meta(examples=["eur"])]
    amount: Annotated[int, Meta(examples=[5_000])]
    used: Annotated[int, Meta(examples=[1_200])]
    left: Annotated[int, Meta(examples=[3_800])]
    starts_at: datetime
    ends_at: Annotated[datetime | None, Meta(examples=[None])]
    revoked_at: Annotated[datetime | None, Meta(examples=[None])]
    reason: Annotated[str, Meta(examples=["Welcome"])]
    granted_by: Annotated[str, Meta(examples=["acc_01k9zc3v5m8q2r4t6w8y0abcde"])]
    granted_at: datetime
    approved_by: Annotated[
        str | None, Meta(description="Where it was too much for one admin.", examples=[None])
    ]

    @classmethod
    def of(cls, credit: CreditRecord) -> "FeeCreditAnswer":
        """As it stands."""
        return cls(**{name: getattr(credit, name) for name in cls.__struct_fields__})


class FeeCreditList(msgspec.Struct, kw_only=True):
    """Credits, the newest first."""

    data: list[FeeCreditAnswer]
    has_more: bool

    @classmethod
    def of(cls, page: Page[CreditRecord]) -> "FeeCreditList":
        """As they stand."""
        return cls(
            data=[FeeCreditAnswer.of(credit) for credit in page.data], has_more=page.has_more
        )


class FeeCreditMovement(msgspec.Struct, kw_only=True):
    """What an order took or, when negative, gave back."""

    id: Annotated[str, Meta(examples=["fcm_01k9zc3v5m8q2r4t6w8y0abcde"])]
    order_id: str
    amount: Annotated[int, Meta(examples=[600])]
    occurred_at: datetime


class FeeCreditMovementList(msgspec.Struct, kw_only=True):
    """Movements, the newest first; they sum to what is `used`."""

    data: list[FeeCreditMovement]
    has_more: bool

    @classmethod
    def of(cls, page: Page[CreditMovement]) -> "FeeCreditMovementList":
        """As they were written."""
        names = FeeCreditMovement.__struct_fields__
        return cls(
            data=[
                FeeCreditMovement(**{name: getattr(movement, name) for name in names})
                for movement in page.data
            ],
            has_more=page.has_more,
        )
