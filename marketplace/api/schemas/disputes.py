"""Disputes and their evidence as sellers and admins are told. Amounts are minor units."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from marketplace.disputes.cases import EvidencePack
from marketplace.paging import Page
from payments.dispute_records import ANSWERABLE, DisputeRecord

_FIELDS = {
    "product_description": "Sold by Anna's Coaching:\n1 x First session (coaching) at 60.00 EUR",
    "customer_name": "Bruno Buyer",
    "service_date": "2026-11-28",
}


class DisputeAnswer(msgspec.Struct, kw_only=True):
    """A buyer's bank asks for money back. `status` is Stripe's word; an inquiry took no money yet."""

    id: Annotated[str, Meta(examples=["dsp_01k9zc3v5m8q2r4t6w8y0abcde"])]
    order_id: str
    seller_id: str
    amount: int
    currency: str
    reason: Annotated[str, Meta(examples=["product_not_received"])]
    status: Annotated[str, Meta(examples=["needs_response"])]
    inquiry: bool
    needs_answer: Annotated[bool, Meta(description="Whether the bank still waits for evidence.")]
    evidence_due_by: datetime | None
    evidence_submitted_at: datetime | None
    amount_withdrawn: Annotated[int, Meta(description="What the bank took, in total.")]
    amount_reinstated: Annotated[int, Meta(description="What it gave back, in total.")]
    opened_at: datetime
    closed_at: datetime | None

    @classmethod
    def of(cls, dispute: DisputeRecord) -> "DisputeAnswer":
        """As it stands."""
        given: dict[str, Any] = {
            name: getattr(dispute, name, None) for name in cls.__struct_fields__
        }
        return cls(**{**given, "needs_answer": dispute.status in ANSWERABLE})


class DisputeList(msgspec.Struct, kw_only=True):
    """Disputes, the newest first."""

    data: list[DisputeAnswer]
    has_more: bool

    @classmethod
    def of(cls, page: Page[DisputeRecord]) -> "DisputeList":
        """A page of them."""
        return cls(data=[DisputeAnswer.of(one) for one in page.data], has_more=page.has_more)


class EvidenceEdit(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Your words, by Stripe's text fields; an empty text takes a built field out of the pack."""

    fields: Annotated[
        dict[Annotated[str, Meta(max_length=60)], Annotated[str, Meta(max_length=100_000)]],
        Meta(max_length=20, examples=[{"refund_refusal_explanation": "The session took place."}]),
    ]


class EvidenceAnswer(msgspec.Struct, kw_only=True):
    """What will be said to the bank (or was): `built` from the order, `edited` by you, both in `fields`."""

    dispute: DisputeAnswer
    built: Annotated[dict[str, str], Meta(examples=[_FIELDS])]
    edited: Annotated[dict[str, str], Meta(examples=[{}])]
    fields: Annotated[dict[str, str], Meta(examples=[_FIELDS])]

    @classmethod
    def of(cls, pack: EvidencePack) -> "EvidenceAnswer":
        """The pack."""
        return cls(
            dispute=DisputeAnswer.of(pack.dispute),
            built=pack.built,
            edited=pack.edited,
            fields=pack.fields,
        )
