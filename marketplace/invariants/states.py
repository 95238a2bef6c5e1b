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
        code="G2",
        name="money goes to the account of the order's seller, who is not its buyer",
        query="""
        SELECT p.id FROM payments p JOIN orders o ON o.id = p.order_id JOIN sellers s ON s.id = o.seller_id
        LEFT JOIN connected_accounts a ON a.account_id = p.destination
        WHERE p.id >= 'pay_' || $1 AND o.id >= 'ord_' || $1
        AND (p.seller_id <> o.seller_id OR o.buyer_id = s.account_id
            OR a.seller_id IS DISTINCT FROM o.seller_id)""",
    ),
    Rule(
        code="A1",
        name="what one admin asked and another decided is in the audit log",
        query="""
        SELECT a.id FROM approvals a WHERE a.id >= 'apv_' || $1 AND a.state <> 'asked'
        AND (SELECT count(*) FROM audit_log l WHERE l.subject = a.subject
             AND l.action IN ('approval.asked', 'approval.' || a.state)
             AND l.actor IN (a.asked_by, a.decided_by)
             AND l.after::jsonb ->> 'approval' = a.id) <> 2""",
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
        name="an order settled once, and was canceled once, or again when money came late",
        query="""
        SELECT order_id FROM order_steps
        WHERE order_id >= 'ord_' || $1 AND step IN ('captured', 'prepared')
        GROUP BY order_id HAVING count(*) > 1
        UNION SELECT order_id FROM order_steps
        WHERE order_id >= 'ord_' || $1
        AND step IN ('canceled', 'hold_lapsed', 'authorized_late', 'captured_late')
        GROUP BY order_id HAVING count(*) FILTER (WHERE step IN ('canceled', 'hold_lapsed'))
            > 1 + count(*) FILTER (WHERE step IN ('authorized_late', 'captured_late'))""",
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
