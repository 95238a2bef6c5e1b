"""What admins see of fees and of the ledger. Amounts are minor units."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from marketplace.books.fee_review import FeeFigures, FeeSummary, ReviewedFee
from marketplace.books.ledger_review import AccountBalance, PostingRecord


class FeeFiguresAnswer(msgspec.Struct, kw_only=True):
    """What moved, in minor units of `currency`."""

    currency: Annotated[str, Meta(examples=["eur"])]
    captured: Annotated[int, Meta(examples=[6_000])]
    refunded: Annotated[int, Meta(examples=[2_000])]
    fee_taken: Annotated[int, Meta(examples=[900])]
    fee_returned: Annotated[int, Meta(examples=[300])]
    processing_cost: Annotated[int, Meta(description="What Stripe took.", examples=[204])]
    net: Annotated[
        int, Meta(description="Taken, less returned and processing cost.", examples=[396])
    ]
    effective_rate_basis_points: Annotated[
        int | None, Meta(description="Fee taken per amount captured.", examples=[1_500])
    ]


class FeeAnswer(FeeFiguresAnswer, kw_only=True):
    """The application fee of one payment, and the rules that made it."""

    payment_id: str
    order_id: str
    seller_id: str
    gross: Annotated[int, Meta(description="The order's total.", examples=[6_000])]
    rule_ids: Annotated[list[str], Meta(examples=[["sessions"]])]
    schedule_id: str
    schedule_version: int
    captured_at: datetime

    @classmethod
    def of(cls, fee: ReviewedFee) -> "FeeAnswer":
        """As the books have it."""
        return cls(**_facts(cls, fee))


class FeeList(msgspec.Struct, kw_only=True):
    """Fees, the newest payment first. The cursor is the `payment_id`."""

    data: list[FeeAnswer]
    has_more: bool


class FeeSummaryAnswer(FeeFiguresAnswer, kw_only=True):
    """The sums of one day (UTC) or one seller, in one currency."""

    id: Annotated[str, Meta(description="The cursor.", examples=["2026-11-21:eur"])]
    key: Annotated[str, Meta(description="The day or the seller.", examples=["2026-11-21"])]
    payments: Annotated[int, Meta(description="Captured.", examples=[17])]

    @classmethod
    def of(cls, summary: FeeSummary) -> "FeeSummaryAnswer":
        """As the books have it."""
        return cls(**_facts(cls, summary))


class FeeSummaryList(msgspec.Struct, kw_only=True):
    """Sums: days with the newest first, sellers by id."""

    data: list[FeeSummaryAnswer]
    has_more: bool


class PostingAnswer(msgspec.Struct, kw_only=True):
    """An amount that moved from one account to another, once, because of `cause`."""

    id: Annotated[str, Meta(examples=["pst_01k9zc3v5m8q2r4t6w8y0abcde"])]
    kind: Annotated[str, Meta(examples=["capture"])]
    source: Annotated[str, Meta(examples=["buyers"])]
    target: Annotated[str, Meta(examples=["seller:sel_01k9zc3v5m8q2r4t6w8y0abcde"])]
    amount: int
    currency: str
    order_id: Annotated[
        str | None,
        Meta(description="Null for a payout.", examples=["ord_01k9zc3v5m8q2r4t6w8y0abcde"]),
    ]
    payment_id: Annotated[str | None, Meta(examples=["pay_01k9zc3v5m8q2r4t6w8y0abcde"])]
    seller_id: str
    cause: str
    occurred_at: datetime
    recorded_at: datetime

    @classmethod
    def of(cls, posting: PostingRecord) -> "PostingAnswer":
        """As it was posted."""
        return cls(**_facts(cls, posting))


class PostingList(msgspec.Struct, kw_only=True):
    """Postings, the newest first."""

    data: list[PostingAnswer]
    has_more: bool


class BalanceAnswer(msgspec.Struct, kw_only=True):
    """What an account holds: incoming less outgoing. All accounts of a currency sum to zero."""

    id: Annotated[str, Meta(description="The cursor.", examples=["platform:fees:eur"])]
    account: Annotated[str, Meta(examples=["platform:fees"])]
    currency: str
    amount: int

    @classmethod
    def of(cls, balance: AccountBalance) -> "BalanceAnswer":
        """As the postings add up."""
        return cls(**_facts(cls, balance))


class BalanceList(msgspec.Struct, kw_only=True):
    """Balances, by account."""

    data: list[BalanceAnswer]
    has_more: bool


def _facts(
    answer: type[msgspec.Struct],
    record: FeeFigures | PostingRecord | AccountBalance,
) -> dict[str, Any]:
    return {name: getattr(record, name) for name in answer.__struct_fields__}
