"""What must be true of money, orders and stock whenever the program is at rest, whatever went wrong before.

`require_invariants` asks the program's own rules (`marketplace.invariants`) and those of a program at rest,
compares every payment with Stripe's own object, and has the ledger reconciled with Stripe's balance.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from marketplace.invariants.check import broken
from payments.database import engine, rows
from payments.gateway import PaymentGateway
from payments.reconciliation import reconcile
from stripe_sandbox.world import World
from tests.clocks import MovedClock

Rules = dict[str, str]

REST: Rules = {
    "no operation is open": "SELECT id FROM operations WHERE concluded_at IS NULL",
    "no refund waits": "SELECT id FROM refunds WHERE status = 'planned'",
    "no event waits or was given up": """
        SELECT event_id FROM stripe_events WHERE state IN ('due', 'waiting', 'dead')""",
    "nobody left a transaction open": """
        SELECT pid FROM pg_stat_activity
        WHERE datname = current_database() AND state LIKE 'idle in transaction%'""",
}


async def broken_at_rest(rules: Rules = REST) -> dict[str, list[str]]:
    """The rules of rest that are broken, each with the ids that break it."""
    found = {}
    for name, query in rules.items():
        breaking = [str(record[0]) for record in await rows(query)]
        if breaking:
            found[name] = breaking
    return found


async def disagreements(world: World) -> list[str]:
    """Where our payments and refunds and Stripe's objects tell different stories."""
    intents = {one["id"]: one for one in world.all("payment_intent")}
    ours = await rows("SELECT * FROM payments WHERE intent_id IS NOT NULL")
    found = [_about(record, intents.get(record["intent_id"])) for record in ours]
    told = {record["stripe_refund_id"] for record in await rows("SELECT * FROM refunds")}
    # Without a balance transaction it only released a hold: no money moved.
    found += [
        [f"{one['id']} is unknown here"]
        for one in world.all("refund")
        if one["balance_transaction"] and one["id"] not in told
    ]
    known = {record["intent_id"] for record in ours}
    found += [
        [f"{one['id']} may still be paid and nobody here knows it"]
        for one in intents.values()
        if one["id"] not in known and one["status"] != "canceled"
    ]
    return [sentence for sentences in found for sentence in sentences]


def _about(ours: Any, theirs: Mapping[str, Any] | None) -> list[str]:
    if theirs is None:
        return [f"{ours['id']}: Stripe has no {ours['intent_id']}"]
    pairs = (
        ("status", ours["status"], theirs["status"]),
        ("amount", ours["amount"], theirs["amount"]),
        ("captured", ours["amount_captured"], theirs["amount_received"]),
        ("capturable", ours["amount_capturable"], theirs["amount_capturable"]),
        ("order", ours["order_id"], theirs["metadata"]["order_id"]),
    )
    return [f"{ours['id']}: {what} {a} here, {b} there" for what, a, b in pairs if a != b]


async def twice_at_stripe(world: World) -> list[str]:
    """Orders with two PaymentIntents that may take money, or took it."""
    orders: list[str] = [
        one["metadata"]["order_id"]
        for one in world.all("payment_intent")
        if one["status"] != "canceled" and "order_id" in one["metadata"]
    ]
    return sorted({order for order in orders if orders.count(order) > 1})


async def differences(gateway: PaymentGateway, clock: MovedClock) -> Sequence[object]:
    """What our ledger and Stripe's balance do not have in common."""
    return (
        await reconcile(
            gateway, since=clock() - timedelta(days=30), until=clock() + timedelta(days=1)
        )
    ).differences


async def require_invariants(world: World, gateway: PaymentGateway, clock: MovedClock) -> None:
    """Assert all of it; the program must be at rest."""
    found: dict[str, Any] = await broken_at_rest()
    found |= {one.rule.name: one.ids for one in await broken(clock())}
    found["ours and Stripe's differ"] = await disagreements(world)
    found["two PaymentIntents for one order"] = await twice_at_stripe(world)
    found["reconciliation"] = list(await differences(gateway, clock))
    pool = engine().pool
    if pool is not None and pool.get_idle_size() != pool.get_size():
        found["connections not returned"] = pool.get_size() - pool.get_idle_size()
    violations = {rule: breaking for rule, breaking in found.items() if breaking}
    assert not violations, violations
