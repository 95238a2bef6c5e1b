"""What sellers ask to be given back to a buyer, and what became of it. Amounts are minor units."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from payments.records import RefundRecord
from payments.refunds import RefundReason


class RefundRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """All that is left, or `amount` of it."""

    # Null is no amount: a program that lost its number must not refund everything.
    amount: (
        Annotated[int, Meta(gt=0, description="Absent: all that is left.", examples=[2_000])]
        | UnsetType
    ) = UNSET
    reason: (
        Annotated[
            RefundReason,
            Meta(description="`fraudulent` also puts the card on Stripe's block list."),
        ]
        | UnsetType
    ) = UNSET


class RefundAnswer(msgspec.Struct, kw_only=True):
    """Money on its way back. `status` is Stripe's word, or `planned` and `refused`, which are ours."""

    id: Annotated[str, Meta(examples=["rfd_01k9zc3v5m8q2r4t6w8y0abcde"])]
    order_id: str
    amount: int
    currency: str
    reason: Annotated[str | None, Meta(examples=["requested_by_customer"])]
    status: Annotated[str, Meta(examples=["succeeded"])]
    failure_reason: str | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, refund: RefundRecord) -> "RefundAnswer":
        """As it stands."""
        return cls(**{name: getattr(refund, name) for name in cls.__struct_fields__})


class RefundList(msgspec.Struct, kw_only=True):
    """Every refund of the order, the first one first."""

    data: list[RefundAnswer]
    has_more: bool = False

    @classmethod
    def of(cls, refunds: Sequence[RefundRecord]) -> "RefundList":
        """All of them: an order has few."""
        return cls(data=[RefundAnswer.of(refund) for refund in refunds])
