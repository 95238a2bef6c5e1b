"""Each invariant is broken on purpose and found: a check that cannot fail checks nothing.

What is planted is what the database would never let in, so its guards are taken away first; all of it happens
in a transaction that is undone.
"""

import contextlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from payments.database import engine, execute, transaction
from tests.faults.conftest import at_rest
from tests.faults.invariants import RULES, broken, differences, disagreements, twice_at_stripe
from tests.stories.town import Person, Town

UNGUARDED = (
    # Triggers and references sleep; checks and unique indexes have to go.
    "SET LOCAL session_replication_role = replica",
    "ALTER TABLE payments DROP CONSTRAINT payments_fee_within_amount",
    "DROP INDEX payments_one_live_per_order",
    "DROP INDEX operations_one_capture",
)
_ANOTHER_PAYMENT = (
    "INSERT INTO payments SELECT (jsonb_populate_record(p, jsonb_build_object('id', 'pay_x', "
    "'generation', 99, 'live', {live}, 'intent_id', null, 'charge_id', null))).* "
    "FROM payments p WHERE amount_captured > 0 LIMIT 1"
)
PLANTED = {
    "the fee lies between nothing and the amount": "UPDATE payments SET application_fee = amount + 1",
    "refunds, planned ones too, never exceed what was captured": (
        "UPDATE refunds SET amount = 1000000000"
    ),
    "the total is the sum of the lines": (
        "UPDATE order_lines SET unit_amount = unit_amount + 1, amount = (unit_amount + 1) * quantity"
    ),
    "order, payment, refund and posting share one currency": "UPDATE refunds SET currency = 'usd'",
    "a payment asks for what the order costs": "UPDATE orders SET total = total + 1",
    "one live payment per order": _ANOTHER_PAYMENT.format(live="true"),
    "money is taken once per order, over all generations": _ANOTHER_PAYMENT.format(live="false"),
    "one capture per payment": (
        "INSERT INTO operations SELECT (jsonb_populate_record(o, "
        '\'{"id": "op_x", "idempotency_key": "x"}\')).* '
        "FROM operations o WHERE kind = 'capture_intent'"
    ),
    "one successful attempt behind every payment that holds or took money": "DELETE FROM attempts",
    "a paid order's money was taken": "UPDATE orders SET status = 'paid'",
    "an authorized order's money is held": "UPDATE orders SET status = 'authorized'",
    "an order in checkout has neither": "UPDATE orders SET status = 'checkout'",
    "an order that ended has no payment that may still take money": (
        "UPDATE orders SET status = 'expired'"
    ),
    "the history leads to the status, step by step": (
        "UPDATE order_steps SET to_status = 'expired' WHERE position = 0"
    ),
    "a settled order settled once": (
        "INSERT INTO order_steps SELECT (jsonb_populate_record(s, "
        '\'{"id": "stp_x", "position": 99}\')).* FROM order_steps s WHERE step = \'captured\' LIMIT 1'
    ),
    "the postings of capture are the payment's amount_captured": (
        "UPDATE postings SET amount = amount + 1 WHERE kind = 'capture'"
    ),
    "the postings of application_fee are the payment's fee_captured": (
        "DELETE FROM postings WHERE kind = 'application_fee'"
    ),
    "the postings of processing_cost are the payment's processing_cost": (
        "UPDATE postings SET amount = 1 WHERE kind = 'processing_cost'"
    ),
    "the postings of fee_refund are the payment's fee_refunded": (
        "UPDATE payments SET fee_refunded = fee_refunded - 1 WHERE fee_refunded > 0"
    ),
    "the postings of refunds are what the payment gave back": (
        "UPDATE payments SET amount_refunded = 0"
    ),
    "every refund that succeeded is posted, and no other": "UPDATE refunds SET status = 'planned'",
    "money moves between the accounts of its kind": (
        "UPDATE postings SET source = target, target = source WHERE kind = 'capture'"
    ),
    "what buyers gave is what sellers, fees and Stripe hold": (
        "UPDATE postings SET target = 'nobody' WHERE kind = 'refund'"
    ),
    "what is reserved is what orders hold": "UPDATE listings SET stock_reserved = 0",
    "an order that ended holds no stock": "UPDATE stock_reservations SET state = 'held'",
    "a live payment's products are set aside, a captured one's are sold": (
        "UPDATE stock_reservations SET state = 'released'"
    ),
    "no operation is open": (
        "UPDATE operations SET concluded_at = NULL, due_at = now(), state = 'unknown'"
    ),
    "no refund waits": "UPDATE refunds SET status = 'planned'",
    "no event waits or was given up": (
        "UPDATE stripe_events SET concluded_at = NULL, due_at = now(), state = 'waiting'"
    ),
}
NOT_PLANTED = {"nobody left a transaction open"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lived_in(quiet_town: Town, coach: Person, buyer: Person) -> AsyncIterator[Town]:
    """One order in each state: paid and partly refunded, held, prepared, canceled."""
    paid = await buyer.pays(await quiet_town.lists(coach))
    await coach.post(f"/v1/orders/{paid}/refunds", {"amount": 1000})
    product = await quiet_town.product(coach, stock=9)
    _held, prepared, canceled = [await buyer.pays(product) for _ in range(3)]
    await coach.post(f"/v1/orders/{prepared}/preparation")
    await buyer.post(f"/v1/orders/{canceled}/cancellation")
    await at_rest(quiet_town)
    yield quiet_town


class _Undone(Exception):
    """Ends a transaction whose changes nobody wants."""


@contextlib.asynccontextmanager
async def unguarded() -> AsyncIterator[None]:
    """A transaction without the database's guards, which is undone at its end."""
    with contextlib.suppress(_Undone):
        async with transaction():
            for statement in UNGUARDED:
                await execute(statement)
            yield
            raise _Undone


async def test_every_rule_has_something_planted_against_it() -> None:
    assert set(RULES) == set(PLANTED) | NOT_PLANTED


@pytest.mark.parametrize("rule", list(PLANTED))
async def test_what_breaks_a_rule_is_found(lived_in: Town, rule: str) -> None:
    async with unguarded():
        await execute(PLANTED[rule])
        assert (await broken({rule: RULES[rule]})).get(rule), rule
    assert await broken() == {}


async def test_a_transaction_left_open_is_found(lived_in: Town) -> None:
    pool = engine().pool
    assert pool is not None
    async with pool.acquire() as connection:
        left_open = connection.transaction()
        await left_open.start()
        assert list(await broken()) == ["nobody left a transaction open"]
        await left_open.rollback()


async def test_what_differs_from_stripe_is_found(lived_in: Town) -> None:
    world = lived_in.sandbox.sandbox.world
    async with unguarded():
        await execute("UPDATE payments SET status = 'processing' WHERE live")
        found = await disagreements(world)
        assert any("status processing here, succeeded there" in sentence for sentence in found)
    [intent, *_] = [one for one in world.all("payment_intent") if one["status"] == "succeeded"]
    world.put({**intent, "id": "pi_twice"})
    assert await twice_at_stripe(world) == [intent["metadata"]["order_id"]]
    assert await disagreements(world) == ["pi_twice may still be paid and nobody here knows it"]
    world.put({**intent, "id": "pi_twice", "status": "canceled"})


async def test_books_that_differ_from_stripe_s_are_found(lived_in: Town) -> None:
    gateway = lived_in.composition.services.gateway
    assert list(await differences(gateway, lived_in.clock)) == []
    await lived_in.stripe("POST", "/_sandbox/faults", json={"fault": "drop", "times": 50})
    [intent, *_] = [
        one
        for one in lived_in.sandbox.sandbox.world.all("payment_intent")
        if one["status"] == "succeeded"
    ]
    await lived_in.stripe(
        "POST", "/v1/refunds", data={"payment_intent": intent["id"], "amount": "7"}
    )
    assert len(await differences(gateway, lived_in.clock)) > 0
    await lived_in.stripe("DELETE", "/_sandbox/faults")
