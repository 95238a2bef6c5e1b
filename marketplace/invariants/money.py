"""Rules of amounts: integers within their bounds, one currency, the total that was agreed."""

from typing import Final

from marketplace.invariants.rule import Rule
from payments.currencies import CURRENCIES

_CHARGEABLE: Final = ", ".join(
    f"('{code}', {one.minimum}, {one.step})" for code, one in CURRENCIES.items()
)

MONEY: Final = (
    Rule(
        code="M1",
        name="money is whole numbers of minor units, in every table",
        query="""
        SELECT table_name || '.' || column_name FROM information_schema.columns
        WHERE $1::text IS NOT NULL AND table_schema = current_schema()
        AND column_name ~ '(^|_)(amount|fee|total|price|cost|net|moved)(_|$)'
        AND data_type IN ('numeric', 'real', 'double precision', 'money', 'integer', 'smallint')""",
    ),
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
        code="M5",
        name="the seller's share is what was captured, less the fee and what went back",
        # By hand nothing of the order's own money is moved; what is set aside is still theirs.
        query="""
        SELECT p.id FROM payments p LEFT JOIN postings t
        ON t.payment_id = p.id AND t.payment_id >= 'pay_' || $1 AND t.kind <> 'adjustment'
        WHERE p.id >= 'pay_' || $1 GROUP BY p.id
        HAVING coalesce(sum(t.amount * (
                (t.target LIKE 'seller:%' AND t.target NOT LIKE '%:debt')::int
                - (t.source LIKE 'seller:%' AND t.source NOT LIKE '%:debt')::int)), 0)
            <> p.amount_captured - p.fee_captured + p.fee_refunded
                - p.transfer_reversed + p.transfer_restored""",
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
        code="M8",
        name="every payment asks for an amount that its currency can be charged in",
        query=f"""
        SELECT p.id FROM payments p LEFT JOIN (VALUES {_CHARGEABLE}) AS c (code, minimum, step)
        ON c.code = p.currency WHERE p.id >= 'pay_' || $1
        AND (c.code IS NULL OR p.amount < c.minimum OR p.amount % c.step <> 0)""",
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
