"""What admins see of Stripe's events, and what they have worked on again."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from marketplace.oversight.inbox_review import (
    EventDetails,
    EventFilter,
    EventState,
    ListedEvent,
    MissedEvent,
    Replayed,
    Unfinished,
)
from marketplace.paging import Page
from payments.event_feeds import Compared

_EventId = Annotated[str, Meta(examples=["evt_1SVzQ2Ei23PmCgcS0vYtRX3M"])]
_Type = Annotated[str, Meta(examples=["charge.refunded"])]
_Object = Annotated[str | None, Meta(examples=["ch_3SVzQ2Ei23PmCgcS0cXd5fQk"])]
_Account = Annotated[
    str | None,
    Meta(description="The connected account it is about; null for the platform.", examples=[None]),
]
_Door = Annotated[
    str, Meta(description="platform, accounts or connect: where it came in.", examples=["platform"])
]
_Moment = Annotated[datetime, Meta(tz=True, examples=["2026-11-21T09:00:00Z"])]


class EventAnswer(msgspec.Struct, kw_only=True):
    """An event of Stripe's and what became of it."""

    id: _EventId
    type: _Type
    object_id: _Object
    account: _Account
    door: _Door
    livemode: bool
    state: Annotated[
        EventState,
        Meta(
            description="due: worked on soon; waiting: about something we do not know yet; done; "
            "ignored: nobody here has use for it; dead: given up after three days.",
            examples=["dead"],
        ),
    ]
    attempts: Annotated[int, Meta(examples=[14])]
    note: Annotated[
        str | None,
        Meta(description="What went wrong the last time.", examples=["no such payment yet"]),
    ]
    received_at: datetime
    due_at: Annotated[datetime | None, Meta(description="When it is worked on next.")]
    concluded_at: datetime | None
    replayed_at: datetime | None

    @classmethod
    def of(cls, event: ListedEvent) -> "EventAnswer":
        """As `event` is listed."""
        return cls(**{name: getattr(event, name) for name in cls.__struct_fields__})


class EventDetailsAnswer(msgspec.Struct, kw_only=True):
    """An event with what Stripe sent; client secrets were cut out before it was stored."""

    event: EventAnswer
    missed: Annotated[
        bool, Meta(description="It was never delivered, and found in Stripe's list of events.")
    ]
    payload: Annotated[Any, Meta(examples=[{"id": "evt_1", "type": "charge.refunded"}])]

    @classmethod
    def of(cls, details: EventDetails) -> "EventDetailsAnswer":
        """As `details` was found."""
        return cls(
            event=EventAnswer.of(details.event),
            missed=details.missed,
            payload=json.loads(details.payload),
        )


class EventAnswerList(msgspec.Struct, kw_only=True):
    """Events, the last received first."""

    data: list[EventAnswer]
    has_more: bool

    @classmethod
    def of(cls, page: Page[ListedEvent]) -> "EventAnswerList":
        """This page."""
        return cls(data=[EventAnswer.of(each) for each in page.data], has_more=page.has_more)


class EventReplay(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Which events are to be worked on again: at least one filter. `type` may end in `*`."""

    state: Annotated[EventState, Meta(examples=["dead"])] | None = None
    type: Annotated[str, Meta(max_length=120, examples=["charge.*"])] | None = None
    object_id: Annotated[str, Meta(max_length=80)] | None = None
    account: Annotated[str, Meta(max_length=64)] | None = None
    received_from: _Moment | None = None
    received_to: _Moment | None = None
    reason: Annotated[str, Meta(max_length=500, examples=["The database was full"])] | None = None
    starting_after: (
        Annotated[str, Meta(max_length=80, description="`last_id` of the answer before.")] | None
    ) = None

    def told(self) -> EventFilter:
        """In the words of oversight."""
        return EventFilter(**{name: getattr(self, name) for name in EventFilter.__struct_fields__})


class ReplayAnswer(msgspec.Struct, kw_only=True):
    """How many are due again; with `more`, ask for the rest `starting_after` the last of them."""

    count: Annotated[int, Meta(examples=[3])]
    more: Annotated[bool, Meta(examples=[False])]
    last_id: Annotated[str | None, Meta(examples=["evt_1SVzQ2Ei23PmCgcS0vYtRX3M"])]

    @classmethod
    def of(cls, replayed: Replayed) -> "ReplayAnswer":
        """As it was done."""
        return cls(count=replayed.count, more=replayed.more, last_id=replayed.last_id)


class UnfinishedAnswer(msgspec.Struct, kw_only=True):
    """Events of one type in one state that are not done."""

    state: Annotated[EventState, Meta(examples=["dead"])]
    type: _Type
    count: Annotated[int, Meta(examples=[12])]
    replayed: Annotated[int, Meta(description="Made due again by a person.", examples=[0])]
    attempts: Annotated[int, Meta(description="Of the one tried most often.", examples=[14])]
    oldest_received_at: datetime
    note: Annotated[
        str | None,
        Meta(
            description="What went wrong with the last received.", examples=["no such payment yet"]
        ),
    ]


class UnfinishedReport(msgspec.Struct, kw_only=True):
    """What of the inbox is not done, the most first."""

    data: list[UnfinishedAnswer]

    @classmethod
    def of(cls, found: Sequence[Unfinished]) -> "UnfinishedReport":
        """As it was counted."""
        return cls(data=[UnfinishedAnswer(**msgspec.structs.asdict(each)) for each in found])


class MissedEventAnswer(msgspec.Struct, kw_only=True):
    """An event that Stripe had and never delivered; it is in the inbox since `found_at`."""

    id: _EventId
    type: _Type
    object_id: _Object
    account: _Account
    door: _Door
    happened_at: datetime
    found_at: datetime

    @classmethod
    def of(cls, missed: MissedEvent) -> "MissedEventAnswer":
        """As `missed` was noted."""
        return cls(**{name: getattr(missed, name) for name in cls.__struct_fields__})


class ComparedAnswer(msgspec.Struct, kw_only=True):
    """One of Stripe's lists: everything that happened before `until` is known to be in the inbox."""

    feed: Annotated[
        str,
        Meta(
            description="platform, undelivered (what Stripe says did not arrive), accounts (v2), or "
            "connect: the connected account that is behind most.",
            examples=["platform"],
        ),
    ]
    until: datetime
    read_at: datetime | None


class GapReport(msgspec.Struct, kw_only=True):
    """What was never delivered, the last found first, and how far the comparison is."""

    data: list[MissedEventAnswer]
    has_more: bool
    compared: list[ComparedAnswer]

    @classmethod
    def of(cls, page: Page[MissedEvent], compared: Sequence[Compared]) -> "GapReport":
        """This page of the report."""
        return cls(
            data=[MissedEventAnswer.of(each) for each in page.data],
            has_more=page.has_more,
            compared=[
                ComparedAnswer(feed=each.feed, until=each.until, read_at=each.read_at)
                for each in compared
            ],
        )
