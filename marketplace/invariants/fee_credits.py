"""Rules of fee credits: used as their movements say, held by the orders whose fees they lessened."""

from typing import Final

from marketplace.invariants.rule import Rule

FEE_CREDITS: Final = (
    Rule(
        code="C1",
        name="a fee credit is used as far as its movements say",
        query="""
        SELECT c.id FROM seller_fee_credits c LEFT JOIN fee_credit_movements m ON m.credit_id = c.id
        WHERE c.id >= 'fcr_' || $1
        GROUP BY c.id HAVING coalesce(sum(m.amount), 0) <> c.used""",
    ),
    Rule(
        code="C2",
        name="an order holds the credit that lessened its fee, and no more",
        # Less where only a part was captured, where it ended, or where its money came after that.
        query="""
        SELECT o.id FROM orders o
        LEFT JOIN fee_credit_movements m ON m.order_id = o.id AND m.order_id >= 'ord_' || $1
        WHERE o.id >= 'ord_' || $1 AND NOT EXISTS
          (SELECT FROM order_changes c WHERE c.order_id = o.id AND c.state = 'asked')
        GROUP BY o.id HAVING coalesce(sum(m.amount), 0)
          NOT BETWEEN CASE o.status WHEN 'checkout' THEN o.fee_credit ELSE 0 END AND o.fee_credit""",
    ),
)
