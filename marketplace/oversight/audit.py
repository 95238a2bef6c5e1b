"""The audit log: who decided what about which object, why, and in which request. Append-only."""

import json
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any, Final

import asyncpg
import msgspec

from marketplace.oversight.errors import RangeRefused
from marketplace.oversight.request_id import API_KEY_ID, REQUEST_ID
from marketplace.paging import Page, PageRequest
from payments.database import execute, require_transaction, rows
from payments.ids import new_id

EXPIRY: Final = "expiry"
"""The actor of what nobody decided but time."""
_PIECE: Final = 1000
_FITS: Final = (
    "($1::text IS NULL OR actor = $1) "
    "AND ($2::text IS NULL OR action = $2 "
    "  OR (right($2, 1) = '*' AND starts_with(action, rtrim($2, '*')))) "
    "AND ($3::text IS NULL OR subject = $3) AND ($4::text IS NULL OR request_id = $4) "
    "AND ($5::timestamptz IS NULL OR occurred_at >= $5) "
    "AND ($6::timestamptz IS NULL OR occurred_at < $6) "
    "AND ($7::text IS NULL OR position(lower($7) IN lower(reason)) > 0) "
    "AND ($8::text IS NULL OR api_key_id = $8)"
)


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One entry. `before` and `after` are the facts that changed; a program acted with `api_key_id`."""

    id: str
    actor: str
    action: str
    subject: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    reason: str | None
    request_id: str | None
    api_key_id: str | None
    occurred_at: datetime


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries to list; None leaves a field open.

    `action` may end in `*`; `reason` is found anywhere in why it was done, in any case of letters.
    """

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    request_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    reason: str | None = None
    api_key_id: str | None = None

    def arguments(self) -> tuple[Any, ...]:
        """As `_FITS` numbers them. Raises RangeRefused."""
        if self.since is not None and self.until is not None and self.until <= self.since:
            raise RangeRefused(self.since, self.until)
        return (
            self.actor,
            self.action,
            self.subject,
            self.request_id,
            self.since,
            self.until,
            self.reason,
            self.api_key_id,
        )


async def record(
    *,
    actor: str,
    action: str,
    subject: str,
    now: datetime,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str | None = None,
) -> None:
    """Write that `actor` did `action` (`seller.approved`) to `subject` (an id).

    Inside the transaction that does it, so that neither exists without the other. Raises NoTransaction.
    """
    require_transaction()
    await execute(
        """
        INSERT INTO audit_log
            (id, actor, action, subject, before, after, reason, request_id, api_key_id, occurred_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        new_id("aud"),
        actor,
        action,
        subject,
        _written(before),
        _written(after),
        reason,
        REQUEST_ID.get(),
        API_KEY_ID.get(),
        now,
    )


async def entries(filtered: AuditFilter, page: PageRequest) -> Page[AuditRecord]:
    """The log's entries, newest first. Raises RangeRefused."""
    found = await _read(filtered, page.starting_after, page.fetched)
    return Page.cut(found, page)


async def every_entry(filtered: AuditFilter) -> AsyncIterator[AuditRecord]:
    """All of them, newest first, however many: read in pieces, each a statement of its own."""
    last: str | None = None
    while True:
        found = await _read(filtered, last, _PIECE)
        for entry in found:
            yield entry
        if len(found) < _PIECE:
            return
        last = found[-1].id


async def _read(filtered: AuditFilter, after: str | None, limit: int) -> list[AuditRecord]:
    found = await rows(
        f"SELECT {', '.join(AuditRecord.__struct_fields__)} FROM audit_log WHERE {_FITS} "
        "AND ($9::text IS NULL OR id < $9) ORDER BY id DESC LIMIT $10",
        *filtered.arguments(),
        after,
        limit,
    )
    return [_record(each) for each in found]


def _written(facts: Mapping[str, Any] | None) -> str | None:
    return None if facts is None else msgspec.json.encode(facts).decode()


def _record(found: asyncpg.Record) -> AuditRecord:
    told: dict[str, Any] = dict(found.items())
    for name in ("before", "after"):
        told[name] = None if told[name] is None else json.loads(told[name])
    return AuditRecord(**told)
