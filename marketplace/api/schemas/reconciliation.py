"""Reconciliation runs, what they found, and cases. Amounts are minor units."""

from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from marketplace.fees.schedule import Moment
from marketplace.oversight.case_words import to_do
from marketplace.oversight.cases import CaseNote, CaseRecord
from marketplace.oversight.cases import State as CaseState
from marketplace.oversight.reconciliation_runs import (
    DifferenceRecord,
    Equation,
    Phase,
    RunRecord,
    State,
)
from marketplace.paging import Page
from marketplace.sellers.profile import REASON_LIMIT
from payments.reconciliation_findings import Kind

_RUN_ID = "rec_01k9zc3v5m8q2r4t6w8y0abcde"
_CASE_ID = "cas_01k9zc3v5m8q2r4t6w8y0abcde"
_ADMIN = "acc_01k9zc3v5m8q2r4t6w8y0abcde"
_PAYMENT = "pay_01k9zc3v5m8q2r4t6w8y0abcde"
_ORDER = "ord_01k9zc3v5m8q2r4t6w8y0abcde"
_CHARGE = "ch_3Q8v2kExampleExample0"
_SINCE, _UNTIL = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"

_Value = Annotated[
    int | str | None,
    Meta(description="An amount, a status or an id; null: there is nothing.", examples=[6_000]),
]
_Text = Annotated[str, Meta(min_length=1, max_length=REASON_LIMIT)]


class NewReconciliationRun(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What was made or moved from `since` on and before `until`; until now when it is left out."""

    since: Annotated[
        Moment | None,
        Meta(
            description="Null: an hour before the last daily run ended; a day ago, if there was none.",
            examples=[_SINCE],
        ),
    ] = None
    until: Annotated[Moment | None, Meta(examples=[_UNTIL])] = None


class BalanceEquation(msgspec.Struct, kw_only=True):
    """Stripe's own sums: `opening` plus `moved` is `closing`. Over the compared payments `ledger`, ours, is
    `stripe`."""

    currency: Annotated[str, Meta(examples=["eur"])]
    opening: Annotated[
        int | None, Meta(description="Stripe's balance before; null: not known.", examples=[10_000])
    ]
    closing: Annotated[int | None, Meta(examples=[10_396])]
    moved: Annotated[int, Meta(description="Of everything.", examples=[396])]
    moved_by_orders: Annotated[int, Meta(examples=[396])]
    ledger: Annotated[
        int, Meta(description="What our platform accounts hold of them.", examples=[396])
    ]
    stripe: Annotated[
        int, Meta(description="What their movements left on the balance.", examples=[396])
    ]
    holds: Annotated[bool, Meta(examples=[True])]

    @classmethod
    def of(cls, equation: Equation) -> "BalanceEquation":
        """As it came out."""
        return cls(**{name: getattr(equation, name) for name in cls.__struct_fields__})


class ReconciliationRunAnswer(msgspec.Struct, kw_only=True):
    """A run. The worker goes on with it, phase after phase, until it is `done`."""

    id: Annotated[str, Meta(examples=[_RUN_ID])]
    day: Annotated[
        date | None,
        Meta(description="Of the daily run; null: asked for.", examples=["2026-01-02"]),
    ]
    since: Annotated[datetime, Meta(examples=[_SINCE])]
    until: Annotated[datetime, Meta(examples=[_UNTIL])]
    read_until: Annotated[
        datetime | None,
        Meta(description="What moved in the ten minutes before is too young to differ."),
    ]
    asked_by: Annotated[str, Meta(examples=[_ADMIN])]
    asked_at: datetime
    state: Annotated[State, Meta(examples=["running"])]
    phase: Annotated[Phase, Meta(examples=["payments"])]
    read: Annotated[int, Meta(description="Objects of Stripe's.", examples=[18_000])]
    compared: Annotated[int, Meta(description="Payments.", examples=[2_400])]
    timing: Annotated[int, Meta(description="Too young to be called differences.", examples=[1])]
    healed: Annotated[int, Meta(description="Gone since Stripe was read again.", examples=[2])]
    cases: Annotated[int, Meta(description="Those that stayed.", examples=[0])]
    equations: list[BalanceEquation]
    started_at: datetime | None
    concluded_at: Annotated[datetime | None, Meta(examples=[None])]
    failure: Annotated[str | None, Meta(examples=[None])]

    @classmethod
    def of(cls, run: RunRecord) -> "ReconciliationRunAnswer":
        """As it stands."""
        told = {name: getattr(run, name) for name in cls.__struct_fields__}
        return cls(**told | {"equations": [BalanceEquation.of(one) for one in run.equations]})


class ReconciliationRunList(msgspec.Struct, kw_only=True):
    """Runs, the newest first."""

    data: list[ReconciliationRunAnswer]
    has_more: bool

    @classmethod
    def of(cls, page: Page[RunRecord]) -> "ReconciliationRunList":
        """One page."""
        return cls(
            data=[ReconciliationRunAnswer.of(run) for run in page.data], has_more=page.has_more
        )


class DifferenceAnswer(msgspec.Struct, kw_only=True):
    """One difference and what became of it."""

    id: Annotated[str, Meta(examples=["rdf_01k9zc3v5m8q2r4t6w8y0abcde"])]
    kind: Annotated[Kind, Meta(examples=["missing_here"])]
    what: Annotated[str, Meta(description="What was compared.", examples=["charged"])]
    payment_id: Annotated[str | None, Meta(examples=[_PAYMENT])]
    order_id: Annotated[str | None, Meta(examples=[_ORDER])]
    stripe_id: Annotated[str | None, Meta(examples=[_CHARGE])]
    currency: Annotated[str | None, Meta(examples=["eur"])]
    ours: _Value
    theirs: _Value
    state: Annotated[Literal["timing", "healed", "case"], Meta(examples=["healed"])]
    case_id: Annotated[str | None, Meta(examples=[None])]
    found_at: datetime

    @classmethod
    def of(cls, found: DifferenceRecord) -> "DifferenceAnswer":
        """As it was found."""
        return cls(**{name: getattr(found, name) for name in cls.__struct_fields__})


class DifferenceList(msgspec.Struct, kw_only=True):
    """What a run found, in the order it was found."""

    data: list[DifferenceAnswer]
    has_more: bool

    @classmethod
    def of(cls, page: Page[DifferenceRecord]) -> "DifferenceList":
        """One page."""
        return cls(data=[DifferenceAnswer.of(one) for one in page.data], has_more=page.has_more)


class CaseAnswer(msgspec.Struct, kw_only=True):
    """A difference that reading Stripe again did not heal. `ours` and `theirs` are as found last."""

    id: Annotated[str, Meta(examples=[_CASE_ID])]
    kind: Annotated[Kind, Meta(examples=["skipped_transfer"])]
    what: Annotated[str, Meta(description="What was compared.", examples=["transferred"])]
    payment_id: Annotated[str | None, Meta(examples=[_PAYMENT])]
    order_id: Annotated[str | None, Meta(examples=[_ORDER])]
    stripe_id: Annotated[str | None, Meta(examples=[_CHARGE])]
    currency: Annotated[str | None, Meta(examples=["eur"])]
    ours: _Value
    theirs: _Value
    state: Annotated[CaseState, Meta(examples=["taken"])]
    owner: Annotated[str | None, Meta(examples=[_ADMIN])]
    resolution: Annotated[str | None, Meta(examples=[None])]
    resolved_by: Annotated[str | None, Meta(examples=[None])]
    resolved_at: Annotated[datetime | None, Meta(examples=[None])]
    times_found: Annotated[int, Meta(examples=[3])]
    reopened: Annotated[
        int, Meta(description="How often it came back once resolved.", examples=[0])
    ]
    found_at: datetime
    last_found_at: datetime
    last_run_id: Annotated[str | None, Meta(examples=[_RUN_ID])]
    to_do: Annotated[
        str | None,
        Meta(
            description="What it means and the next step; null once it is resolved.",
            examples=["The buyer was charged and the seller got nothing. Send their share."],
        ),
    ]

    @classmethod
    def of(cls, case: CaseRecord) -> "CaseAnswer":
        """As it stands."""
        next_step = None if case.state == "resolved" else to_do(case.finding)
        facts = {name: getattr(case, name) for name in CaseRecord.__struct_fields__}
        return cls(**facts, to_do=next_step)


class CaseList(msgspec.Struct, kw_only=True):
    """Cases, the newest first."""

    data: list[CaseAnswer]
    has_more: bool

    @classmethod
    def of(cls, page: Page[CaseRecord]) -> "CaseList":
        """One page."""
        return cls(data=[CaseAnswer.of(case) for case in page.data], has_more=page.has_more)


class CaseNoteAnswer(msgspec.Struct, kw_only=True):
    """What an admin found out."""

    id: Annotated[str, Meta(examples=["ntc_01k9zc3v5m8q2r4t6w8y0abcde"])]
    author: Annotated[str, Meta(examples=[_ADMIN])]
    text: Annotated[str, Meta(examples=["Stripe's support says the transfer was held."])]
    created_at: datetime

    @classmethod
    def of(cls, note: CaseNote) -> "CaseNoteAnswer":
        """As it was written."""
        return cls(**{name: getattr(note, name) for name in cls.__struct_fields__})


class CaseDetailsAnswer(msgspec.Struct, kw_only=True):
    """A case with its notes, the oldest first."""

    case: CaseAnswer
    notes: list[CaseNoteAnswer]

    @classmethod
    def of(cls, case: CaseRecord, notes: list[CaseNote]) -> "CaseDetailsAnswer":
        """As they stand."""
        return cls(case=CaseAnswer.of(case), notes=[CaseNoteAnswer.of(one) for one in notes])


class CaseAssignment(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Who looks after it: an admin's account id; null: nobody."""

    owner: Annotated[
        Annotated[str, Meta(min_length=1, max_length=60)] | None, Meta(examples=[_ADMIN])
    ]


class NewCaseNote(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What you found out."""

    text: Annotated[_Text, Meta(examples=["Stripe's support says the transfer was held."])]


class CaseResolution(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How it was resolved."""

    resolution: Annotated[_Text, Meta(examples=["The transfer was made by hand: tr_1Q8v2k."])]
