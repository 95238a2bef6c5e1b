"""The audit log: who decided what about which object, why, and in which request. Append-only."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from marketplace.oversight.request_id import REQUEST_ID
from marketplace.paging import Page, PageRequest
from payments.database import execute, require_transaction, rows
from payments.ids import new_id


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One entry. `before` and `after` are the facts that changed."""

    id: str
    actor: str
    action: str
    subject: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    reason: str | None
    request_id: str | None
    occurred_at: datetime


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries to list; None leaves a field open."""

    actor: str | None = None
    action: str | None = None
    subject: str | None = None


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
            (id, actor, action, subject, before, after, reason, request_id, occurred_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        new_id("aud"),
        actor,
        action,
        subject,
        _written(before),
        _written(after),
        reason,
        REQUEST_ID.get(),
        now,
    )


async def entries(filtered: AuditFilter, page: PageRequest) -> Page[AuditRecord]:
    """The log's entries, newest first."""
    found = await rows(
        """
        SELECT id, actor, action, subject, before, after, reason, request_id, occurred_at
        FROM audit_log
        WHERE ($1::text IS NULL OR actor = $1) AND ($2::text IS NULL OR action = $2)
          AND ($3::text IS NULL OR subject = $3) AND ($4::text IS NULL OR id < $4)
        ORDER BY id DESC LIMIT $5
        """,
        filtered.actor,
        filtered.action,
        filtered.subject,
        page.starting_after,
        page.fetched,
    )
    return Page.cut([_record(each) for each in found], page)


def _written(facts: Mapping[str, Any] | None) -> str | None:
    return None if facts is None else msgspec.json.encode(facts).decode()


def _record(found: asyncpg.Record) -> AuditRecord:
    told: dict[str, Any] = dict(found.items())
    for name in ("before", "after"):
        told[name] = None if told[name] is None else json.loads(told[name])
    return AuditRecord(**told)
