"""Tables of the catalog."""

from piccolo.columns import BigInt, Integer, Text, Timestamptz, Varchar
from piccolo.constraints import Check, Unique
from piccolo.table import Table


class Listing(Table, tablename="listings"):
    """Something for sale: a session with a coach (captured at checkout) or a product with stock."""

    id = Varchar(length=40, primary_key=True, default=None)
    seller_id = Varchar(length=40, default=None)
    kind = Varchar(length=10, default=None)
    title = Varchar(length=160, default=None)
    description = Text(default=None)
    category = Varchar(length=60, default=None)
    unit_amount = BigInt(default=None)
    currency = Varchar(length=3, default=None)
    # Null for sessions, which have no stock.
    stock_on_hand = Integer(default=None, null=True)
    stock_reserved = Integer(default=None)
    status = Varchar(length=10, default=None)
    created_at = Timestamptz(default=None)
    updated_at = Timestamptz(default=None)

    listings_kind_known = Check("kind IN ('session', 'product')")
    listings_status_known = Check("status IN ('active', 'archived')")
    listings_amount_positive = Check("unit_amount > 0")
    listings_currency_shape = Check("currency ~ '^[a-z]{3}$'")
    listings_stock_of_products_only = Check("(kind = 'product') = (stock_on_hand IS NOT NULL)")
    listings_never_oversold = Check(
        "stock_reserved >= 0 AND (stock_on_hand IS NULL OR stock_reserved <= stock_on_hand)"
    )


class StockReservation(Table, tablename="stock_reservations"):
    """Stock set aside for one order's checkout, until it is sold or released."""

    id = Varchar(length=40, primary_key=True, default=None)
    order_id = Varchar(length=40, default=None)
    listing_id = Varchar(length=40, default=None)
    quantity = Integer(default=None)
    state = Varchar(length=10, default=None)
    created_at = Timestamptz(default=None)

    stock_reservations_quantity_positive = Check("quantity > 0")
    stock_reservations_state_known = Check("state IN ('held', 'sold', 'released')")
    stock_reservations_once = Unique([order_id, listing_id])
