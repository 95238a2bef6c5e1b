"""Fee schedules as admins write, read and question them. Amounts are minor units."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from marketplace.catalog.listings import Kind
from marketplace.fees.draft_records import DraftChanges, DraftContent, DraftRecord, State
from marketplace.fees.explaining import ExplainedLine, Explanation
from marketplace.fees.in_force import Reign
from marketplace.fees.linting import Finding
from marketplace.fees.pricing import FeePart
from marketplace.fees.rules import FeeInputs, FeeQuote, PricedLine
from marketplace.fees.schedule import RULES_LIMIT, FeeOnRefund, FeeRule, Moment, Schedule
from marketplace.fees.schedules import PublishedSchedule, Standing
from payments.currencies import MAXIMUM_CHARGE

_DRAFT_ID = "fsd_01k9zc3v5m8q2r4t6w8y0abcde"
_SCHEDULE_ID = "fsc_01k9zc3v5m8q2r4t6w8y0abcde"
_SELLER_ID = "sel_01k9zc3v5m8q2r4t6w8y0abcde"
_START, _END = "2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"
_RULES = [
    {"id": "sessions", "basis_points": 1500, "when": {"kinds": ["session"]}},
    {"id": "everything-else", "basis_points": 1000, "fixed": {"eur": 30}},
]
_FINDING = {
    "what": "overlap",
    "weight": "warning",
    "rule_id": "friend",
    "other_rule_ids": ["yoga"],
    "example": {
        "seller_id": _SELLER_ID,
        "category": "yoga",
        "kind": "product",
        "currency": "eur",
        "amount": 6_000,
        "placed_at": _START,
    },
    "silent": False,
    "paths": [],
    "fee_before": None,
    "fee_after": None,
}
_REIGN = {"id": _DRAFT_ID, "version": 0, "since": _START, "until": _END}
_TRIED = [
    {
        "listing_id": "lst_01k9zc3v5m8q2r4t6w8y0abcde",
        "rule_id": "everything-else",
        "tried": [
            {
                "rule_id": "sessions",
                "matched": False,
                "misses": [{"condition": "kind", "wanted": "session", "found": "product"}],
            },
            {"rule_id": "everything-else", "matched": True, "misses": []},
        ],
    }
]

_Id = Annotated[str, Meta(max_length=40)]
_Title = Annotated[
    str, Meta(min_length=1, max_length=120, pattern=r"\S", examples=["The prices of 2027"])
]
_Rules = Annotated[
    list[FeeRule],
    Meta(
        min_length=1,
        max_length=RULES_LIMIT,
        description="In the order of their precedence; the last must match everything.",
        examples=[_RULES],
    ),
]
_Reason = Annotated[str, Meta(min_length=1, max_length=500, examples=["Agreed on 12 November"])]
_Revision = Annotated[int, Meta(ge=1, description="The revision that was read.", examples=[1])]
_Start = Annotated[Moment | None, Meta(description="Null: when approved.", examples=[_START])]
_End = Annotated[Moment | None, Meta(description="Null: without an end.", examples=[_END])]


class NewFeeDraft(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A schedule to be approved by another admin."""

    title: _Title
    rules: _Rules
    fee_on_refund: FeeOnRefund = "return"
    effective_from: _Start = None
    effective_to: _End = None

    def told(self) -> DraftContent:
        """In the words of fees."""
        return DraftContent(**{**_facts(self, DraftContent), "rules": tuple(self.rules)})


class FeeDraftPatch(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What to change of a draft; what is left out stays."""

    revision: _Revision
    title: _Title | UnsetType = UNSET
    rules: _Rules | UnsetType = UNSET
    fee_on_refund: FeeOnRefund | UnsetType = UNSET
    effective_from: Annotated[Moment | UnsetType | None, Meta(examples=[_START])] = UNSET
    effective_to: Annotated[Moment | UnsetType | None, Meta(examples=[_END])] = UNSET

    def told(self) -> DraftChanges:
        """In the words of fees."""
        rules = self.rules if isinstance(self.rules, UnsetType) else tuple(self.rules)
        return DraftChanges(**{**_facts(self, DraftChanges), "rules": rules})


class FeeDraftStep(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An act about a draft as it was read, and why."""

    revision: _Revision
    reason: _Reason


class FeeDraftAnswer(msgspec.Struct, kw_only=True):
    """A schedule in the making. Once approved, `schedule_id` is the version it became."""

    id: Annotated[str, Meta(examples=[_DRAFT_ID])]
    title: Annotated[str, Meta(examples=["The prices of 2027"])]
    state: Annotated[State, Meta(examples=["submitted"])]
    rules: Annotated[list[FeeRule], Meta(examples=[_RULES])]
    fee_on_refund: FeeOnRefund
    effective_from: _Start
    effective_to: _End
    revision: _Revision
    created_by: str
    created_at: datetime
    edited_by: Annotated[str, Meta(examples=["acc_01k9zc3v5m8q2r4t6w8y0abcde"])]
    edited_at: datetime
    submitted_by: Annotated[str | None, Meta(examples=["acc_01k9zc3v5m8q2r4t6w8y0abcde"])]
    submitted_at: datetime | None
    reason: Annotated[str | None, Meta(examples=["Costs rose"])]
    decided_by: Annotated[str | None, Meta(examples=[None])]
    decided_at: Annotated[datetime | None, Meta(examples=[None])]
    decision_reason: Annotated[str | None, Meta(examples=[None])]
    schedule_id: Annotated[str | None, Meta(examples=[None])]

    @classmethod
    def of(cls, draft: DraftRecord) -> "FeeDraftAnswer":
        """As it stands."""
        return cls(**{**_facts(draft, cls), "rules": list(draft.rules)})


class FeeDraftList(msgspec.Struct, kw_only=True):
    """Drafts, the newest first."""

    data: list[FeeDraftAnswer]
    has_more: bool


class RetirementReason(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Why a version is taken out of force."""

    reason: _Reason


class ScheduleAnswer(msgspec.Struct, kw_only=True):
    """One version of the fee rules. It never changes: orders refer to it."""

    id: Annotated[str, Meta(examples=[_SCHEDULE_ID])]
    version: Annotated[int, Meta(examples=[2])]
    standing: Annotated[Standing, Meta(examples=["in_force"])]
    rules: Annotated[list[FeeRule], Meta(examples=[_RULES])]
    fee_on_refund: FeeOnRefund
    effective_from: Annotated[datetime, Meta(examples=[_START])]
    effective_to: Annotated[datetime | None, Meta(examples=[None])]
    draft_id: Annotated[str | None, Meta(examples=[_DRAFT_ID])]
    created_by: str
    approved_by: Annotated[str | None, Meta(examples=["acc_01k9zc3v5m8q2r4t6w8y0abcde"])]
    created_at: datetime
    retired_at: Annotated[datetime | None, Meta(examples=[None])]
    retired_by: Annotated[str | None, Meta(examples=[None])]
    retired_because: Annotated[str | None, Meta(examples=[None])]

    @classmethod
    def of(
        cls, schedule: PublishedSchedule, current_id: str | None, now: datetime
    ) -> "ScheduleAnswer":
        """As it was published, and where it stands at `now`."""
        facts = {name: getattr(schedule, name) for name in schedule.__struct_fields__}
        standing = schedule.standing(current_id, now)
        return cls(**{**facts, "rules": list(schedule.rules), "standing": standing})


class ScheduleList(msgspec.Struct, kw_only=True):
    """Every version, the newest first; one of them is `in_force`."""

    data: list[ScheduleAnswer]
    has_more: bool


class FindingList(msgspec.Struct, kw_only=True):
    """What an author should look at, the worst first; each with an order that shows it."""

    data: Annotated[list[Finding], Meta(examples=[[_FINDING]])]
    has_more: bool = False

    @classmethod
    def of(cls, findings: Sequence[Finding]) -> "FindingList":
        """All of them."""
        return cls(data=list(findings))


class DraftFindingList(FindingList, kw_only=True):
    """And which version would be in force when, were the draft approved now: it is version 0.

    `fee_on_refund_before` is what becomes of the fee in the version that it takes the place of.
    """

    fee_on_refund: FeeOnRefund
    fee_on_refund_before: FeeOnRefund
    in_force: Annotated[list[Reign], Meta(examples=[[_REIGN]])]

    @classmethod
    def of_draft(
        cls,
        findings: Sequence[Finding],
        in_force: Sequence[Reign],
        draft: DraftRecord,
        before: Schedule,
    ) -> "DraftFindingList":
        """All of them."""
        return cls(
            data=list(findings),
            fee_on_refund=draft.fee_on_refund,
            fee_on_refund_before=before.fee_on_refund,
            in_force=list(in_force),
        )


class CartLine(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A line of a cart that nobody has to have."""

    category: Annotated[str, Meta(min_length=1, max_length=60, examples=["yoga"])]
    kind: Annotated[Kind, Meta(examples=["product"])]
    unit_amount: Annotated[int, Meta(ge=1, le=MAXIMUM_CHARGE, examples=[3_000])]
    quantity: Annotated[int, Meta(ge=1, le=999, examples=[2])] = 1


class CartToExplain(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A made-up cart, priced by the version in force at `at`, or by the version or draft that is named."""

    seller_id: Annotated[str, Meta(min_length=1, max_length=40, examples=[_SELLER_ID])]
    currency: Annotated[str, Meta(min_length=3, max_length=3, examples=["eur"])]
    lines: Annotated[list[CartLine], Meta(min_length=1, max_length=50)]
    at: Annotated[Moment | None, Meta(description="Null: now.", examples=[_START])] = None
    credit: Annotated[
        int, Meta(ge=0, le=MAXIMUM_CHARGE, description="What the seller has left.", examples=[0])
    ] = 0
    schedule_id: Annotated[_Id | None, Meta(examples=[None])] = None
    draft_id: Annotated[_Id | None, Meta(examples=[_DRAFT_ID])] = None

    def told(self, now: datetime) -> FeeInputs:
        """In the words of fees."""
        lines = tuple(
            PricedLine(
                listing_id=f"line-{number}",
                category=line.category,
                kind=line.kind,
                amount=line.unit_amount * line.quantity,
                quantity=line.quantity,
            )
            for number, line in enumerate(self.lines, start=1)
        )
        return FeeInputs(
            seller_id=self.seller_id,
            currency=self.currency,
            lines=lines,
            placed_at=self.at or now,
            credit=self.credit,
        )


class ExplainedFee(msgspec.Struct, kw_only=True):
    """A fee and every integer on the way. What no version has priced names its draft instead."""

    schedule_id: Annotated[str | None, Meta(examples=[_SCHEDULE_ID])]
    schedule_version: Annotated[int | None, Meta(examples=[2])]
    draft_id: Annotated[str | None, Meta(examples=[None])]
    inputs: FeeInputs
    parts: list[FeePart]
    total: int
    fee: int
    seller_amount: int
    fee_net: int
    fee_tax: int
    credit: int
    service_fee: int
    format: int

    @classmethod
    def of(cls, quote: FeeQuote, draft_id: str | None = None) -> "ExplainedFee":
        """As it was priced, by the draft if one is named."""
        named: dict[str, Any] = {"draft_id": draft_id}
        if draft_id is not None:
            named |= {"schedule_id": None, "schedule_version": None}
        facts = msgspec.structs.asdict(quote) | {"parts": list(quote.parts)}
        return cls(**facts | named)


class ExplanationAnswer(msgspec.Struct, kw_only=True):
    """For each line the rules that were tried and why they did not match; and every integer of the fee."""

    lines: Annotated[list[ExplainedLine], Meta(examples=[_TRIED])]
    fee: ExplainedFee

    @classmethod
    def of(cls, explanation: Explanation, draft_id: str | None = None) -> "ExplanationAnswer":
        """As it was found, under the draft if one is named."""
        return cls(lines=list(explanation.lines), fee=ExplainedFee.of(explanation.quote, draft_id))


class OrderFeeAnswer(ExplanationAnswer, kw_only=True):
    """The fee as the order keeps it. `agrees` says that its rules come to the same again."""

    agrees: Annotated[bool, Meta(examples=[True])]

    @classmethod
    def of_order(cls, kept: FeeQuote, again: Explanation) -> "OrderFeeAnswer":
        """What was kept, with why, as it is found again."""
        same = (kept.fee, kept.total, kept.rule_ids) == (
            again.quote.fee,
            again.quote.total,
            again.quote.rule_ids,
        )
        return cls(lines=list(again.lines), fee=ExplainedFee.of(kept), agrees=same)


def _facts(record: msgspec.Struct, target: type[msgspec.Struct]) -> dict[str, Any]:
    return {
        name: getattr(record, name) for name in target.__struct_fields__ if hasattr(record, name)
    }
