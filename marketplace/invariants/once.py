"""Rules of uniqueness: money is asked for, taken and moved once."""

from typing import Final

from marketplace.invariants.rule import Rule

ONCE: Final = (
    Rule(
        code="U1",
        name="one live payment per order",
        query="""
        SELECT order_id FROM payments WHERE id >= 'pay_' || $1 AND live
        GROUP BY order_id HAVING count(*) > 1""",
    ),
    Rule(
        code="U3",
        name="money is taken once per order, over all generations",
        query="""
        SELECT order_id FROM payments WHERE id >= 'pay_' || $1 AND amount_captured > 0
        GROUP BY order_id HAVING count(*) > 1""",
    ),
    Rule(
        code="U4",
        name="one capture per payment",
        query="""
        SELECT subject FROM operations WHERE id >= 'op_' || $1
        AND kind = 'capture_intent' AND state <> 'rejected'
        GROUP BY subject HAVING count(*) > 1""",
    ),
    Rule(
        code="U4b",
        name="one refund at Stripe for each refund here",
        query="""
        SELECT subject FROM operations WHERE id >= 'op_' || $1
        AND kind = 'create_refund' AND state = 'succeeded'
        GROUP BY subject HAVING count(*) > 1""",
    ),
    Rule(
        code="U6",
        name="one successful attempt behind every payment that holds or took money",
        query="""
        SELECT p.id FROM payments p LEFT JOIN attempts a
        ON a.payment_id = p.id AND a.payment_id >= 'pay_' || $1 AND a.outcome IN ('authorized', 'captured')
        WHERE p.id >= 'pay_' || $1 AND p.status IN ('requires_capture', 'succeeded')
        GROUP BY p.id HAVING count(a.id) <> 1""",
    ),
    Rule(
        code="U10",
        name="what a seller's transfer gave back was given back once for each cause",
        query="""
        SELECT payment_id FROM transfer_movements WHERE id >= 'mvt_' || $1 AND status = 'succeeded'
        GROUP BY payment_id, cause, kind HAVING count(*) > 1""",
    ),
)
