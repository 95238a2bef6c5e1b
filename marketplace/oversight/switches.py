"""Kill switches: an admin switches an operation off, for everybody or for a part, until a time or for good.

What they stop is refused to people before anything is asked of Stripe, with the reason the admin gave. What
Stripe already knows goes on: a switch stops no money that is on its way. One look at the database, by each
operation itself: before it begins, and again inside its transaction, so that a switch works for every process
from its commit on.
"""

from datetime import datetime
from typing import Literal

import msgspec

from marketplace.messages import outbox
from marketplace.messages.kinds import Kind
from marketplace.oversight import audit
from marketplace.oversight.errors import (
    SwitchedOff,
    SwitchNotFound,
    SwitchOffAlready,
    SwitchRefused,
)
from marketplace.paging import Page, PageRequest
from marketplace.sellers.countries import COUNTRIES
from marketplace.sellers.profile import checked_reason
from payments.currencies import currency
from payments.database import execute, row, rows, transaction, value
from payments.errors import CurrencyUnknown
from payments.ids import new_id

OperationName = Literal["checkout", "capture", "refund", "onboarding"]
Scope = Literal["all", "country", "currency", "seller"]


class NewSwitch(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be switched off. `target` is a country, a currency or a seller's id, as the scope says."""

    operation: OperationName
    scope: Scope
    target: str | None
    reason: str
    expires_at: datetime | None


class Switch(msgspec.Struct, frozen=True, kw_only=True):
    """An operation that is switched off. `ended_at` is when it was switched on again, or found expired."""

    id: str
    operation: OperationName
    scope: Scope
    target: str | None
    reason: str
    expires_at: datetime | None
    made_by: str
    made_at: datetime
    ended_at: datetime | None
    ended_by: str | None


_COLUMNS = ", ".join(Switch.__struct_fields__)


async def require_on(
    operation: OperationName, *, seller_id: str, now: datetime, currency: str | None = None
) -> None:
    """Raise SwitchedOff when an admin switched this off for everybody, or for the seller's part.

    `currency` is the order's; None leaves switches by currency out.
    """
    found = await row(
        "SELECT scope, reason, expires_at FROM switches WHERE operation = $1 "
        "AND ended_at IS NULL AND (expires_at IS NULL OR expires_at > $2) "
        "AND (scope = 'all' OR (scope = 'seller' AND target = $3) "
        "  OR (scope = 'currency' AND target = $4) "
        "  OR (scope = 'country' AND target = (SELECT country FROM sellers WHERE id = $3))) "
        "ORDER BY expires_at DESC NULLS FIRST LIMIT 1",
        operation,
        now,
        seller_id,
        currency,
    )
    if found is not None:
        raise SwitchedOff(
            operation,
            scope=found["scope"],
            reason=found["reason"],
            until=found["expires_at"],
            now=now,
        )


async def switch_off(wanted: NewSwitch, *, actor: str, now: datetime) -> Switch:
    """Stop it from this moment on. Raises SwitchRefused, SwitchOffAlready, ReasonRequired."""
    why = checked_reason(wanted.reason)
    await _require_target(wanted)
    _require_ahead(wanted.expires_at, now)
    async with transaction():
        await _end_expired(now)
        made = await row(
            "INSERT INTO switches (id, operation, scope, target, reason, expires_at, made_by, made_at) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) "
            "ON CONFLICT (operation, scope, coalesce(target, '')) WHERE ended_at IS NULL "
            f"DO NOTHING RETURNING {_COLUMNS}",
            new_id("swi"),
            wanted.operation,
            wanted.scope,
            wanted.target,
            why,
            wanted.expires_at,
            actor,
            now,
        )
        if made is None:
            raise SwitchOffAlready(await _same(wanted))
        switch = Switch(**made)
        await _on_record("switch.off", switch, actor, why, now)
        await _tell_others("operation_switched_off", switch, actor, why, now)
    return switch


async def change_expiry(
    switch_id: str, expires_at: datetime | None, *, actor: str, reason: str, now: datetime
) -> Switch:
    """Let it stop until another time, or (None) until it is switched on, without a moment in between.

    Raises SwitchNotFound, for one that has ended too, SwitchRefused and ReasonRequired.
    """
    why = checked_reason(reason)
    _require_ahead(expires_at, now)
    async with transaction():
        before = await row(
            f"SELECT {_COLUMNS} FROM switches WHERE id = $1 AND ended_at IS NULL "
            "AND (expires_at IS NULL OR expires_at > $2) FOR UPDATE",
            switch_id,
            now,
        )
        if before is None:
            raise SwitchNotFound(switch_id)
        await execute("UPDATE switches SET expires_at = $2 WHERE id = $1", switch_id, expires_at)
        switch = msgspec.structs.replace(Switch(**before), expires_at=expires_at)
        await audit.record(
            actor=actor,
            action="switch.changed",
            subject=switch_id,
            before={"expires_at": before["expires_at"]},
            after={"expires_at": expires_at},
            reason=why,
            now=now,
        )
    return switch


async def switch_on(switch_id: str, *, actor: str, reason: str, now: datetime) -> Switch:
    """Let it work again. Raises SwitchNotFound, for one that has ended too, and ReasonRequired."""
    why = checked_reason(reason)
    async with transaction():
        ended = await row(
            "UPDATE switches SET ended_at = $2, ended_by = $3 WHERE id = $1 AND ended_at IS NULL "
            f"AND (expires_at IS NULL OR expires_at > $2) RETURNING {_COLUMNS}",
            switch_id,
            now,
            actor,
        )
        if ended is None:
            raise SwitchNotFound(switch_id)
        switch = Switch(**ended)
        await _on_record("switch.on", switch, actor, why, now)
        await _tell_others("operation_switched_on", switch, actor, why, now)
    return switch


async def switches(page: PageRequest, now: datetime, *, off: bool | None = None) -> Page[Switch]:
    """Every switch, the newest first; `off` are those that stop something now."""
    found = await rows(
        f"SELECT {_COLUMNS} FROM switches WHERE ($1::text IS NULL OR id < $1) "
        "AND ($2::boolean IS NULL OR "
        "  (ended_at IS NULL AND (expires_at IS NULL OR expires_at > $3)) = $2) "
        "ORDER BY id DESC LIMIT $4",
        page.starting_after,
        off,
        now,
        page.fetched,
    )
    return Page.cut([Switch(**each) for each in found], page)


async def end_expired(now: datetime, limit: int) -> int:
    """The sweep: end switches whose time is over, on record. They stop nothing since their time."""
    async with transaction():
        return await _end_expired(now)


async def _end_expired(now: datetime) -> int:
    ended = await rows(
        "UPDATE switches SET ended_at = expires_at, ended_by = $2 "
        f"WHERE ended_at IS NULL AND expires_at <= $1 RETURNING {_COLUMNS}",
        now,
        audit.EXPIRY,
    )
    for each in ended:
        await _on_record("switch.on", Switch(**each), audit.EXPIRY, None, now)
    return len(ended)


def _require_ahead(expires_at: datetime | None, now: datetime) -> None:
    if expires_at is not None and expires_at <= now:
        raise SwitchRefused("expires_at", "past")


async def _require_target(wanted: NewSwitch) -> None:
    target = wanted.target
    if wanted.scope == "all":
        if target is not None:
            raise SwitchRefused("target", "unneeded")
        return
    if target is None:
        raise SwitchRefused("target", "missing")
    if not await _exists(wanted.scope, target):
        raise SwitchRefused("target", "unknown")


async def _exists(scope: Scope, target: str) -> bool:
    if scope == "country":
        return target in COUNTRIES
    if scope == "currency":
        try:
            return currency(target).code == target
        except CurrencyUnknown:
            return False
    return bool(await value("SELECT EXISTS (SELECT FROM sellers WHERE id = $1)", target))


async def _same(wanted: NewSwitch) -> str:
    found: str = await value(
        "SELECT id FROM switches WHERE operation = $1 AND scope = $2 "
        "AND target IS NOT DISTINCT FROM $3 AND ended_at IS NULL",
        wanted.operation,
        wanted.scope,
        wanted.target,
    )
    return found


async def _tell_others(kind: Kind, switch: Switch, actor: str, reason: str, now: datetime) -> None:
    """Nobody wonders in the morning why nothing is sold: the other admins are written."""
    await outbox.tell_admins(
        kind=kind,
        subject_id=switch.id,
        cause=f"{switch.id}:{kind}",
        facts={
            "operation": switch.operation,
            "whom": "everybody" if switch.target is None else f"{switch.scope} {switch.target}",
            "expires_at": switch.expires_at,
            "reason": reason,
        },
        now=now,
        but=actor,
    )


async def _on_record(
    action: str, switch: Switch, actor: str, reason: str | None, now: datetime
) -> None:
    """What is off is before an end, and after a beginning."""
    off = {
        "operation": switch.operation,
        "scope": switch.scope,
        "target": switch.target,
        "expires_at": switch.expires_at,
    }
    await audit.record(
        actor=actor,
        action=action,
        subject=switch.id,
        before=off if switch.ended_at is not None else None,
        after={"ended_at": switch.ended_at} if switch.ended_at is not None else off,
        reason=reason,
        now=now,
    )
