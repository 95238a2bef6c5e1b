"""Sellers' webhook endpoints: made, changed, tried out and removed by the sellers themselves."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg
import msgspec

from marketplace.messages.addresses import checked_url
from marketplace.messages.errors import (
    TooManyWebhookEndpoints,
    WebhookEndpointDisabled,
    WebhookEndpointExists,
    WebhookEndpointNotFound,
    WebhookTypesRefused,
)
from marketplace.messages.kinds import EVENT_TYPES, PING
from marketplace.messages.outbox import ENDPOINTS_OF_A_SELLER
from marketplace.messages.signing import new_secret
from marketplace.oversight import audit
from payments.database import execute, row, rows, transaction, value
from payments.ids import new_id

OVERLAP: Final = timedelta(hours=24)
"""How long the secret before signs too after it was rolled."""
SUBSCRIBABLE: Final = tuple(type for type in EVENT_TYPES if type != PING)
BY_SELLER: Final = "disabled by the seller"

_CHANGING: Final = "FOR NO KEY UPDATE"
_COLUMNS = (
    "id, seller_id, url, types, description, disabled_at, disabled_reason, "
    "secret_before_until, created_at"
)


class EndpointRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint without its secret. No `types` means all."""

    id: str
    seller_id: str
    url: str
    types: tuple[str, ...]
    description: str
    disabled_at: datetime | None
    disabled_reason: str | None
    secret_before_until: datetime | None
    created_at: datetime


class IssuedSecret(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint with a new secret: shown now and never again."""

    endpoint: EndpointRecord
    secret: str

    def __repr__(self) -> str:
        return f"IssuedSecret({self.endpoint.id})"


class EndpointChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What is to change; None leaves as it is."""

    url: str | None = None
    types: tuple[str, ...] | None = None
    description: str | None = None
    enabled: bool | None = None


class WebhookEndpoints:
    """The use cases. `seller_id` is the caller's own shop: another's endpoints do not exist."""

    def __init__(self, *, loopback_allowed: bool) -> None:
        self._loopback_allowed = loopback_allowed

    async def create(
        self,
        seller_id: str,
        *,
        url: str,
        types: Sequence[str],
        description: str,
        actor: str,
        now: datetime,
    ) -> IssuedSecret:
        """A new endpoint.

        Raises WebhookUrlRefused, WebhookTypesRefused, TooManyWebhookEndpoints, WebhookEndpointExists.
        """
        checked_url(url, loopback_allowed=self._loopback_allowed)
        wanted, secret = _known(types), new_secret()
        async with transaction():
            await _one_at_a_time(seller_id)
            count = await value(
                "SELECT count(*) FROM webhook_endpoints WHERE seller_id = $1", seller_id
            )
            if count >= ENDPOINTS_OF_A_SELLER:
                raise TooManyWebhookEndpoints(ENDPOINTS_OF_A_SELLER)
            await _require_only_one(seller_id, url)
            made = await row(
                "INSERT INTO webhook_endpoints (id, seller_id, url, secret, types, description, "
                f"created_at) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING {_COLUMNS}",
                new_id("whe"),
                seller_id,
                url,
                secret,
                list(wanted),
                description,
                now,
            )
            endpoint = _endpoint(made, "")
            await _record(endpoint, "created", actor, now, {"url": url, "types": wanted})
        return IssuedSecret(endpoint=endpoint, secret=secret)

    async def list(self, seller_id: str) -> "list[EndpointRecord]":
        """A seller's endpoints, the newest first; there are few."""
        found = await rows(
            f"SELECT {_COLUMNS} FROM webhook_endpoints WHERE seller_id = $1 ORDER BY id DESC",
            seller_id,
        )
        return [_endpoint(one, "") for one in found]

    async def require(self, seller_id: str, endpoint_id: str) -> EndpointRecord:
        """One endpoint. Raises WebhookEndpointNotFound."""
        return await _require(seller_id, endpoint_id)

    async def change(
        self,
        seller_id: str,
        endpoint_id: str,
        changes: EndpointChanges,
        *,
        actor: str,
        now: datetime,
    ) -> EndpointRecord:
        """Change or switch it. What it missed while it was disabled is not sent by itself.

        Raises WebhookEndpointNotFound, WebhookUrlRefused, WebhookTypesRefused, WebhookEndpointExists.
        """
        if changes.url is not None:
            checked_url(changes.url, loopback_allowed=self._loopback_allowed)
        async with transaction():
            if changes.url is not None:
                await _one_at_a_time(seller_id)
                await _require_only_one(seller_id, changes.url, but=endpoint_id)
            before = await _require(seller_id, endpoint_id, hold=_CHANGING)
            after = _changed(before, changes, now)
            await execute(
                "UPDATE webhook_endpoints SET url = $2, types = $3, description = $4, "
                "disabled_at = $5, disabled_reason = $6 WHERE id = $1",
                after.id,
                after.url,
                list(after.types),
                after.description,
                after.disabled_at,
                after.disabled_reason,
            )
            if before.disabled_at is None and after.disabled_at is not None:
                await give_up_due(after.id, BY_SELLER, now)
            if after != before:
                await _record(after, "changed", actor, now, _differences(before, after))
        return after

    async def remove(self, seller_id: str, endpoint_id: str, *, actor: str, now: datetime) -> None:
        """Forget it and its deliveries. Raises WebhookEndpointNotFound."""
        async with transaction():
            # For itself alone: nobody makes it another delivery meanwhile.
            endpoint = await _require(seller_id, endpoint_id, hold="FOR UPDATE")
            await execute("DELETE FROM webhook_deliveries WHERE endpoint_id = $1", endpoint_id)
            await execute("DELETE FROM webhook_endpoints WHERE id = $1", endpoint_id)
            await _record(endpoint, "removed", actor, now, {"url": endpoint.url})

    async def roll_secret(
        self, seller_id: str, endpoint_id: str, *, actor: str, now: datetime
    ) -> IssuedSecret:
        """A new secret; both sign for a day. Raises WebhookEndpointNotFound."""
        secret = new_secret()
        async with transaction():
            await _require(seller_id, endpoint_id, hold=_CHANGING)
            rolled = await row(
                "UPDATE webhook_endpoints SET secret_before = secret, secret_before_until = $2, "
                f"secret = $3 WHERE id = $1 RETURNING {_COLUMNS}",
                endpoint_id,
                now + OVERLAP,
                secret,
            )
            endpoint = _endpoint(rolled, endpoint_id)
            await _record(endpoint, "secret_rolled", actor, now, {})
        return IssuedSecret(endpoint=endpoint, secret=secret)

    async def ping(self, seller_id: str, endpoint_id: str, now: datetime) -> str:
        """Send it a test event, whatever types it wants; answers the delivery's id.

        Raises WebhookEndpointNotFound, WebhookEndpointDisabled.
        """
        event_id, delivery_id = new_id("evt"), new_id("whd")
        data = msgspec.json.encode({"endpoint_id": endpoint_id}).decode()
        async with transaction():
            await require_enabled(seller_id, endpoint_id)
            await execute(
                "INSERT INTO seller_events (id, seller_id, type, subject_id, cause, data, created_at) "
                "VALUES ($1, $2, $3, $4, $5, $6, $7)",
                event_id,
                seller_id,
                PING,
                endpoint_id,
                f"ping:{event_id}",
                data,
                now,
            )
            await execute(
                "INSERT INTO webhook_deliveries (id, endpoint_id, event_id, state, attempts, due_at, "
                "created_at) VALUES ($1, $2, $3, 'due', 0, $4, $4)",
                delivery_id,
                endpoint_id,
                event_id,
                now,
            )
        return delivery_id


async def require_enabled(seller_id: str, endpoint_id: str) -> EndpointRecord:
    """The endpoint, held until the open transaction ends.

    Raises WebhookEndpointNotFound, WebhookEndpointDisabled.
    """
    endpoint = await _require(seller_id, endpoint_id, hold=_CHANGING)
    if endpoint.disabled_at is not None:
        raise WebhookEndpointDisabled(endpoint_id)
    return endpoint


async def give_up_due(endpoint_id: str, why: str, now: datetime) -> None:
    """Conclude what is still due to an endpoint that nothing is sent to any more."""
    await execute(
        "UPDATE webhook_deliveries SET state = 'dead', due_at = NULL, concluded_at = $2, note = $3 "
        "WHERE endpoint_id = $1 AND state = 'due'",
        endpoint_id,
        now,
        why,
    )


async def _one_at_a_time(seller_id: str) -> None:
    """So that nobody slips past what a seller may have."""
    await execute("SELECT 1 FROM sellers WHERE id = $1 FOR NO KEY UPDATE", seller_id)


async def _require_only_one(seller_id: str, url: str, *, but: str = "") -> None:
    other = await value(
        "SELECT id FROM webhook_endpoints WHERE seller_id = $1 AND url = $2 AND id <> $3 LIMIT 1",
        seller_id,
        url,
        but,
    )
    if other is not None:
        raise WebhookEndpointExists(other)


async def _require(seller_id: str, endpoint_id: str, *, hold: str = "") -> EndpointRecord:
    found = await row(
        f"SELECT {_COLUMNS} FROM webhook_endpoints WHERE id = $1 AND seller_id = $2 {hold}",
        endpoint_id,
        seller_id,
    )
    return _endpoint(found, endpoint_id)


def _endpoint(found: asyncpg.Record | None, reference: str) -> EndpointRecord:
    if found is None:
        raise WebhookEndpointNotFound(reference)
    facts = dict(found)
    return EndpointRecord(**{**facts, "types": tuple(facts["types"])})


def _known(types: Sequence[str]) -> tuple[str, ...]:
    unknown = [one for one in types if one not in SUBSCRIBABLE]
    if unknown:
        raise WebhookTypesRefused(unknown, SUBSCRIBABLE)
    return tuple(dict.fromkeys(types))


def _changed(before: EndpointRecord, changes: EndpointChanges, now: datetime) -> EndpointRecord:
    after = msgspec.structs.replace(
        before,
        url=before.url if changes.url is None else changes.url,
        types=before.types if changes.types is None else _known(changes.types),
        description=before.description if changes.description is None else changes.description,
    )
    if changes.enabled is True:
        return msgspec.structs.replace(after, disabled_at=None, disabled_reason=None)
    if changes.enabled is False and before.disabled_at is None:
        return msgspec.structs.replace(after, disabled_at=now, disabled_reason=BY_SELLER)
    return after


def _differences(before: EndpointRecord, after: EndpointRecord) -> dict[str, Any]:
    old, new = msgspec.structs.asdict(before), msgspec.structs.asdict(after)
    return {name: new[name] for name in new if new[name] != old[name]}


async def _record(
    endpoint: EndpointRecord, what: str, actor: str, now: datetime, after: dict[str, Any]
) -> None:
    await audit.record(
        actor=actor,
        action=f"webhook_endpoint.{what}",
        subject=endpoint.id,
        after={"seller_id": endpoint.seller_id} | after,
        now=now,
    )
