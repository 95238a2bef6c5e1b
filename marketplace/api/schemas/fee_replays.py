"""Replays of fee rules on past orders. Amounts are minor units."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from marketplace.fees.replay_sums import Figure
from marketplace.fees.replays import ReplayRecord, ReplayWanted, State
from marketplace.fees.schedule import Moment
from marketplace.paging import Page

_REPLAY_ID = "frp_01k9zc3v5m8q2r4t6w8y0abcde"
_DRAFT_ID = "fsd_01k9zc3v5m8q2r4t6w8y0abcde"
_SINCE, _UNTIL = "2026-01-01T00:00:00Z", "2026-07-01T00:00:00Z"

_OnlyOne = "Name a draft or a version."
_Id = Annotated[str, Meta(max_length=40)]


class NewFeeReplay(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Which rules to try on which orders: those that were placed from `since` and before `until`."""

    draft_id: Annotated[_Id | None, Meta(description=_OnlyOne, examples=[_DRAFT_ID])] = None
    schedule_id: Annotated[_Id | None, Meta(description=_OnlyOne, examples=[None])] = None
    since: Annotated[Moment | None, Meta(examples=[_SINCE])] = None
    until: Annotated[Moment | None, Meta(examples=[_UNTIL])] = None
    priced_at: Annotated[
        Moment | None,
        Meta(
            description="As if every order had been placed then, for rules with dates to come.",
            examples=[None],
        ),
    ] = None

    def told(self) -> ReplayWanted:
        """In the words of fees."""
        return ReplayWanted(**{name: getattr(self, name) for name in self.__struct_fields__})


class FeeReplayAnswer(msgspec.Struct, kw_only=True):
    """A replay. The worker goes on with it until `orders_done` is `orders_total` and it is `done`."""

    id: Annotated[str, Meta(examples=[_REPLAY_ID])]
    draft_id: Annotated[str | None, Meta(examples=[_DRAFT_ID])]
    schedule_id: Annotated[str | None, Meta(examples=[None])]
    since: Annotated[datetime | None, Meta(examples=[_SINCE])]
    until: Annotated[datetime | None, Meta(examples=[_UNTIL])]
    priced_at: Annotated[datetime | None, Meta(examples=[None])]
    state: Annotated[State, Meta(examples=["running"])]
    orders_total: Annotated[
        int | None, Meta(description="Null until counted.", examples=[1_000_000])
    ]
    orders_done: Annotated[int, Meta(examples=[340_000])]
    asked_by: Annotated[str, Meta(examples=["acc_01k9zc3v5m8q2r4t6w8y0abcde"])]
    asked_at: datetime
    started_at: datetime | None
    concluded_at: Annotated[datetime | None, Meta(examples=[None])]
    failure: Annotated[str | None, Meta(examples=[None])]

    @classmethod
    def of(cls, replay: ReplayRecord) -> "FeeReplayAnswer":
        """As it stands."""
        return cls(**{name: getattr(replay, name) for name in cls.__struct_fields__})


class FeeReplayList(msgspec.Struct, kw_only=True):
    """Replays, the newest first."""

    data: list[FeeReplayAnswer]
    has_more: bool


class FeeReplayFigure(msgspec.Struct, kw_only=True):
    """What was charged, and what would have been, for one seller, category, month, rule or all."""

    id: Annotated[str, Meta(description="The cursor.", examples=[f"{_REPLAY_ID}:1:00000000"])]
    key: Annotated[str, Meta(examples=["sel_01k9zc3v5m8q2r4t6w8y0abcde"])]
    currency: Annotated[str, Meta(examples=["eur"])]
    orders: Annotated[int, Meta(examples=[17])]
    amount: Annotated[int, Meta(description="What the lines came to.", examples=[102_000])]
    fee_before: Annotated[int, Meta(examples=[15_300])]
    fee_after: Annotated[int, Meta(examples=[12_240])]
    difference: Annotated[int, Meta(description="After less before.", examples=[-3_060])]


class FeeReplayFigures(msgspec.Struct, kw_only=True):
    """The largest differences first; empty until the replay is done."""

    data: list[FeeReplayFigure]
    has_more: bool

    @classmethod
    def of(cls, page: Page[tuple[str, Figure]]) -> "FeeReplayFigures":
        """As they were found."""
        names = ("key", "currency", "orders", "amount", "fee_before", "fee_after", "difference")
        return cls(
            data=[
                FeeReplayFigure(id=cursor, **{name: getattr(figure, name) for name in names})
                for cursor, figure in page.data
            ],
            has_more=page.has_more,
        )
