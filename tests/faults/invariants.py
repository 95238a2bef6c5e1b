"""What must be true of money, orders and stock whenever the program is at rest, whatever went wrong before.

Each rule is a query that finds the rows which break it. `require_invariants` asks them all, compares every
payment with Stripe's own object, and has the ledger reconciled with Stripe's balance.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from payments.database import engine, rows
from payments.gateway import PaymentGateway
from payments.reconciliation import reconcile
from stripe_sandbox.world import World
from tests.clocks import MovedClock

Rules = dict[str, str]

MONEY: Rules = {
    "the fee lies between nothing and the amount": """
        SELECT id FROM payments WHERE application_fee NOT BETWEEN 0 AND amount
        OR fee_captured NOT BETWEEN 0 AND amount_captured
        OR fee_refunded NOT BETWEEN 0 AND fee_captured OR amount_captured > amount""",
    "refunds, planned ones too, never exceed what was captured": """
        SELECT p.id FROM payments p JOIN refunds r ON r.payment_id = p.id
        WHERE r.status NOT IN ('failed', 'canceled', 'refused')
        GROUP BY p.id HAVING sum(r.amount) > p.amount_captured""",
    "the total is the sum of the lines": """
        SELECT o.id FROM orders o JOIN order_lines l ON l.order_id = o.id
        GROUP BY o.id HAVING sum(l.amount) <> o.total""",
    "order, payment, refund and posting share one currency": """
        SELECT p.id FROM payments p JOIN orders o ON o.id = p.order_id
        LEFT JOIN refunds r ON r.payment_id = p.id LEFT JOIN postings t ON t.payment_id = p.id
        WHERE p.currency <> o.currency OR r.currency <> o.currency OR t.currency <> o.currency""",
    "a payment asks for what the order costs": """
        SELECT p.id FROM payments p JOIN orders o ON o.id = p.order_id 
        WHERE p.live AND p.amount <> o.total""",
}

ONCE: Rules = {
    "one live payment per order": """
        SELECT order_id FROM payments WHERE live GROUP BY order_id HAVING count(*) > 1""",
    "money is taken once per order, over all generations": """
        SELECT order_id FROM payments WHERE amount_captured > 0 GROUP BY order_id
        HAVING count(*) > 1""",
    "one capture per payment": """
        SELECT subject FROM operations WHERE kind = 'capture_intent' AND state <> 'rejected'
        GROUP BY subject HAVING count(*) > 1""",
    "one successful attempt behind every payment that holds or took money": """
        SELECT p.id FROM payments p LEFT JOIN attempts a
        ON a.payment_id = p.id AND a.outcome IN ('authorized', 'captured')
        WHERE p.status IN ('requires_capture', 'succeeded')
        GROUP BY p.id HAVING count(a.id) <> 1""",
}

STATES: Rules = {
    "a paid order's money was taken": """
        SELECT id FROM orders o WHERE status = 'paid' AND NOT EXISTS (
            SELECT FROM payments WHERE order_id = o.id AND live AND status = 'succeeded'
            AND amount_captured > 0)""",
    "an authorized order's money is held": """
        SELECT id FROM orders o WHERE status = 'authorized' AND NOT EXISTS (
            SELECT FROM payments WHERE order_id = o.id AND live AND status = 'requires_capture')""",
    "an order in checkout has neither": """
        SELECT o.id FROM orders o JOIN payments p ON p.order_id = o.id
        WHERE o.status = 'checkout'
        AND (p.amount_captured > 0 OR p.status IN ('requires_capture', 'succeeded'))""",
    "an order that ended has no payment that may still take money": """
        SELECT o.id FROM orders o JOIN payments p ON p.order_id = o.id AND p.live
        WHERE o.status IN ('canceled', 'expired')""",
    "the history leads to the status, step by step": """
        SELECT s.order_id FROM order_steps s
        LEFT JOIN order_steps before
            ON before.order_id = s.order_id AND before.position = s.position - 1
        WHERE s.from_status IS DISTINCT FROM before.to_status
        UNION SELECT o.id FROM orders o WHERE status IS DISTINCT FROM (
            SELECT to_status FROM order_steps WHERE order_id = o.id
            ORDER BY position DESC LIMIT 1)""",
    "a settled order settled once": """
        SELECT order_id FROM order_steps
        WHERE step IN ('captured', 'prepared')
        GROUP BY order_id HAVING count(*) > 1
        UNION SELECT order_id FROM order_steps WHERE step IN ('canceled', 'hold_lapsed')
        GROUP BY order_id HAVING count(*) > 1""",
}

_TOTALS = (
    ("capture", "amount_captured"),
    ("application_fee", "fee_captured"),
    ("processing_cost", "processing_cost"),
    ("fee_refund", "fee_refunded"),
)
BOOKS: Rules = {
    **{
        f"the postings of {kind} are the payment's {total}": f"""
        SELECT p.id FROM payments p LEFT JOIN postings t
        ON t.payment_id = p.id AND t.kind = '{kind}'
        GROUP BY p.id HAVING coalesce(sum(t.amount), 0) <> p.{total}"""
        for kind, total in _TOTALS
    },
    "the postings of refunds are what the payment gave back": """
        SELECT p.id FROM payments p LEFT JOIN postings t
        ON t.payment_id = p.id AND t.kind IN ('refund', 'refund_failure') GROUP BY p.id
        HAVING coalesce(sum(CASE t.kind WHEN 'refund' THEN t.amount ELSE -t.amount END), 0)
            <> p.amount_refunded""",
    "every refund that succeeded is posted, and no other": """
        SELECT r.id FROM refunds r LEFT JOIN postings t
        ON t.payment_id = r.payment_id AND t.cause = r.id || ':refunded'
        WHERE (r.status = 'succeeded') <> (t.id IS NOT NULL)
        AND r.status NOT IN ('failed', 'canceled')""",
    "money moves between the accounts of its kind": """
        SELECT id FROM postings WHERE NOT CASE kind
            WHEN 'capture' THEN source = 'buyers' AND target = 'seller:' || seller_id
            WHEN 'application_fee' THEN source = 'seller:' || seller_id AND target = 'platform:fees'
            WHEN 'processing_cost' THEN source = 'platform:fees' AND target = 'stripe:processing'
            WHEN 'fee_refund' THEN source = 'platform:fees' AND target = 'seller:' || seller_id
            WHEN 'refund' THEN target = 'buyers'
                AND source IN ('seller:' || seller_id, 'platform:refunds')
            ELSE source = 'buyers' AND target IN ('seller:' || seller_id, 'platform:refunds')
        END""",
    "what buyers gave is what sellers, fees and Stripe hold": """
        SELECT currency FROM (
            SELECT currency, -amount AS held FROM postings WHERE source = 'buyers'
            UNION ALL SELECT currency, amount FROM postings WHERE target = 'buyers'
            UNION ALL SELECT currency, amount_captured - amount_refunded FROM payments
        ) AS legs GROUP BY currency HAVING sum(held) <> 0""",
}

STOCK: Rules = {
    "what is reserved is what orders hold": """
        SELECT l.id FROM listings l LEFT JOIN stock_reservations r
        ON r.listing_id = l.id AND r.state = 'held'
        GROUP BY l.id HAVING coalesce(sum(r.quantity), 0) <> l.stock_reserved""",
    "an order that ended holds no stock": """
        SELECT o.id FROM orders o JOIN stock_reservations r ON r.order_id = o.id
        WHERE o.status IN ('canceled', 'expired') AND r.state = 'held'""",
    "a live payment's products are set aside, a captured one's are sold": """
        SELECT o.id FROM orders o
        JOIN payments p ON p.order_id = o.id AND p.live
        JOIN order_lines l ON l.order_id = o.id AND l.kind = 'product'
        LEFT JOIN stock_reservations r ON r.order_id = o.id AND r.listing_id = l.listing_id
        WHERE r.state IS DISTINCT FROM
            CASE WHEN p.amount_captured > 0 THEN 'sold' ELSE 'held' END""",
}

REST: Rules = {
    "no operation is open": "SELECT id FROM operations WHERE concluded_at IS NULL",
    "no refund waits": "SELECT id FROM refunds WHERE status = 'planned'",
    "no event waits or was given up": """
        SELECT event_id FROM stripe_events WHERE state IN ('due', 'waiting', 'dead')""",
    "nobody left a transaction open": """
        SELECT pid FROM pg_stat_activity
        WHERE datname = current_database() AND state LIKE 'idle in transaction%'""",
}

RULES: Rules = MONEY | ONCE | STATES | BOOKS | STOCK | REST


async def broken(rules: Rules = RULES) -> dict[str, list[str]]:
    """The rules that are broken, each with the ids that break it."""
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
    found: dict[str, Any] = dict(await broken())
    found["ours and Stripe's differ"] = await disagreements(world)
    found["two PaymentIntents for one order"] = await twice_at_stripe(world)
    found["reconciliation"] = list(await differences(gateway, clock))
    pool = engine().pool
    if pool is not None and pool.get_idle_size() != pool.get_size():
        found["connections not returned"] = pool.get_size() - pool.get_idle_size()
    violations = {rule: breaking for rule, breaking in found.items() if breaking}
    assert not violations, violations
