"""Rules of the ledger: what it says of a payment is what the payment says, and everything adds up."""

from typing import Final

from marketplace.invariants.rule import Rule

_TOTALS = (
    ("capture", "amount_captured"),
    ("application_fee", "fee_captured"),
    ("processing_cost", "processing_cost"),
    ("fee_refund", "fee_refunded"),
)

BOOKS: Final = (
    *(
        Rule(
            code=f"L3:{kind}",
            name=f"the postings of {kind} are the payment's {total}",
            query=f"""
            SELECT p.id FROM payments p LEFT JOIN postings t
            ON t.payment_id = p.id AND t.payment_id >= 'pay_' || $1 AND t.kind = '{kind}'
            WHERE p.id >= 'pay_' || $1
            GROUP BY p.id HAVING coalesce(sum(t.amount), 0) <> p.{total}""",
        )
        for kind, total in _TOTALS
    ),
    Rule(
        code="L3:refund",
        name="the postings of refunds are what the payment gave back",
        query="""
        SELECT p.id FROM payments p LEFT JOIN postings t
        ON t.payment_id = p.id AND t.payment_id >= 'pay_' || $1
            AND t.kind IN ('refund', 'refund_failure') AND t.target <> t.source
        WHERE p.id >= 'pay_' || $1 GROUP BY p.id
        HAVING coalesce(sum(CASE WHEN t.target = 'buyers' THEN t.amount
                                 WHEN t.source = 'buyers' THEN -t.amount ELSE 0 END), 0)
            <> p.amount_refunded""",
    ),
    Rule(
        code="L3:transfers",
        name="what transfers gave back and sent again are the payment's totals",
        query="""
        SELECT p.id FROM payments p
        LEFT JOIN postings t ON t.payment_id = p.id AND t.payment_id >= 'pay_' || $1
        WHERE p.id >= 'pay_' || $1 GROUP BY p.id
        HAVING coalesce(sum(t.amount) FILTER (WHERE t.kind = 'transfer_reversal'
                        OR (t.kind = 'refund' AND t.source LIKE 'seller:%')), 0) <> p.transfer_reversed
            OR coalesce(sum(t.amount) FILTER (WHERE t.kind = 'transfer'), 0) <> p.transfer_restored""",
    ),
    Rule(
        code="L3:disputes",
        name="the postings of disputes are what the bank took and gave back",
        query="""
        SELECT d.id FROM disputes d LEFT JOIN postings t ON t.payment_id = d.payment_id
        AND t.cause LIKE d.id || ':%' WHERE d.id >= 'dsp_' || $1 GROUP BY d.id
        HAVING coalesce(sum(t.amount) FILTER (WHERE t.kind = 'dispute'), 0) <> d.amount_withdrawn
            OR coalesce(sum(t.amount) FILTER (WHERE t.kind = 'dispute_reinstated'), 0)
                <> d.amount_reinstated""",
    ),
    Rule(
        code="L3:debts",
        name="a seller's debt in the books is what their debts leave open",
        query="""
        SELECT seller_id FROM (
            SELECT seller_id, currency, -(amount - amount_settled - amount_written_off) AS held
            FROM debts
            UNION ALL SELECT seller_id, currency, CASE target
                WHEN 'seller:' || seller_id || ':debt' THEN -amount ELSE amount END FROM postings
            WHERE 'seller:' || seller_id || ':debt' IN (source, target)
                AND ($1 = '' OR kind IN ('debt', 'debt_settled', 'debt_written_off'))
        ) AS legs GROUP BY seller_id, currency HAVING sum(held) <> 0""",
    ),
    Rule(
        code="L3:payouts",
        name="what was paid out is posted once, and what came back too",
        query="""
        SELECT p.id FROM payouts p LEFT JOIN postings t
        ON t.cause IN (p.id || ':paid_out', p.id || ':returned')
        WHERE p.created_at >= $3 AND p.amount <> 0 GROUP BY p.id
        HAVING count(*) FILTER (WHERE t.kind = 'payout') <> 1
            OR count(*) FILTER (WHERE t.kind = 'payout_failure')
                <> (p.status IN ('failed', 'canceled'))::int""",
    ),
    # But what an upgrade took back of failed refunds, which had been booked as the seller's again.
    Rule(
        code="L3:adjustments",
        name="what was posted by hand is what two admins agreed on",
        query="""
        SELECT coalesce(t.id, a.id) FROM (
            SELECT * FROM postings p WHERE kind = 'adjustment' AND NOT EXISTS (
                SELECT FROM postings f WHERE f.cause = split_part(p.cause, ':', 1) || ':failed'
                AND (f.target, p.target, f.amount) = (p.source, 'platform:recovered', p.amount))) AS t
        FULL JOIN (SELECT id, facts::jsonb AS facts FROM approvals
                   WHERE action = 'ledger.adjustment' AND state = 'approved') AS a
        ON t.cause = a.id || ':adjustment'
        WHERE (t.id IS NULL OR a.id IS NULL
            OR (t.source, t.target, t.currency, t.amount::text) IS DISTINCT FROM
               (a.facts ->> 'source', a.facts ->> 'target', a.facts ->> 'currency', a.facts ->> 'amount'))""",
    ),
    Rule(
        code="L5b",
        name="a posting about a payment is of its order and its seller",
        query="""
        SELECT t.id FROM postings t JOIN payments p ON p.id = t.payment_id
        WHERE t.id >= 'pst_' || $1 AND p.id >= 'pay_' || $1
        AND (t.order_id, t.seller_id) IS DISTINCT FROM (p.order_id, p.seller_id)""",
    ),
    # Sealing changes the sums of the last days only; everything there is, when all of it is asked about.
    Rule(
        code="L6",
        name="the sums of each account's days are what its sealed postings come to",
        query="""
        WITH recent AS (SELECT CASE WHEN $1 = '' THEN '-infinity'
            ELSE date_trunc('day', $2::timestamptz - interval '2 days', 'UTC') END AS begins)
        SELECT account || ':' || currency || ':' || day FROM (
            SELECT account, currency, day, moved, movements FROM account_days
            UNION ALL SELECT t.target, t.currency, (t.recorded_at AT TIME ZONE 'UTC')::date, -t.amount, -1
            FROM postings t WHERE t.recorded_at >= (SELECT begins FROM recent)
            AND EXISTS (SELECT FROM chain_links l WHERE l.row_id = t.id)
            UNION ALL SELECT t.source, t.currency, (t.recorded_at AT TIME ZONE 'UTC')::date, t.amount, -1
            FROM postings t WHERE t.recorded_at >= (SELECT begins FROM recent)
            AND EXISTS (SELECT FROM chain_links l WHERE l.row_id = t.id)
        ) AS legs, recent WHERE legs.day >= (recent.begins AT TIME ZONE 'UTC')::date
        GROUP BY account, currency, day HAVING sum(moved) <> 0 OR sum(movements) <> 0""",
    ),
    Rule(
        code="L7",
        name="what is set aside of a seller's money is what open disputes hold of it",
        query="""
        SELECT seller_id FROM (
            SELECT seller_id, currency, -amount_withdrawn AS held FROM disputes
            WHERE policy = 'reserve' AND status NOT IN ('won', 'lost', 'warning_closed', 'prevented')
            UNION ALL SELECT seller_id, currency, CASE target
                WHEN 'seller:' || seller_id || ':reserve' THEN amount ELSE -amount END FROM postings
            WHERE 'seller:' || seller_id || ':reserve' IN (source, target)
                AND ($1 = '' OR kind IN ('reserve', 'reserve_released'))
        ) AS legs GROUP BY seller_id, currency HAVING sum(held) <> 0""",
    ),
    Rule(
        code="L5",
        name="every refund that succeeded is posted, and no other",
        query="""
        SELECT r.id FROM refunds r LEFT JOIN postings t
        ON t.payment_id = r.payment_id AND t.cause = r.id || ':refunded'
        WHERE r.id >= 'rfd_' || $1 AND (r.status = 'succeeded') <> (t.id IS NOT NULL)
        AND r.status NOT IN ('failed', 'canceled')""",
    ),
    Rule(
        code="L1",
        name="what buyers gave is what sellers, fees, banks and Stripe hold",
        query="""
        SELECT currency FROM (
            SELECT currency, CASE target WHEN 'buyers' THEN amount ELSE -amount END AS held
            FROM postings WHERE 'buyers' IN (source, target)
                AND ($1 = '' OR payment_id >= 'pay_' || $1)
            UNION ALL SELECT currency, amount_captured - amount_refunded FROM payments
            WHERE id >= 'pay_' || $1
            UNION ALL SELECT currency, amount_reinstated - amount_withdrawn FROM disputes
            WHERE payment_id >= 'pay_' || $1
        ) AS legs GROUP BY currency HAVING sum(held) <> 0""",
    ),
)
