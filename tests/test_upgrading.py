"""What was refunded before sellers' shares were kept apart: the rows say afterwards who bore it."""

import importlib.util
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType

import asyncpg
import msgspec
import pytest_asyncio

from payments.transfer_gateway import TransferDraft
from piccolo_conf import APP_CONFIG

_REFUNDS = (
    # Ours, twice; another that the bank sent back; one asked for and not made yet; one made at Stripe.
    ("a1", "a", 1001, "succeeded", "sel_1", "re_1", "seller:sel_1"),
    ("a2", "a", 777, "succeeded", "sel_1", "re_2", "seller:sel_1"),
    ("b1", "b", 2000, "failed", "sel_1", "re_3", "seller:sel_1"),
    ("b2", "b", 1000, "planned", "sel_1", None, None),
    ("c1", "c", 1500, "succeeded", "sel_1", "re_4", "seller:sel_1"),
    ("c2", "c", 1500, "succeeded", None, "re_5", "seller:sel_1"),
    ("d1", "d", 1500, "succeeded", None, "re_6", "seller:sel_1"),
    ("d2", "d", 1500, "succeeded", None, "re_7", "platform:refunds"),
    ("d3", "d", 1500, "refused", "sel_1", None, None),
)
_FEES_RETURNED = {"a": 178, "b": 200, "c": 300, "d": 0}


def _upgrade() -> ModuleType:
    folder = Path(APP_CONFIG.resolved_migrations_folder_path)
    path = next(folder.glob("*t16_05_00_000000.py"))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest_asyncio.fixture(loop_scope="session")
async def upgraded(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """Rows as the version before left them, and what the migration makes of them; undone afterwards."""
    connection = await asyncpg.connect(database_url)
    transaction = connection.transaction()
    await transaction.start()
    # The rows of a test stand for themselves: nobody bought, nobody sold.
    await connection.execute("SET LOCAL session_replication_role = replica")
    for name, returned in _FEES_RETURNED.items():
        await connection.execute(
            "INSERT INTO payments (id, order_id, seller_id, generation, live, currency, amount, "
            "application_fee, capture_method, destination, status, charge_id, transfer_id, "
            "amount_capturable, amount_captured, fee_captured, amount_refunded, fee_refunded, "
            "transfer_reversed, transfer_restored, processing_cost, created_at, updated_at, checked_at) "
            "VALUES ('pay_' || $1, 'ord_' || $1, 'sel_1', 1, true, 'eur', 6000, 600, 'manual', 'acct_1', "
            "'succeeded', 'ch_' || $1, 'tr_' || $1, 0, 6000, 600, 0, $2, 0, 0, 0, now(), now(), now())",
            name,
            returned,
        )
    for number, payment, amount, status, requested_by, stripe_id, bearer in _REFUNDS:
        await connection.execute(
            "INSERT INTO refunds (id, payment_id, order_id, currency, amount, status, transfer_amount, "
            "fee_amount, requested_by, idempotency_key, stripe_refund_id, created_at, updated_at) "
            "VALUES ('rfd_' || $1, 'pay_' || $2, 'ord_' || $2, 'eur', $3, $4, 0, 0, $5, $1, $6, now(), "
            "now())",
            number,
            payment,
            amount,
            status,
            requested_by,
            stripe_id,
        )
        failed = [("failed", "refund_failure", "buyers", bearer)] if status == "failed" else []
        for word, kind, source, target in [("refunded", "refund", bearer, "buyers"), *failed]:
            if bearer is not None:
                await connection.execute(
                    "INSERT INTO postings VALUES ('pst_' || $1 || $3, 'rfd_' || $1 || ':' || $3, $4, $5, "
                    "$6, $7, 'eur', 'ord_' || $2, 'pay_' || $2, 'sel_1', now(), now())",
                    number,
                    payment,
                    word,
                    kind,
                    source,
                    target,
                    amount,
                )
    await connection.execute("SET LOCAL session_replication_role = origin")
    module = _upgrade()
    for statement in [*module.REFUNDS, *module.FAILED_REFUNDS]:
        await connection.execute(statement)
    yield connection
    await transaction.rollback()
    await connection.close()


async def test_refunds_of_old_know_what_they_took_and_what_fee_came_back(
    upgraded: asyncpg.Connection,
) -> None:
    """Without it refunding the rest returned none of the fee: nothing counted as refunded."""
    found = await upgraded.fetch(
        "SELECT substr(id, 5) AS id, reverse_transfer, return_fee, transfer_amount, fee_amount FROM refunds "
        "ORDER BY id"
    )
    assert [tuple(record) for record in found] == [
        ("a1", True, True, 1001, 100),
        ("a2", True, True, 777, 78),
        ("b1", True, True, 2000, 200),
        ("b2", True, True, 1000, 100),
        ("c1", True, True, 1500, 150),
        ("c2", True, True, 1500, 150),
        ("d1", True, False, 1500, 0),
        ("d2", False, False, 0, 0),
        ("d3", True, True, 0, 0),
    ]


async def test_what_a_refund_that_failed_of_old_had_cost_is_sent_to_the_seller(
    upgraded: asyncpg.Connection,
) -> None:
    held = await upgraded.fetch(
        "SELECT source, target, amount FROM postings WHERE kind = 'adjustment' AND order_id = 'ord_b'"
    )
    assert [tuple(record) for record in held] == [("seller:sel_1", "platform:recovered", 2000)]
    operation = await upgraded.fetchrow("SELECT * FROM operations WHERE order_id = 'ord_b'")
    assert operation is not None
    assert operation["idempotency_key"] == "refund:rfd_b1:transfer"
    draft = msgspec.json.decode(operation["parameters"], type=TransferDraft)
    assert (draft.operation_id, draft.movement_id) == (operation["id"], operation["subject"])
    assert (draft.amount, draft.destination, draft.charge_id) == (1800, "acct_1", "ch_b")
    movement = await upgraded.fetchrow("SELECT * FROM transfer_movements WHERE order_id = 'ord_b'")
    assert movement is not None
    assert (movement["status"], movement["amount"], movement["cause"]) == (
        "planned",
        1800,
        "refund:rfd_b1",
    )
