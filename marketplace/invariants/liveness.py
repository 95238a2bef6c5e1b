"""Rules of time: nothing that should be over is still under way. Tolerances are part of each rule."""

from typing import Final

from marketplace.invariants.rule import Rule

LIVENESS: Final = (
    Rule(
        code="V1",
        name="no operation is without an outcome for an hour",
        query="""
        SELECT id FROM operations WHERE id >= 'op_' || $1 AND due_at IS NOT NULL
        AND created_at < $2::timestamptz - interval '1 hour'""",
    ),
    Rule(
        code="S4",
        name="no order is in checkout long after its time to pay",
        query="""
        SELECT o.id FROM orders o WHERE o.id >= 'ord_' || $1 AND o.status = 'checkout'
        AND o.checkout_expires_at < $2::timestamptz - interval '1 hour'
        AND NOT EXISTS (SELECT FROM payments p WHERE p.order_id = o.id AND p.live
            AND p.status = 'processing')""",
    ),
    Rule(
        code="S5",
        name="no hold that lapsed is still thought to be held",
        query="""
        SELECT id FROM payments WHERE id >= 'pay_' || $1 AND status = 'requires_capture'
        AND capture_before < $2::timestamptz - interval '1 hour'""",
    ),
    Rule(
        code="E3",
        name="no event waits for hours, none was given up",
        query="""
        SELECT event_id FROM stripe_events WHERE state = 'dead'
        UNION ALL SELECT event_id FROM stripe_events
        WHERE due_at IS NOT NULL AND received_at < $2::timestamptz - interval '6 hours'""",
    ),
    Rule(
        code="E4",
        name="no message waits for a day",
        query="""
        SELECT id FROM messages WHERE id >= 'msg_' || $1 AND due_at IS NOT NULL
        AND created_at < $2::timestamptz - interval '1 day'""",
    ),
    Rule(
        code="E4b",
        name="no delivery to a seller's program is overdue for hours",
        query="""
        SELECT id FROM webhook_deliveries WHERE id >= 'whd_' || $1
        AND due_at < $2::timestamptz - interval '6 hours'""",
    ),
    # Only of the platform: an account that left it has a list that nobody is shown any more.
    Rule(
        code="E2",
        name="Stripe's lists of events were compared with the inbox within two days",
        query="""
        SELECT id FROM event_feeds WHERE $1::text IS NOT NULL AND account IS NULL
        AND since < $2::timestamptz - interval '2 days'""",
    ),
    Rule(
        code="L4",
        name="the books were compared with Stripe's within three days",
        query="""
        SELECT max(id) FROM reconciliation_runs WHERE $1::text IS NOT NULL AND day IS NOT NULL
        HAVING coalesce(max(read_until) FILTER (WHERE state = 'done'), min(asked_at))
            < $2::timestamptz - interval '3 days'""",
    ),
)
