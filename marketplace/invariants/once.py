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
        code="U5",
        name="what was made at Stripe was asked for by one request that is on record",
        query="""
        SELECT p.id FROM payments p WHERE p.id >= 'pay_' || $1 AND p.intent_id IS NOT NULL
        AND (SELECT count(*) FROM operations o WHERE o.subject = p.id AND o.kind = 'create_intent'
             AND o.state = 'succeeded' AND o.result_id = p.intent_id) <> 1
        UNION SELECT m.id FROM transfer_movements m WHERE m.id >= 'mvt_' || $1 AND m.status = 'succeeded'
        AND m.failure_code IS DISTINCT FROM 'reversed_elsewhere'
        AND (SELECT count(*) FROM operations o WHERE o.subject = m.id AND o.state = 'succeeded'
             AND o.result_id = m.stripe_id) <> 1""",
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
        code="U6b",
        name="every cause is posted once",
        query="""
        WITH recent AS MATERIALIZED (SELECT id, cause FROM postings WHERE id >= 'pst_' || $1)
        SELECT min(id) FROM recent GROUP BY cause HAVING count(*) > 1""",
    ),
    Rule(
        code="U7",
        name="a request's key stands for one request of its caller, which has its answer once it is over",
        query="""
        SELECT min(id) FROM idempotent_requests WHERE $1::text IS NOT NULL
        GROUP BY principal, key
        HAVING count(*) > 1 OR bool_or((status_code IS NULL) <> (concluded_at IS NULL))""",
    ),
    Rule(
        code="U10",
        name="what a seller's transfer gave back was given back once for each cause",
        query="""
        SELECT payment_id FROM transfer_movements WHERE id >= 'mvt_' || $1 AND status = 'succeeded'
        GROUP BY payment_id, cause, kind HAVING count(*) > 1""",
    ),
)
