"""What was and will be delivered to a seller's programs: events, deliveries, and sending one again."""

from datetime import datetime

import asyncpg
import msgspec

from marketplace.messages import endpoints
from marketplace.messages.errors import WebhookDeliveryNotFound
from marketplace.messages.tries import Try
from marketplace.paging import Page, PageRequest
from payments.database import row, rows, transaction

_COLUMNS = (
    "d.id, d.endpoint_id, d.event_id, e.type, d.state, d.attempts, d.due_at, d.last_status, d.note, "
    "d.created_at, d.concluded_at, d.tries"
)
_AGAIN = """
UPDATE webhook_deliveries SET state = 'due', due_at = $3, concluded_at = NULL, attempts = 0
WHERE id = $1 AND endpoint_id = $2
"""


class DeliveryRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One event for one endpoint: `due` until it was `delivered`, or `dead` after the last try."""

    id: str
    endpoint_id: str
    event_id: str
    type: str
    state: str
    attempts: int
    due_at: datetime | None
    last_status: int | None
    note: str | None
    created_at: datetime
    concluded_at: datetime | None
    tries: tuple[Try, ...]
    """The latest fifty, the first one first; also those before it was sent again."""


class EventRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A fact told to a seller's programs, as it is delivered."""

    id: str
    type: str
    timestamp: datetime
    data: msgspec.Raw


async def events(seller_id: str, page: PageRequest) -> Page[EventRecord]:
    """Everything that was published for a seller, the newest first: also what no endpoint wanted."""
    found = await rows(
        "SELECT id, type, data, created_at FROM seller_events WHERE seller_id = $1 "
        "AND ($2::text IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
        seller_id,
        page.starting_after,
        page.fetched,
    )
    return Page.cut([_event(one) for one in found], page)


async def deliveries(seller_id: str, endpoint_id: str, page: PageRequest) -> Page[DeliveryRecord]:
    """An endpoint's deliveries, the newest first."""
    found = await rows(
        f"SELECT {_COLUMNS} FROM webhook_deliveries d JOIN seller_events e ON e.id = d.event_id "
        "WHERE d.endpoint_id = $1 AND e.seller_id = $2 AND ($3::text IS NULL OR d.id < $3) "
        "ORDER BY d.id DESC LIMIT $4",
        endpoint_id,
        seller_id,
        page.starting_after,
        page.fetched,
    )
    return Page.cut([_delivery(one) for one in found], page)


async def require(seller_id: str, endpoint_id: str, delivery_id: str) -> DeliveryRecord:
    """One delivery. Raises WebhookDeliveryNotFound."""
    found = await row(
        f"SELECT {_COLUMNS} FROM webhook_deliveries d JOIN seller_events e ON e.id = d.event_id "
        "WHERE d.id = $1 AND d.endpoint_id = $2 AND e.seller_id = $3",
        delivery_id,
        endpoint_id,
        seller_id,
    )
    if found is None:
        raise WebhookDeliveryNotFound(delivery_id)
    return _delivery(found)


async def redeliver(
    seller_id: str, endpoint_id: str, delivery_id: str, now: datetime
) -> DeliveryRecord:
    """Make it due again, whatever became of it; the same event with the same `webhook-id`.

    Raises WebhookEndpointNotFound, WebhookEndpointDisabled, WebhookDeliveryNotFound.
    """
    async with transaction():
        await endpoints.require_enabled(seller_id, endpoint_id)
        again = await row(f"{_AGAIN} RETURNING id", delivery_id, endpoint_id, now)
        if again is None:
            raise WebhookDeliveryNotFound(delivery_id)
        return await require(seller_id, endpoint_id, delivery_id)


def _delivery(found: asyncpg.Record) -> DeliveryRecord:
    tries = tuple(msgspec.json.decode(one, type=Try) for one in found["tries"])
    return DeliveryRecord(**{**found, "tries": tries})


def _event(found: asyncpg.Record) -> EventRecord:
    return EventRecord(
        id=found["id"],
        type=found["type"],
        timestamp=found["created_at"],
        data=msgspec.Raw(found["data"].encode()),
    )
