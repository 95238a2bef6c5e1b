"""What admins see of fees. Amounts are minor units."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from marketplace.books.fees.figures import FeeFigures
from marketplace.books.fees.listing import FeeSort, ReviewedFee
from marketplace.books.fees.notes import FeeNote, FoundAnomaly
from marketplace.books.fees.totals import FeeSummary
from marketplace.paging import Page

_ADMIN_ID = "acc_01k9zc3v5m8q2r4t6w8y0abcde"
_PAYMENT_ID = "pay_01k9zc3v5m8q2r4t6w8y0abcde"


class FeeFiguresAnswer(msgspec.Struct, kw_only=True):
    """What moved, in minor units of `currency`."""

    currency: Annotated[str, Meta(examples=["eur"])]
    captured: Annotated[int, Meta(examples=[6_000])]
    refunded: Annotated[int, Meta(examples=[2_000])]
    fee_taken: Annotated[int, Meta(description="At Stripe.", examples=[900])]
    fee_returned: Annotated[int, Meta(examples=[300])]
    processing_cost: Annotated[int, Meta(description="What Stripe took.", examples=[204])]
    net: Annotated[
        int, Meta(description="Taken, less returned and processing cost.", examples=[396])
    ]
    effective_rate_basis_points: Annotated[
        int | None, Meta(description="Fee taken per amount captured.", examples=[1_500])
    ]


class FeeAnswer(FeeFiguresAnswer, kw_only=True):
    """The application fee of one payment, the rules that made it, and what is odd about it.

    Whoever reviewed it saw these figures: when they change, `reviewed_at` is null again.
    """

    payment_id: Annotated[str, Meta(examples=[_PAYMENT_ID])]
    order_id: str
    seller_id: str
    gross: Annotated[int, Meta(description="The order's total.", examples=[6_000])]
    fee_expected: Annotated[
        int | None,
        Meta(description="By the schedule, on what was captured.", examples=[900]),
    ]
    rule_ids: Annotated[list[str], Meta(examples=[["sessions"]])]
    categories: Annotated[list[str], Meta(examples=[["coaching"]])]
    schedule_id: str
    schedule_version: int
    captured_at: datetime
    anomalies: Annotated[list[str], Meta(description="Codes.", examples=[["negative_margin"]])]
    reviewed_at: datetime | None
    reviewed_by: Annotated[str | None, Meta(examples=[_ADMIN_ID])]
    updated_at: datetime

    @classmethod
    def of(cls, fee: ReviewedFee) -> "FeeAnswer":
        """As the books have it."""
        return cls(**_facts(cls, fee))


class ListedFeeAnswer(FeeAnswer, kw_only=True):
    """A fee in a list: `cursor` is what the page after it starts after, in this sort."""

    cursor: Annotated[str, Meta(examples=[f"1795262400000000:{_PAYMENT_ID}"])]


class FeeList(msgspec.Struct, kw_only=True):
    """Fees in the order that was asked for. The next page starts after the last one's `cursor`."""

    data: list[ListedFeeAnswer]
    has_more: bool

    @classmethod
    def of(cls, page: Page[ReviewedFee], sort: FeeSort) -> "FeeList":
        """As the books have them."""
        return cls(
            data=[
                ListedFeeAnswer(**_facts(FeeAnswer, fee), cursor=sort.cursor(fee))
                for fee in page.data
            ],
            has_more=page.has_more,
        )


class FeeSummaryAnswer(FeeFiguresAnswer, kw_only=True):
    """The sums of one group in one currency."""

    id: Annotated[str, Meta(description="The cursor.", examples=["2026-11-21:eur"])]
    key: Annotated[
        str,
        Meta(
            description="The first day of a period (of a week its Monday), or the seller, category, rule "
            "or currency.",
            examples=["2026-11-21"],
        ),
    ]
    payments: Annotated[
        int,
        Meta(
            description="Captured. One of several categories counts in each of them.", examples=[17]
        ),
    ]


class FeeSummaryList(msgspec.Struct, kw_only=True):
    """Sums: periods with the newest first, others by key."""

    data: list[FeeSummaryAnswer]
    has_more: bool

    @classmethod
    def of(cls, page: Page[FeeSummary]) -> "FeeSummaryList":
        """As the books have them."""
        data = [FeeSummaryAnswer(**_facts(FeeSummaryAnswer, summary)) for summary in page.data]
        return cls(data=data, has_more=page.has_more)


class FeeAnomalyAnswer(msgspec.Struct, kw_only=True):
    """Something odd about a payment's fee; `facts` say why."""

    id: Annotated[str, Meta(description="The cursor.", examples=[f"{_PAYMENT_ID}:fee_differs"])]
    payment_id: Annotated[str, Meta(examples=[_PAYMENT_ID])]
    code: Annotated[str, Meta(examples=["fee_differs"])]
    facts: Annotated[dict[str, Any], Meta(examples=[{"taken": 900, "expected": 901}])]
    found_at: datetime


class FeeAnomalyList(msgspec.Struct, kw_only=True):
    """What is odd now, the latest found first."""

    data: list[FeeAnomalyAnswer]
    has_more: bool

    @classmethod
    def of(cls, page: Page[FoundAnomaly]) -> "FeeAnomalyList":
        """As it was found."""
        data = [FeeAnomalyAnswer(**_facts(FeeAnomalyAnswer, found)) for found in page.data]
        return cls(data=data, has_more=page.has_more)


class FeeSeen(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What was looked at."""

    seen: Annotated[
        datetime,
        Meta(
            tz=True,
            description="`updated_at` of the fee: when it has changed since, it is not marked.",
            examples=["2026-11-21T09:00:00Z"],
        ),
    ]


class NewFeeNote(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What somebody should know about this fee."""

    text: Annotated[
        str, Meta(min_length=1, max_length=2_000, examples=["Agreed with the seller by phone"])
    ]


class FeeNoteAnswer(msgspec.Struct, kw_only=True):
    """What an admin wrote; never changed."""

    id: Annotated[str, Meta(examples=["fnt_01k9zc3v5m8q2r4t6w8y0abcde"])]
    payment_id: Annotated[str, Meta(examples=[_PAYMENT_ID])]
    author: Annotated[str, Meta(examples=[_ADMIN_ID])]
    text: Annotated[str, Meta(examples=["Agreed with the seller by phone"])]
    written_at: datetime

    @classmethod
    def of(cls, note: FeeNote) -> "FeeNoteAnswer":
        """As it was written."""
        return cls(**_facts(cls, note))


class FeeNoteList(msgspec.Struct, kw_only=True):
    """Notes, the newest first."""

    data: list[FeeNoteAnswer]
    has_more: bool

    @classmethod
    def of(cls, page: Page[FeeNote]) -> "FeeNoteList":
        """As they were written."""
        return cls(data=[FeeNoteAnswer.of(note) for note in page.data], has_more=page.has_more)


def _facts(
    answer: type[msgspec.Struct], record: FeeFigures | FeeNote | FoundAnomaly
) -> dict[str, Any]:
    return {name: getattr(record, name) for name in answer.__struct_fields__}
