"""What admins switch off."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from marketplace.oversight.switches import NewSwitch, OperationName, Scope, Switch
from marketplace.paging import Page

_Operation = Annotated[
    OperationName, Meta(description="What is refused from now on.", examples=["checkout"])
]
_Scope = Annotated[Scope, Meta(description="For whom.", examples=["country"])]
_Target = Annotated[
    str,
    Meta(
        max_length=40,
        description="A seller's country (DE), an order's currency (eur) or a seller's id, as the scope "
        "says; left out for all.",
        examples=["DE"],
    ),
]
_Reason = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=500,
        description="People who are refused are shown it.",
        examples=["Payments from Germany are being looked into"],
    ),
]


class SwitchOff(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An operation to switch off, until a time or until it is switched on again."""

    operation: _Operation
    scope: _Scope
    target: _Target | None = None
    reason: _Reason
    expires_at: Annotated[datetime, Meta(tz=True, examples=["2026-11-22T09:00:00Z"])] | None = None

    def told(self) -> NewSwitch:
        """In the words of oversight."""
        return NewSwitch(
            operation=self.operation,
            scope=self.scope,
            target=self.target,
            reason=self.reason,
            expires_at=self.expires_at,
        )


class SwitchExpiry(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Until when a switch is to stop something: null is until it is switched on again."""

    expires_at: Annotated[datetime, Meta(tz=True, examples=["2026-11-23T09:00:00Z"])] | None
    reason: Annotated[
        str, Meta(min_length=1, max_length=500, examples=["The bank needs another day"])
    ]


class SwitchAnswer(msgspec.Struct, kw_only=True):
    """An operation that is, or was, switched off."""

    id: Annotated[str, Meta(examples=["swi_01k9zc3v5m8q2r4t6w8y0abcde"])]
    operation: _Operation
    scope: _Scope
    target: _Target | None
    reason: _Reason
    off: Annotated[bool, Meta(description="Whether it stops anything now.", examples=[True])]
    expires_at: datetime | None
    made_by: Annotated[str, Meta(examples=["acc_01k9zc3v5m8q2r4t6w8y0abcde"])]
    made_at: datetime
    ended_at: datetime | None
    ended_by: Annotated[str | None, Meta(examples=[None])]

    @classmethod
    def of(cls, switch: Switch, now: datetime) -> "SwitchAnswer":
        """As it stands at `now`."""
        expired = switch.expires_at is not None and switch.expires_at <= now
        return cls(
            off=switch.ended_at is None and not expired,
            **msgspec.structs.asdict(switch),
        )


class SwitchList(msgspec.Struct, kw_only=True):
    """Switches, the newest first."""

    data: list[SwitchAnswer]
    has_more: bool

    @classmethod
    def of(cls, page: Page[Switch], now: datetime) -> "SwitchList":
        """This page."""
        return cls(data=[SwitchAnswer.of(each, now) for each in page.data], has_more=page.has_more)
