"""News are forgotten after their time: what was told, never what waits to be told, and in batches."""

from datetime import UTC, datetime, timedelta

import pytest

from marketplace.oversight.retention import Retention
from payments.database import execute, rows, value
from payments.ids import new_id
from tests.orders.shop import account, database, seller

__all__ = ["database"]

KEPT = Retention(messages_days=400, webhooks_days=90, ignored_events_days=90)


async def _message(state: str) -> str:
    message_id, now = new_id("msg"), datetime.now(UTC)
    await execute(
        "INSERT INTO messages (id, account_id, kind, subject_id, cause, facts, state, attempts, due_at, "
        "created_at, concluded_at) VALUES ($1, $2, 'order_paid', 'ord_1', $1, '{}', $3, 1, $4, $5, $6)",
        message_id,
        await account(),
        state,
        now if state == "due" else None,
        now,
        None if state == "due" else now,
    )
    return message_id


async def _delivery(endpoint_id: str, seller_id: str, state: str) -> tuple[str, str]:
    event_id, delivery_id, now = new_id("evt"), new_id("whd"), datetime.now(UTC)
    await execute(
        "INSERT INTO seller_events (id, seller_id, type, subject_id, cause, data, created_at) "
        "VALUES ($1, $2, 'order.paid', 'ord_1', $1, '{}', $3)",
        event_id,
        seller_id,
        now,
    )
    await execute(
        "INSERT INTO webhook_deliveries (id, endpoint_id, event_id, state, attempts, due_at, created_at, "
        "concluded_at) VALUES ($1, $2, $3, $4, 1, $5, $6, $7)",
        delivery_id,
        endpoint_id,
        event_id,
        state,
        now if state == "due" else None,
        now,
        None if state == "due" else now,
    )
    return event_id, delivery_id


async def test_messages_go_when_they_were_told_and_their_time_is_over(database: None) -> None:
    sent, given_up, waits = [await _message(state) for state in ("sent", "dead", "due")]
    later = datetime.now(UTC) + timedelta(days=399)
    assert await KEPT.forget_messages(later, 10) == 0
    later += timedelta(days=2)
    assert [await KEPT.forget_messages(later, 1) for _ in range(3)] == [1, 1, 0]
    left = await rows("SELECT id FROM messages WHERE id = ANY($1)", [sent, given_up, waits])
    assert [one["id"] for one in left] == [waits]


async def test_webhooks_go_with_their_events_but_not_while_one_is_due(database: None) -> None:
    seller_id, endpoint_id = await seller(await account()), new_id("whe")
    await execute(
        "INSERT INTO webhook_endpoints (id, seller_id, url, secret, types, description, created_at) "
        "VALUES ($1, $2, 'https://example.com', 'whsec_x', '{}', '', $3)",
        endpoint_id,
        seller_id,
        datetime.now(UTC),
    )
    over = await _delivery(endpoint_id, seller_id, "delivered")
    due = await _delivery(endpoint_id, seller_id, "due")
    later = datetime.now(UTC) + timedelta(days=91)
    assert await KEPT.forget_webhooks(later - timedelta(days=2), 10) == 0
    assert await KEPT.forget_webhooks(later, 10) == 2
    assert await KEPT.forget_webhooks(later, 10) == 0
    events = await rows("SELECT id FROM seller_events WHERE id = ANY($1)", [over[0], due[0]])
    assert [one["id"] for one in events] == [due[0]]
    assert await value("SELECT state FROM webhook_deliveries WHERE id = $1", due[1]) == "due"
    with pytest.raises(Exception, match="append-only"):
        await execute("UPDATE seller_events SET data = '[]' WHERE id = $1", due[0])
