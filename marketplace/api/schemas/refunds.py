"""What sellers ask to be given back to a buyer, and what became of it. Amounts are minor units."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from marketplace.orders.refund_lines import LINES_LIMIT, RefundLine, read
from marketplace.orders.refund_review import ReviewedRefund
from marketplace.orders.refunds import RefundWish
from marketplace.paging import Page
from payments.records import RefundRecord
from payments.refund_policy import Bearer, FeeOnRefund
from payments.refunds import RefundReason


class RefundedLine(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A listing of the order and how many of it."""

    listing_id: Annotated[str, Meta(max_length=64, examples=["lst_01k9zc3v5m8q2r4t6w8y0abcde"])]
    quantity: Annotated[int, Meta(gt=0, le=999, examples=[1])]


class RefundRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """All that is left, or `amount` of it, or what some `lines` were sold for."""

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
    lines: (
        Annotated[
            list[RefundedLine],
            Meta(min_length=1, max_length=LINES_LIMIT, description="Instead of an amount."),
        ]
        | UnsetType
    ) = UNSET
    bearer: (
        Annotated[
            Bearer,
            Meta(description="Who pays for it; an admin's to say. Absent: the seller."),
        ]
        | UnsetType
    ) = UNSET
    fee: (
        Annotated[
            FeeOnRefund,
            Meta(description="An admin's to say. Absent: what the order's fee schedule says."),
        ]
        | UnsetType
    ) = UNSET

    def told(self) -> RefundWish:
        """In the words of orders."""
        lines = None
        if self.lines is not UNSET:
            lines = tuple(RefundLine(line.listing_id, line.quantity) for line in self.lines)
        return RefundWish(
            amount=None if self.amount is UNSET else self.amount,
            lines=lines,
            reason=None if self.reason is UNSET else self.reason,
            bearer=None if self.bearer is UNSET else self.bearer,
            fee=None if self.fee is UNSET else self.fee,
        )


class RefundApprovalRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A refund that another admin is to approve, and why."""

    refund: RefundRequest
    reason: Annotated[
        str,
        Meta(min_length=1, max_length=500, examples=["The coach never came, and does not answer"]),
    ]


class RefundAnswer(msgspec.Struct, kw_only=True):
    """Money on its way back. `status` is Stripe's word, or `planned` and `refused`, which are ours.

    What it costs whom is the seller's and the platform's to know.
    """

    id: Annotated[str, Meta(examples=["rfd_01k9zc3v5m8q2r4t6w8y0abcde"])]
    order_id: str
    amount: int
    currency: str
    reason: Annotated[str | None, Meta(examples=["requested_by_customer"])]
    lines: Annotated[
        list[RefundedLine] | None, Meta(description="Null unless it was asked for by lines.")
    ]
    status: Annotated[str, Meta(examples=["succeeded"])]
    pending_reason: Annotated[
        str | None,
        Meta(
            description="Why it is `pending`: `processing`, `insufficient_funds` (the platform's money "
            "has to be collected first), `charge_pending`.",
            examples=[None],
        ),
    ]
    failure_reason: str | None
    created_at: datetime
    updated_at: datetime
    bearer: Annotated[
        Bearer | UnsetType, Meta(description="Who pays for it; absent for the buyer.")
    ] = UNSET
    fee_returned: Annotated[
        int | UnsetType, Meta(description="The part of the fee that the seller gets back with it.")
    ] = UNSET

    @classmethod
    def of(cls, refund: RefundRecord, *, sells: bool = False) -> "RefundAnswer":
        """As it stands; whole for who `sells`."""
        return cls(
            id=refund.id,
            order_id=refund.order_id,
            amount=refund.amount,
            currency=refund.currency,
            reason=refund.reason,
            lines=_lines(refund),
            status=refund.status,
            pending_reason=refund.pending_reason,
            failure_reason=refund.failure_reason,
            created_at=refund.created_at,
            updated_at=refund.updated_at,
            bearer=_bearer(refund) if sells else UNSET,
            fee_returned=refund.fee_amount if sells else UNSET,
        )


class RefundList(msgspec.Struct, kw_only=True):
    """Refunds of an order, the first one first."""

    data: list[RefundAnswer]
    has_more: bool

    @classmethod
    def of(
        cls, refunds: Sequence[RefundRecord], *, sells: bool = False, has_more: bool = False
    ) -> "RefundList":
        """These, and whether more follow."""
        data = [RefundAnswer.of(refund, sells=sells) for refund in refunds]
        return cls(data=data, has_more=has_more)


class ReviewedRefundAnswer(RefundAnswer, kw_only=True):
    """A refund as admins see it among those of all orders."""

    seller_id: Annotated[str, Meta(examples=["sel_01k9zc3v5m8q2r4t6w8y0abcde"])]
    requested_by: Annotated[
        str | None,
        Meta(
            description="Null: it was made at Stripe.", examples=["acc_01k9zc3v5m8q2r4t6w8y0abcde"]
        ),
    ]

    @classmethod
    def reviewed(cls, refund: ReviewedRefund) -> "ReviewedRefundAnswer":
        """As it stands."""
        seen = msgspec.structs.asdict(RefundAnswer.of(refund, sells=True))
        return cls(**seen, seller_id=refund.seller_id, requested_by=refund.requested_by)


class ReviewedRefundList(msgspec.Struct, kw_only=True):
    """Refunds of all orders, the last one asked for first."""

    data: list[ReviewedRefundAnswer]
    has_more: bool

    @classmethod
    def of(cls, page: Page[ReviewedRefund]) -> "ReviewedRefundList":
        """One page."""
        data = [ReviewedRefundAnswer.reviewed(one) for one in page.data]
        return cls(data=data, has_more=page.has_more)


def _bearer(refund: RefundRecord) -> Bearer:
    return "seller" if refund.reverse_transfer or refund.transfer_amount else "platform"


def _lines(refund: RefundRecord) -> list[RefundedLine] | None:
    if refund.lines is None:
        return None
    return [
        RefundedLine(listing_id=one.listing_id, quantity=one.quantity) for one in read(refund.lines)
    ]
