"""The outbox: written with the fact, once for each person and cause, or not at all."""

import json
from datetime import UTC, datetime

import asyncpg
import pytest

from marketplace.messages import outbox
from payments.database import execute, rows, transaction, value
from payments.errors import NoTransaction
from payments.ids import new_id
from tests.orders.shop import NOON, account, seller

pytestmark = pytest.mark.usefixtures("database")


async def told(cause: str) -> list[asyncpg.Record]:
    return await rows("SELECT * FROM messages WHERE cause = $1 ORDER BY account_id", cause)


async def tell_the_seller(seller_id: str, cause: str) -> None:
    await outbox.tell_seller(
        seller_id,
        kind="payout_failed",
        subject_id="po_1",
        cause=cause,
        facts={"amount": 1_230, "currency": "eur", "arrival_at": datetime(2026, 1, 2, tzinfo=UTC)},
        now=NOON,
    )


async def publish(seller_id: str, cause: str) -> None:
    await outbox.publish(
        seller_id,
        type="payout.failed",
        subject_id="po_1",
        cause=cause,
        data={"payout_id": "po_1", "amount": 1_230, "currency": "eur"},
        now=NOON,
    )


async def endpoint(seller_id: str, *types: str, disabled: bool = False) -> str:
    endpoint_id = new_id("whe")
    await execute(
        "INSERT INTO webhook_endpoints (id, seller_id, url, secret, types, description, disabled_at, "
        "created_at) VALUES ($1, $2, 'https://shop.example/hook', 'whsec_', $3, '', $4, $5)",
        endpoint_id,
        seller_id,
        list(types),
        NOON if disabled else None,
        NOON,
    )
    return endpoint_id


async def deliveries(cause: str) -> list[str]:
    found = await rows(
        "SELECT d.endpoint_id FROM webhook_deliveries d JOIN seller_events e ON e.id = d.event_id "
        "WHERE e.cause = $1 ORDER BY d.endpoint_id",
        cause,
    )
    return [one["endpoint_id"] for one in found]


async def test_a_message_is_due_at_once_for_the_person_behind_the_shop() -> None:
    owner, cause = await account(), new_id("cause")
    seller_id = await seller(owner)
    async with transaction():
        await tell_the_seller(seller_id, cause)
    (message,) = await told(cause)
    assert message["account_id"] == owner
    assert (message["state"], message["due_at"], message["attempts"]) == ("due", NOON, 0)
    assert json.loads(message["facts"]) == {
        "seller_id": seller_id,
        "amount": 1_230,
        "currency": "eur",
        "arrival_at": "2026-01-02T00:00:00Z",
    }


async def test_a_cause_told_again_is_one_message_and_one_event() -> None:
    seller_id, cause = await seller(await account()), new_id("cause")
    await endpoint(seller_id)
    for _ in range(2):
        async with transaction():
            await tell_the_seller(seller_id, cause)
            await publish(seller_id, cause)
    assert len(await told(cause)) == 1
    assert await value("SELECT count(*) FROM seller_events WHERE cause = $1", cause) == 1
    assert len(await deliveries(cause)) == 1


async def test_every_admin_is_told_but_nobody_who_left() -> None:
    staff = [await account() for _ in range(3)]
    await execute("UPDATE accounts SET is_admin = true WHERE id = ANY($1)", staff)
    await execute("UPDATE accounts SET disabled_at = $2 WHERE id = $1", staff[2], NOON)
    cause = new_id("cause")
    async with transaction():
        await outbox.tell_admins(
            kind="fulfilment_held", subject_id="ord_1", cause=cause, facts={}, now=NOON
        )
    assert {one["account_id"] for one in await told(cause)} == set(staff[:2])


async def test_only_endpoints_that_want_the_type_get_a_delivery() -> None:
    seller_id, cause = await seller(await account()), new_id("cause")
    wanting = {await endpoint(seller_id), await endpoint(seller_id, "order.paid", "payout.failed")}
    await endpoint(seller_id, "order.paid")
    await endpoint(seller_id, disabled=True)
    await endpoint(await seller(await account()))
    async with transaction():
        await publish(seller_id, cause)
    assert set(await deliveries(cause)) == wanting


async def test_what_is_undone_is_not_told() -> None:
    seller_id, cause = await seller(await account()), new_id("cause")

    async def fail() -> None:
        async with transaction():
            await tell_the_seller(seller_id, cause)
            await publish(seller_id, cause)
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        await fail()
    assert await told(cause) == []
    assert await value("SELECT count(*) FROM seller_events WHERE cause = $1", cause) == 0


async def test_nothing_is_told_outside_a_transaction() -> None:
    seller_id = await seller(await account())
    with pytest.raises(NoTransaction):
        await tell_the_seller(seller_id, "c")
    with pytest.raises(NoTransaction):
        await publish(seller_id, "c")
    with pytest.raises(NoTransaction):
        await outbox.tell_admins(kind="disputed", subject_id="o", cause="c", facts={}, now=NOON)
