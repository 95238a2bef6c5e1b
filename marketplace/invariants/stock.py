"""Rules of stock: what is set aside is what orders hold, and nothing is sold twice."""

from typing import Final

from marketplace.invariants.rule import Rule

STOCK: Final = (
    Rule(
        code="U8a",
        name="what is reserved is what orders hold",
        query="""
        SELECT l.id FROM listings l LEFT JOIN stock_reservations r
        ON r.listing_id = l.id AND r.state = 'held' WHERE l.stock_on_hand IS NOT NULL
        GROUP BY l.id HAVING coalesce(sum(r.quantity), 0) <> l.stock_reserved""",
    ),
    Rule(
        code="U8b",
        name="an order that ended holds no stock",
        query="""
        SELECT o.id FROM orders o JOIN stock_reservations r ON r.order_id = o.id
        WHERE o.id >= 'ord_' || $1 AND r.order_id >= 'ord_' || $1
        AND o.status IN ('canceled', 'expired') AND r.state = 'held'""",
    ),
    Rule(
        code="U8c",
        name="a live payment's products are set aside",
        query="""
        SELECT o.id FROM orders o
        JOIN payments p ON p.order_id = o.id AND p.live AND p.status <> 'succeeded'
        JOIN order_lines l ON l.order_id = o.id AND l.kind = 'product'
        LEFT JOIN stock_reservations r ON r.order_id = o.id AND r.listing_id = l.listing_id
        AND r.order_id >= 'ord_' || $1
        WHERE o.id >= 'ord_' || $1 AND p.order_id >= 'ord_' || $1 AND l.order_id >= 'ord_' || $1
        AND o.status IN ('checkout', 'authorized')
        AND (r.state IS DISTINCT FROM 'held' OR r.quantity <> l.quantity)""",
    ),
    Rule(
        code="U8d",
        name="what was captured of a product is sold",
        query="""
        SELECT o.id FROM orders o
        JOIN order_lines l ON l.order_id = o.id AND l.kind = 'product'
        LEFT JOIN stock_reservations r ON r.order_id = o.id AND r.listing_id = l.listing_id
        AND r.order_id >= 'ord_' || $1
        WHERE o.id >= 'ord_' || $1 AND l.order_id >= 'ord_' || $1
        AND o.status IN ('paid', 'shipped', 'completed')
        AND coalesce(l.quantity_prepared, l.quantity) > 0
        AND (r.state IS DISTINCT FROM 'sold' OR r.quantity <> coalesce(l.quantity_prepared, l.quantity))""",
    ),
)
