"""The audit log over HTTP, for admins."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter
from msgspec import Meta

from marketplace.api.policies import admin
from marketplace.oversight.audit import AuditFilter, AuditRecord, entries
from marketplace.paging import PageRequest

_Filter = Annotated[str | None, QueryParameter(max_length=60)]


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
    action: _Filter = None,
    subject: _Filter = None,
) -> AuditEntryList:
    """Who decided what, newest first; nothing in it can be changed or removed."""
    found = await entries(AuditFilter(actor=actor, action=action, subject=subject), page)
    return AuditEntryList(
        data=[AuditEntryAnswer.of(entry) for entry in found.data], has_more=found.has_more
    )


ROUTES: list[HTTPRouteHandler] = [list_audit_entries]
