"""What sellers owe and agree to, and what two admins decide together. Amounts are minor units."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from marketplace.oversight.approvals import ApprovalRecord, State
from marketplace.paging import Page
from marketplace.sellers.debts import DebtConsent
from payments.debt_book import DebtRecord
from payments.debts import Age, DebtTotal, age_of

_DEBT_ID = "dbt_01k9zc3v5m8q2r4t6w8y0abcde"


class DebtAnswer(msgspec.Struct, kw_only=True):
    """Money the platform gave back for a sale and could not take back from the seller."""

    id: Annotated[str, Meta(examples=[_DEBT_ID])]
    seller_id: str
    order_id: str | None
    cause: Annotated[
        str,
        Meta(
            description="The refund or dispute behind it.",
            examples=["refund:rfd_01k9zc3v5m8q2r4t6w8y0abcde"],
        ),
    ]
    currency: str
    amount: int
    amount_settled: int
    amount_written_off: int
    left: Annotated[int, Meta(description="What is still owed.")]
    age: Annotated[Age, Meta(description="How long it has been owed, or was.")]
    created_at: datetime
    closed_at: datetime | None

    @classmethod
    def of(cls, debt: DebtRecord, now: datetime) -> "DebtAnswer":
        """As it stands at `now`."""
        return cls(
            id=debt.id,
            seller_id=debt.seller_id,
            order_id=debt.order_id,
            cause=debt.cause,
            currency=debt.currency,
            amount=debt.amount,
            amount_settled=debt.amount_settled,
            amount_written_off=debt.amount_written_off,
            left=debt.left,
            age=age_of(debt, now),
            created_at=debt.created_at,
            closed_at=debt.closed_at,
        )


class DebtTotalAnswer(msgspec.Struct, kw_only=True):
    """What is still owed in one currency, by how long."""

    currency: str
    debts: Annotated[int, Meta(description="How many are open.")]
    left: int
    by_age: Annotated[
        dict[Age, int],
        Meta(
            examples=[{"up_to_30_days": 4_000, "up_to_60_days": 0, "up_to_90_days": 0, "older": 0}]
        ),
    ]

    @classmethod
    def of(cls, total: DebtTotal) -> "DebtTotalAnswer":
        """As it was summed."""
        return cls(currency=total.currency, debts=total.debts, left=total.left, by_age=total.by_age)


class DebtList(msgspec.Struct, kw_only=True):
    """Debts, the newest first; `totals` are of all that fit, not of this page."""

    data: list[DebtAnswer]
    has_more: bool
    totals: list[DebtTotalAnswer]

    @classmethod
    def of(cls, page: Page[DebtRecord], totals: Sequence[DebtTotal], now: datetime) -> "DebtList":
        """A page with the totals of all."""
        return cls(
            data=[DebtAnswer.of(debt, now) for debt in page.data],
            has_more=page.has_more,
            totals=[DebtTotalAnswer.of(total) for total in totals],
        )


class DebtConsentRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How much of each new order may be kept back."""

    basis_points: Annotated[
        int,
        Meta(
            ge=1,
            le=10_000,
            description="Of what you get of an order: 10000 is all of it.",
            examples=[2_500],
        ),
    ]


class DebtConsentAnswer(msgspec.Struct, kw_only=True):
    """What the seller agreed to; null for nothing."""

    basis_points: Annotated[int | None, Meta(examples=[2_500])]
    given_at: datetime | None

    @classmethod
    def of(cls, consent: DebtConsent) -> "DebtConsentAnswer":
        """As it stands."""
        return cls(basis_points=consent.basis_points, given_at=consent.given_at)


class DecisionReason(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Why, for the audit log."""

    reason: Annotated[str, Meta(max_length=500, examples=["The seller is bankrupt"])]


class ApprovalAnswer(msgspec.Struct, kw_only=True):
    """A dangerous act that one admin asked for and another one decides about."""

    id: Annotated[str, Meta(examples=["apv_01k9zc3v5m8q2r4t6w8y0abcde"])]
    action: Annotated[str, Meta(examples=["debt.write_off"])]
    subject: Annotated[str, Meta(examples=[_DEBT_ID])]
    facts: Annotated[
        dict[str, Any],
        Meta(
            description="Exactly what will be done.",
            examples=[{"amount": 4_000, "currency": "eur"}],
        ),
    ]
    reason: Annotated[str, Meta(examples=["The seller is bankrupt"])]
    state: Annotated[State, Meta(examples=["approved"])]
    asked_by: str
    asked_at: datetime
    expires_at: Annotated[
        datetime, Meta(description="What nobody has decided by then is refused by time.")
    ]
    decided_by: Annotated[
        str | None, Meta(description="An account, or `expiry`: nobody decided in time.")
    ]
    decided_at: datetime | None
    decision_reason: Annotated[str | None, Meta(examples=["The court has said so"])]

    @classmethod
    def of(cls, approval: ApprovalRecord) -> "ApprovalAnswer":
        """As it stands."""
        return cls(**{name: getattr(approval, name) for name in cls.__struct_fields__})


class ApprovalList(msgspec.Struct, kw_only=True):
    """Approvals, the newest first."""

    data: list[ApprovalAnswer]
    has_more: bool

    @classmethod
    def of(cls, page: Page[ApprovalRecord]) -> "ApprovalList":
        """A page of them."""
        return cls(data=[ApprovalAnswer.of(one) for one in page.data], has_more=page.has_more)
