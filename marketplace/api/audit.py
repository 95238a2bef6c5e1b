"""The audit log over HTTP, for admins."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter
from litestar.response import Stream
from msgspec import Meta

from marketplace.api.moments import aware
from marketplace.api.policies import admin
from marketplace.oversight import audit_csv
from marketplace.oversight.audit import AuditFilter, AuditRecord, entries, every_entry
from marketplace.paging import PageRequest

_Filter = Annotated[str | None, QueryParameter(max_length=80)]
_Action = Annotated[
    str | None, QueryParameter(max_length=60, description="May end in `*`: `seller.*`.")
]
_Reason = Annotated[
    str | None, QueryParameter(min_length=2, max_length=200, description="Words of the reason.")
]
_Since = Annotated[
    datetime | None,
    QueryParameter(name="from", description="RFC 3339; UTC where it does not say."),
]
_Until = Annotated[datetime | None, QueryParameter(name="to", description="Before this moment.")]


class AuditEntryAnswer(msgspec.Struct, kw_only=True):
    """Who did what to which object, and why."""

    id: Annotated[str, Meta(examples=["aud_01k9zc3v5m8q2r4t6w8y0abcde"])]
    actor: str
    action: Annotated[str, Meta(examples=["seller.approved"])]
    subject: Annotated[str, Meta(examples=["sel_01k9zc3v5m8q2r4t6w8y0abcde"])]
    before: Annotated[dict[str, Any] | None, Meta(examples=[{"approval": "pending"}])]
    after: Annotated[dict[str, Any] | None, Meta(examples=[{"approval": "approved"}])]
    reason: Annotated[str | None, Meta(examples=["Identity and listings were checked by hand"])]
    request_id: str | None
    api_key_id: Annotated[
        str | None,
        Meta(
            description="The key of the actor's program; null for a browser or a command.",
            examples=["key_01k9zc3v5m8q2r4t6w8y0abcde"],
        ),
    ]
    occurred_at: datetime

    @classmethod
    def of(cls, entry: AuditRecord) -> "AuditEntryAnswer":
        """As `entry` was written."""
        return cls(**{name: getattr(entry, name) for name in cls.__struct_fields__})


class AuditEntryList(msgspec.Struct, kw_only=True):
    """Entries, newest first."""

    data: list[AuditEntryAnswer]
    has_more: bool


@get("/v1/admin/audit", **admin("admin:read"), summary="The audit log")
async def list_audit_entries(
    page: NamedDependency[PageRequest],
    actor: _Filter = None,
    action: _Action = None,
    subject: _Filter = None,
    request_id: _Filter = None,
    since: _Since = None,
    until: _Until = None,
    reason: _Reason = None,
    api_key_id: _Filter = None,
) -> AuditEntryList:
    """Who decided what, newest first; nothing in it can be changed or removed."""
    wanted = _wanted(actor, action, subject, request_id, since, until, reason, api_key_id)
    found = await entries(wanted, page)
    return AuditEntryList(
        data=[AuditEntryAnswer.of(entry) for entry in found.data], has_more=found.has_more
    )


@get(
    "/v1/admin/audit/csv",
    **admin("admin:read"),
    media_type="text/csv",
    summary="The audit log, as a file",
)
async def download_audit(
    actor: _Filter = None,
    action: _Action = None,
    subject: _Filter = None,
    request_id: _Filter = None,
    since: _Since = None,
    until: _Until = None,
    reason: _Reason = None,
    api_key_id: _Filter = None,
) -> Stream:
    """The same entries as a CSV file, sent while they are read."""
    wanted = _wanted(actor, action, subject, request_id, since, until, reason, api_key_id)
    wanted.arguments()  # refused before the first line is sent
    return Stream(
        audit_csv.lines(every_entry(wanted)),
        media_type="text/csv",
        headers={"Content-Disposition": 'attachment; filename="audit.csv"'},
    )


def _wanted(
    actor: str | None,
    action: str | None,
    subject: str | None,
    request_id: str | None,
    since: datetime | None,
    until: datetime | None,
    reason: str | None,
    api_key_id: str | None,
) -> AuditFilter:
    return AuditFilter(
        actor=actor,
        action=action,
        subject=subject,
        request_id=request_id,
        since=aware(since),
        until=aware(until),
        reason=reason,
        api_key_id=api_key_id,
    )


ROUTES: list[HTTPRouteHandler] = [list_audit_entries, download_audit]
