"""Rules between an order and its money: neither ever says what the other does not."""

from typing import Final

from marketplace.invariants.rule import Rule

STATES: Final = (
    Rule(
        code="S3a",
        name="a paid, shipped or completed order's money was taken",
        query="""
        SELECT id FROM orders o WHERE id >= 'ord_' || $1
        AND status IN ('paid', 'shipped', 'completed') AND NOT EXISTS (
            SELECT FROM payments WHERE order_id = o.id AND order_id >= 'ord_' || $1
            AND live AND status = 'succeeded'
            AND amount_captured > 0)""",
    ),
    Rule(
        code="S3b",
        name="an authorized order's money is held",
        query="""
        SELECT id FROM orders o WHERE id >= 'ord_' || $1 AND status = 'authorized' AND NOT EXISTS (
            SELECT FROM payments WHERE order_id = o.id AND order_id >= 'ord_' || $1
            AND live AND status = 'requires_capture')""",
    ),
    Rule(
        code="S3c",
        name="an order in checkout has neither",
        query="""
        SELECT o.id FROM orders o JOIN payments p ON p.order_id = o.id
        WHERE o.id >= 'ord_' || $1 AND p.order_id >= 'ord_' || $1 AND o.status = 'checkout'
        AND (p.amount_captured > 0 OR p.status IN ('requires_capture', 'succeeded'))""",
    ),
    Rule(
        code="S3d",
        name="an order that ended has no payment that may still take money",
        query="""
        SELECT o.id FROM orders o JOIN payments p ON p.order_id = o.id AND p.live
        WHERE o.id >= 'ord_' || $1 AND p.order_id >= 'ord_' || $1
        AND o.status IN ('canceled', 'expired')
        AND p.status <> 'succeeded'""",
    ),
    Rule(
        code="S3e",
        name="money of an order that ended was given back, or was asked back",
        query="""
        SELECT o.id FROM orders o JOIN payments p ON p.order_id = o.id AND p.live
        WHERE o.id >= 'ord_' || $1 AND p.order_id >= 'ord_' || $1
        AND o.status = 'expired' AND p.status = 'succeeded'""",
    ),
    Rule(
        code="S3f",
        name="a shipped order says how it was sent",
        query="""
        SELECT o.id FROM orders o LEFT JOIN shipments s ON s.order_id = o.id
        WHERE o.id >= 'ord_' || $1 AND o.status = 'shipped' AND s.order_id IS NULL""",
    ),
    Rule(
        code="S1",
        name="the history leads to the status, step by step",
        query="""
        SELECT s.order_id FROM order_steps s
        LEFT JOIN order_steps before
            ON before.order_id = s.order_id AND before.position = s.position - 1
            AND before.order_id >= 'ord_' || $1
        WHERE s.order_id >= 'ord_' || $1 AND s.from_status IS DISTINCT FROM before.to_status
        UNION SELECT o.id FROM orders o WHERE o.id >= 'ord_' || $1 AND status IS DISTINCT FROM (
            SELECT to_status FROM order_steps WHERE order_id = o.id
            ORDER BY position DESC LIMIT 1)""",
    ),
    Rule(
        code="S2",
        name="a settled order settled once",
        query="""
        SELECT order_id FROM order_steps
        WHERE order_id >= 'ord_' || $1 AND step IN ('captured', 'prepared')
        GROUP BY order_id HAVING count(*) > 1
        UNION SELECT order_id FROM order_steps
        WHERE order_id >= 'ord_' || $1 AND step IN ('canceled', 'hold_lapsed')
        GROUP BY order_id HAVING count(*) > 1""",
    ),
    Rule(
        code="S8",
        name="a change of a cart is under way only while it may still change",
        query="""
        SELECT c.order_id FROM order_changes c JOIN orders o ON o.id = c.order_id
        WHERE c.order_id >= 'ord_' || $1 AND c.state = 'asked' AND o.status <> 'checkout'""",
    ),
    Rule(
        code="S9",
        name="a dispute that is open says what the bank took",
        query="""
        SELECT id FROM disputes WHERE id >= 'dsp_' || $1 AND NOT inquiry
        AND status NOT IN ('prevented', 'warning_closed', 'won') AND amount_withdrawn = 0""",
    ),
)
