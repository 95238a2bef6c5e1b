"""Each invariant is broken on purpose and found: a check that cannot fail checks nothing.

What is planted is what the database would never let in, so its guards are taken away first; all of it happens
in a transaction that is undone.
"""

import contextlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from marketplace.invariants.check import RULES, SEALED, broken, broken_chains
from marketplace.invariants.rule import Rule
from payments.database import engine, execute, transaction
from tests.faults.conftest import at_rest
from tests.faults.invariants import (
    REST,
    broken_at_rest,
    differences,
    disagreements,
    twice_at_stripe,
)
from tests.stories.town import Person, Town

UNGUARDED = (
    # Triggers and references sleep; checks and unique indexes have to go.
    "SET LOCAL session_replication_role = replica",
    "ALTER TABLE payments DROP CONSTRAINT payments_fee_within_amount",
    "DROP INDEX payments_one_live_per_order",
    "DROP INDEX operations_one_capture",
    "ALTER TABLE transfer_movements DROP CONSTRAINT transfer_movements_once",
    "ALTER TABLE order_lines DROP CONSTRAINT order_lines_prepared_within",
    "ALTER TABLE postings DROP CONSTRAINT postings_cause_key",
    "ALTER TABLE idempotent_requests DROP CONSTRAINT idempotent_requests_concluded",
)
_ANOTHER_PAYMENT = (
    "INSERT INTO payments SELECT (jsonb_populate_record(p, jsonb_build_object('id', 'pay_x', "
    "'generation', 99, 'live', {live}, 'intent_id', null, 'charge_id', null))).* "
    "FROM payments p WHERE amount_captured > 0 LIMIT 1"
)
_AGAIN = (
    "INSERT INTO operations SELECT (jsonb_populate_record(o, "
    "jsonb_build_object('id', o.id || 'x', 'idempotency_key', o.id))).* "
    "FROM operations o WHERE kind = '{kind}'"
)
_OLD = "UPDATE {table} SET concluded_at = NULL, due_at = now(), created_at = '2000-01-01'"
_PAPER = (
    "INSERT INTO papers (id, kind, year, number, name, seller_id, currency, month, issued_at, opening, "
    "total, closing, fee_net, fee_tax, service_fee, postings, facts) "
    "SELECT 'ppr_{number}', '{kind}', 2000, {number}, 'X-{number}', id, 'eur', '2000-0{number}', now(), "
    "o.opening, {total}, o.closing, o.net, o.tax, o.service, 1, '{{}}' "
    "FROM (SELECT id FROM sellers ORDER BY id LIMIT 1) AS s, "
    "(VALUES ({extra})) AS v (opening, closing, net, tax, service), "
    "LATERAL (SELECT v.opening::bigint, v.closing::bigint, v.net::bigint, v.tax::bigint, "
    "v.service::bigint) AS o"
)
_MONTH_WITHOUT_PAPERS = (
    "INSERT INTO paper_months (month, sealed_through, late, closed_at, concluded_at) SELECT "
    "to_char(min(recorded_at) AT TIME ZONE 'UTC', 'YYYY-MM'), 1000000, '{}', now(), now() FROM postings"
)
PLANTED = {
    # Money
    "M1": "ALTER TABLE case_notes ADD COLUMN amount_owed numeric",
    "M2": (
        "UPDATE order_lines SET unit_amount = unit_amount + 1, amount = (unit_amount + 1) * quantity"
    ),
    "M3": "UPDATE payments SET application_fee = amount + 1",
    "M4": "UPDATE refunds SET amount = 1000000000",
    "M4b": "UPDATE order_lines SET quantity_prepared = 0, quantity_refunded = 1",
    "M5": "UPDATE postings SET amount = amount + 1 WHERE kind = 'application_fee'",
    "M8": "UPDATE payments SET currency = 'zzz'",
    "M6": "UPDATE refunds SET currency = 'usd'",
    "M9": "UPDATE orders SET total = total + 1",
    "M10": "UPDATE orders SET total = 1, application_fee = 0",
    # Once
    "U1": _ANOTHER_PAYMENT.format(live="true"),
    "U3": _ANOTHER_PAYMENT.format(live="false"),
    "U4": _AGAIN.format(kind="capture_intent"),
    "U4b": _AGAIN.format(kind="create_refund"),
    "U5": "DELETE FROM operations WHERE kind = 'create_intent'",
    "U6": "DELETE FROM attempts",
    "U6b": (
        'INSERT INTO postings SELECT (jsonb_populate_record(p, \'{"id": "pst_x"}\')).* '
        "FROM postings p LIMIT 1"
    ),
    "U7": (
        "INSERT INTO idempotent_requests (id, principal, key, fingerprint, status_code, started_at) "
        "VALUES ('idm_x', 'acc_1', 'k', 'f', 200, now())"
    ),
    "U10": (
        "INSERT INTO transfer_movements SELECT (jsonb_populate_record(m, "
        '\'{"id": "mvt_x", "stripe_id": null}\')).* FROM transfer_movements m LIMIT 1'
    ),
    # States
    "S3a": "UPDATE orders SET status = 'paid'",
    "S3b": "UPDATE orders SET status = 'authorized'",
    "S3c": "UPDATE orders SET status = 'checkout'",
    "S3d": "UPDATE orders SET status = 'expired'",
    "S3e": "UPDATE orders SET status = 'expired'",
    "S3f": "DELETE FROM shipments",
    "G2": "UPDATE payments SET destination = 'acct_of_somebody_else'",
    "A1": (
        "INSERT INTO approvals (id, action, subject, facts, reason, state, asked_by, asked_at, "
        "decided_by, decided_at, decision_reason) VALUES ('apv_x', 'a', 's', '{}', 'r', 'approved', "
        "'acc_1', now(), 'acc_2', now(), 'r')"
    ),
    "S1": "UPDATE order_steps SET to_status = 'expired' WHERE position = 0",
    "S2": (
        "INSERT INTO order_steps SELECT (jsonb_populate_record(s, "
        '\'{"id": "stp_x", "position": 99}\')).* FROM order_steps s WHERE step = \'captured\' LIMIT 1'
    ),
    "S8": (
        "INSERT INTO order_changes (id, order_id, version, cart, total, application_fee, state, "
        "asked_by, created_at) SELECT 'chg_x', id, 2, '{}', 1, 0, 'asked', buyer_id, now() "
        "FROM orders WHERE status = 'paid' LIMIT 1"
    ),
    "S9": "UPDATE disputes SET amount_withdrawn = 0, amount_reinstated = 0",
    # Fee review
    "F1": "UPDATE fee_reviews SET refunded = refunded + 1",
    "F2": "UPDATE fee_totals SET captured = captured + 1 WHERE grain = 'month'",
    # Fee credits
    "C1": (
        "INSERT INTO seller_fee_credits (id, seller_id, currency, amount, used, starts_at, reason, "
        "granted_by, granted_at) SELECT 'fcr_x', id, currency, 9, 5, now(), 'r', id, now() FROM sellers"
        " LIMIT 1"
    ),
    "C2": (
        "INSERT INTO fee_credit_movements (id, credit_id, order_id, amount, occurred_at) "
        "SELECT 'fcm_x', 'fcr_x', id, 7, now() FROM orders LIMIT 1"
    ),
    # Books
    "L3:capture": "UPDATE postings SET amount = amount + 1 WHERE kind = 'capture'",
    "L3:application_fee": "DELETE FROM postings WHERE kind = 'application_fee'",
    "L3:processing_cost": "UPDATE postings SET amount = 1 WHERE kind = 'processing_cost'",
    "L3:fee_refund": "UPDATE payments SET fee_refunded = fee_refunded - 1 WHERE fee_refunded > 0",
    "L3:refund": "UPDATE payments SET amount_refunded = 0",
    "L3:transfers": (
        "UPDATE payments SET transfer_reversed = transfer_reversed - 1 WHERE transfer_reversed > 0"
    ),
    "L3:disputes": "DELETE FROM postings WHERE kind = 'dispute'",
    "L3:debts": (
        "INSERT INTO debts (id, seller_id, currency, amount, amount_settled, amount_written_off, cause, "
        "created_at, updated_at) SELECT 'dbt_x', id, 'eur', 5, 0, 0, 'x', now(), now() "
        "FROM sellers LIMIT 1"
    ),
    "L3:payouts": "DELETE FROM postings WHERE kind = 'payout'",
    "L3:adjustments": (
        "INSERT INTO postings SELECT (jsonb_populate_record(p, "
        '\'{"id": "pst_x", "cause": "by hand", "kind": "adjustment"}\')).* FROM postings p LIMIT 1'
    ),
    "L5b": "UPDATE postings SET seller_id = 'sel_x' WHERE payment_id IS NOT NULL",
    "L6": "UPDATE account_days SET movements = movements + 1",
    "L7": "UPDATE disputes SET policy = 'reserve', status = 'needs_response'",
    "L5": "UPDATE refunds SET status = 'planned'",
    "L1": "UPDATE postings SET target = 'nobody' WHERE kind = 'refund'",
    # Guards
    "L2": "ALTER TABLE postings DISABLE TRIGGER postings_append_only",
    # Papers
    "P1": _PAPER.format(number=2, kind="statement", total=0, extra="0, 0, NULL, NULL, NULL"),
    "P2": "; ".join(
        _PAPER.format(number=number, kind="statement", total=0, extra=extra)
        for number, extra in ((1, "5, 5, NULL, NULL, NULL"), (2, "6, 6, NULL, NULL, NULL"))
    )
    + "; INSERT INTO paper_series VALUES ('statement:2000', 'statement', 2000, 2)",
    "P3": _PAPER.format(number=1, kind="credit_note", total=9, extra="NULL, NULL, 9, 0, 0")
    + "; INSERT INTO paper_series VALUES ('credit_note:2000', 'credit_note', 2000, 1)",
    "P4": _MONTH_WITHOUT_PAPERS,
    "P5": _MONTH_WITHOUT_PAPERS,
    "P6": _PAPER.format(number=1, kind="statement", total=0, extra="5, 5, NULL, NULL, NULL")
    + "; INSERT INTO paper_series VALUES ('statement:2000', 'statement', 2000, 1)"
    "; INSERT INTO paper_months (month, sealed_through, late, closed_at, concluded_at) "
    "VALUES ('2000-01', 1000000, '{}', now(), now())",
    # Stock
    "U8a": "UPDATE listings SET stock_reserved = 0",
    "U8b": "UPDATE stock_reservations SET state = 'held'",
    "U8c": "UPDATE stock_reservations SET state = 'released'",
    "U8d": "UPDATE stock_reservations SET state = 'released'",
    # Time
    "V1": _OLD.format(table="operations") + ", state = 'unknown'",
    "S4": "UPDATE orders SET status = 'checkout', checkout_expires_at = '2000-01-01'",
    "S5": ("UPDATE payments SET capture_before = '2000-01-01' WHERE status = 'requires_capture'"),
    "E3": (
        "UPDATE stripe_events SET concluded_at = NULL, due_at = now(), state = 'waiting', "
        "received_at = '2000-01-01'"
    ),
    "E4": (
        "UPDATE messages SET concluded_at = NULL, due_at = now(), state = 'due', "
        "created_at = '2000-01-01'"
    ),
    "E4b": (
        "INSERT INTO webhook_deliveries (id, endpoint_id, event_id, state, attempts, due_at, created_at) "
        "VALUES ('whd_x', 'whe_x', 'evt_x', 'due', 0, '2000-01-01', '2000-01-01')"
    ),
    "E2": "UPDATE event_feeds SET since = '2000-01-01', until = NULL, page_after = NULL",
    "L4": "UPDATE reconciliation_runs SET read_until = '2000-01-01'",
}
PLANTED_AT_REST = {
    "no operation is open": _OLD.format(table="operations") + ", state = 'unknown'",
    "no refund waits": "UPDATE refunds SET status = 'planned'",
    "no event waits or was given up": (
        "UPDATE stripe_events SET concluded_at = NULL, due_at = now(), state = 'waiting'"
    ),
}
NOT_PLANTED = {"nobody left a transaction open"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lived_in(quiet_town: Town, coach: Person, buyer: Person) -> AsyncIterator[Town]:
    """One order in each state, one refunded in part, one lost to a dispute, and a payout."""
    paid = await buyer.pays(await quiet_town.lists(coach))
    await coach.post(f"/v1/orders/{paid}/refunds", {"amount": 1000})
    product = await quiet_town.product(coach, stock=9)
    _held, prepared, canceled = [await buyer.pays(product) for _ in range(3)]
    await coach.post(f"/v1/orders/{prepared}/preparation")
    await buyer.post(f"/v1/orders/{canceled}/cancellation")
    shipped = await buyer.pays(product)
    await coach.post(f"/v1/orders/{shipped}/preparation")
    parcel = {"carrier": "dhl", "tracking_number": "JD0123456789"}
    await coach.post(f"/v1/orders/{shipped}/shipment", parcel)
    await _lost_to_a_dispute(quiet_town, coach, buyer)
    # Stripe pays the coach out at midnight.
    await quiet_town.passes(days=3)
    for person in (coach, buyer):
        await quiet_town.signs_in(person)
    await at_rest(quiet_town)
    yield quiet_town


async def _lost_to_a_dispute(town: Town, coach: Person, buyer: Person) -> None:
    order_id = await buyer.pays(await town.lists(coach, title="Another hour"))
    payment = await town.composition.services.payments.find(order_id)
    assert payment is not None
    opened = await town.stripe(
        "POST", "/_sandbox/disputes", json={"payment_intent": payment.intent_id}
    )
    await town.settle()
    await town.stripe("POST", f"/_sandbox/disputes/{opened['id']}", json={"outcome": "lost"})
    await town.settle()


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
    assert {rule.code for rule in RULES} == set(PLANTED)
    assert set(REST) == set(PLANTED_AT_REST) | NOT_PLANTED


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
async def test_what_breaks_a_rule_is_found(lived_in: Town, rule: Rule) -> None:
    now = lived_in.clock()
    async with unguarded():
        await execute(PLANTED[rule.code])
        assert [one.rule.code for one in await broken(now, rules=[rule])] == [rule.code]
    assert await broken(now) == []


async def test_a_sealed_row_that_was_changed_is_found(lived_in: Town) -> None:
    async with unguarded():
        await execute(PLANTED["L3:capture"])
        for latest in (None, 5000):
            [one] = await broken_chains(latest)
            assert one.rule is SEALED
            assert all(each.startswith("postings:pst_") for each in one.ids)
            assert one.ids[0].endswith(":altered")
        assert await broken_chains(latest=0) == []
    assert await broken_chains() == []


@pytest.mark.parametrize("rule", list(PLANTED_AT_REST))
async def test_what_disturbs_the_rest_is_found(lived_in: Town, rule: str) -> None:
    async with unguarded():
        await execute(PLANTED_AT_REST[rule])
        assert (await broken_at_rest({rule: REST[rule]})).get(rule), rule
    assert await broken_at_rest() == {}


async def test_a_transaction_left_open_is_found(lived_in: Town) -> None:
    pool = engine().pool
    assert pool is not None
    async with pool.acquire() as connection:
        left_open = connection.transaction()
        await left_open.start()
        assert list(await broken_at_rest()) == ["nobody left a transaction open"]
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
        if one["status"] == "succeeded" and one["capture_method"] == "manual"
    ]
    await lived_in.stripe(
        "POST", "/v1/refunds", data={"payment_intent": intent["id"], "amount": "7"}
    )
    assert len(await differences(gateway, lived_in.clock)) > 0
    await lived_in.stripe("DELETE", "/_sandbox/faults")
