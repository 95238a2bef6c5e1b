"""Rules of amounts: integers within their bounds, one currency, the total that was agreed."""

from typing import Final

from marketplace.invariants.rule import Rule

MONEY: Final = (
    Rule(
        code="M2",
        name="the total is the sum of the lines and the service fee",
        query="""
        SELECT o.id FROM orders o
        LEFT JOIN order_lines l ON l.order_id = o.id AND l.order_id >= 'ord_' || $1
        WHERE o.id >= 'ord_' || $1
        GROUP BY o.id HAVING coalesce(sum(l.amount), 0) + o.service_fee <> o.total OR o.total <= 0""",
    ),
    Rule(
        code="M3",
        name="the fee lies between nothing and the amount",
        query="""
        SELECT id FROM payments WHERE id >= 'pay_' || $1 AND (application_fee NOT BETWEEN 0 AND amount
        OR fee_captured NOT BETWEEN 0 AND amount_captured
        OR fee_refunded NOT BETWEEN 0 AND fee_captured OR amount_captured > amount)""",
    ),
    Rule(
        code="M4",
        name="refunds, planned ones too, never exceed what was captured",
        query="""
        SELECT p.id FROM payments p JOIN refunds r ON r.payment_id = p.id
        WHERE p.id >= 'pay_' || $1 AND r.payment_id >= 'pay_' || $1
        AND r.status NOT IN ('failed', 'canceled', 'refused')
        GROUP BY p.id HAVING sum(r.amount) > p.amount_captured""",
    ),
    Rule(
        code="M4b",
        name="no line is refunded more often than it was captured",
        query="""
        SELECT l.id FROM order_lines l WHERE l.order_id >= 'ord_' || $1
        AND l.quantity_refunded > coalesce(l.quantity_prepared, l.quantity)""",
    ),
    Rule(
        code="M6",
        name="order, payment, refund and posting share one currency",
        query="""
        SELECT p.id FROM payments p JOIN orders o ON o.id = p.order_id
        LEFT JOIN refunds r ON r.payment_id = p.id AND r.order_id >= 'ord_' || $1
        LEFT JOIN postings t ON t.payment_id = p.id AND t.order_id >= 'ord_' || $1
        WHERE o.id >= 'ord_' || $1 AND p.order_id >= 'ord_' || $1
        AND (p.currency <> o.currency OR r.currency <> o.currency OR t.currency <> o.currency)""",
    ),
    Rule(
        code="M9",
        name="a payment asks for what the order costs",
        query="""
        SELECT p.id FROM payments p JOIN orders o ON o.id = p.order_id
        WHERE o.id >= 'ord_' || $1 AND p.order_id >= 'ord_' || $1 AND p.live AND o.held_reason IS NULL
        AND (p.amount, p.application_fee) IS DISTINCT FROM (o.total, o.application_fee)
        AND p.amount_next IS NULL""",
    ),
    Rule(
        code="M10",
        name="nothing more than the order's total was taken",
        query="""
        SELECT o.id FROM orders o JOIN payments p ON p.order_id = o.id
        WHERE o.id >= 'ord_' || $1 AND p.order_id >= 'ord_' || $1 AND o.held_reason IS NULL
        GROUP BY o.id HAVING sum(p.amount_captured) > o.total""",
    ),
)
