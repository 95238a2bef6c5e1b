"""What admins see of the journal of everything asked of Stripe."""

import json
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from marketplace.oversight.operation_desk import Outcome, Resolved
from marketplace.paging import Page
from payments.operation_words import OperationRow, explained

OperationState = Literal["planned", "sending", "not_sent", "unknown", "succeeded", "rejected"]


class ResolutionReason(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Why it is to be resolved now."""

    reason: Annotated[
        str, Meta(min_length=1, max_length=500, examples=["The buyer is on the phone"])
    ]


class OperationAnswer(msgspec.Struct, kw_only=True):
    """One request to Stripe, told in words."""

    id: Annotated[str, Meta(examples=["op_01k9zc3v5m8q2r4t6w8y0abcde"])]
    kind: Annotated[str, Meta(examples=["capture_intent"])]
    subject: Annotated[str, Meta(examples=["pay_01k9zc3v5m8q2r4t6w8y0abcde"])]
    order_id: str | None
    state: Annotated[OperationState, Meta(examples=["unknown"])]
    attempts: Annotated[int, Meta(examples=[4])]
    created_at: datetime
    first_sent_at: datetime | None
    due_at: Annotated[datetime | None, Meta(description="When the worker tries again.")]
    concluded_at: datetime | None
    error_code: Annotated[str | None, Meta(examples=["timeout"])]
    request_id: Annotated[
        str | None,
        Meta(description="Stripe's, for its Dashboard.", examples=["req_9fHtq2Yk2b3c4d"]),
    ]
    result_id: Annotated[str | None, Meta(description="What it made at Stripe.", examples=[None])]
    asked_for: Annotated[
        str,
        Meta(
            description="What Stripe was asked to do.",
            examples=["take the money that the buyer's bank holds"],
        ),
    ]
    happened: Annotated[
        str, Meta(examples=["The answer got lost: Stripe may have done it or not."])
    ]
    next: Annotated[
        str,
        Meta(
            description="What happens by itself.",
            examples=["The worker sends the same request again at `due_at`, under the same key."],
        ),
    ]
    to_do: Annotated[
        str | None,
        Meta(description="What you can do.", examples=["Wait, or resolve it now."]),
    ]
    sendable: Annotated[
        bool,
        Meta(description="Whether the same request may be sent again without doing it twice."),
    ]
    sendable_until: datetime | None

    @classmethod
    def of(cls, operation: OperationRow, now: datetime) -> "OperationAnswer":
        """As it stands at `now`."""
        told = explained(operation, now)
        facts = {
            name: getattr(operation, name)
            for name in cls.__struct_fields__
            if name in OperationRow.__struct_fields__
        }
        return cls(**facts, **msgspec.structs.asdict(told))


class OperationDetailsAnswer(msgspec.Struct, kw_only=True):
    """An operation with exactly what is sent, and under which key."""

    operation: OperationAnswer
    idempotency_key: Annotated[
        str, Meta(examples=["order:ord_01k9zc3v5m8q2r4t6w8y0abcde:g1:capture:1"])
    ]
    parameters: Annotated[Any, Meta(description="Frozen.", examples=[{"amount": 6000}])]
    error_message: str | None

    @classmethod
    def of(cls, operation: OperationRow, now: datetime) -> "OperationDetailsAnswer":
        """As it stands at `now`."""
        return cls(
            operation=OperationAnswer.of(operation, now),
            idempotency_key=operation.idempotency_key,
            parameters=json.loads(operation.parameters),
            error_message=operation.error_message,
        )


class OperationList(msgspec.Struct, kw_only=True):
    """Operations, the newest first."""

    data: list[OperationAnswer]
    has_more: bool

    @classmethod
    def of(cls, page: Page[OperationRow], now: datetime) -> "OperationList":
        """This page."""
        return cls(
            data=[OperationAnswer.of(each, now) for each in page.data], has_more=page.has_more
        )


class ResolutionAnswer(msgspec.Struct, kw_only=True):
    """How it ended: done at Stripe, refused by it, proven without effect, or open as before."""

    outcome: Annotated[Outcome, Meta(examples=["succeeded"])]
    operation: OperationAnswer

    @classmethod
    def of(cls, resolved: Resolved, now: datetime) -> "ResolutionAnswer":
        """As it was resolved."""
        return cls(outcome=resolved.outcome, operation=OperationAnswer.of(resolved.operation, now))
