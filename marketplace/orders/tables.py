"""Tables of orders."""

from piccolo.columns import BigInt, Integer, Text, Timestamptz, Varchar
from piccolo.constraints import Check, Unique
from piccolo.table import Table


class Order(Table, tablename="orders"):
    """One buyer, one seller, one currency. The status is for reading; `order_steps` is the history."""

    id = Varchar(length=40, primary_key=True, default=None)
    buyer_id = Varchar(length=40, default=None)
    seller_id = Varchar(length=40, default=None)
    currency = Varchar(length=3, default=None)
    status = Varchar(length=12, default=None)
    total = BigInt(default=None)
    # Captured at checkout (sessions) or when prepared (products).
    capture_method = Varchar(length=10, default=None)
    application_fee = BigInt(default=None)
    fee_schedule_id = Varchar(length=40, default=None)
    fee_rule_id = Varchar(length=60, default=None)
    # JSON: the inputs and every intermediate integer of the fee.
    fee_working = Text(default=None)
    # Of the payment that is or was last alive; 0 before the first checkout.
    generation = Integer(default=None)
    # The buyer's Idempotency-Key: the same request can never make a second order.
    idempotency_key = Varchar(length=255, default=None)
    created_at = Timestamptz(default=None)
    updated_at = Timestamptz(default=None)
    checkout_expires_at = Timestamptz(default=None)

    orders_total_positive = Check("total > 0")
    orders_fee_within_total = Check("application_fee BETWEEN 0 AND total")
    orders_currency_shape = Check("currency ~ '^[a-z]{3}$'")
    orders_status_known = Check(
        "status IN ('checkout', 'authorized', 'paid', 'canceled', 'expired')"
    )
    orders_capture_method_known = Check("capture_method IN ('automatic', 'manual')")
    orders_once_per_key = Unique([buyer_id, idempotency_key])
    orders_currency_identity = Unique([id, currency])


class OrderLine(Table, tablename="order_lines"):
    """What was bought, as it was when it was bought."""

    id = Varchar(length=40, primary_key=True, default=None)
    order_id = Varchar(length=40, default=None)
    position = Integer(default=None)
    listing_id = Varchar(length=40, default=None)
    kind = Varchar(length=10, default=None)
    title = Varchar(length=160, default=None)
    category = Varchar(length=60, default=None)
    unit_amount = BigInt(default=None)
    quantity = Integer(default=None)
    amount = BigInt(default=None)

    order_lines_quantity_positive = Check("quantity > 0")
    order_lines_amount_exact = Check("amount = unit_amount * quantity AND unit_amount > 0")
    order_lines_listing_once = Unique([order_id, listing_id])
    order_lines_position_once = Unique([order_id, position])


class OrderStep(Table, tablename="order_steps"):
    """History: who moved the order, when, why. Append-only by trigger."""

    id = Varchar(length=40, primary_key=True, default=None)
    order_id = Varchar(length=40, default=None)
    # 0 for the first step, then 1, 2, ...: ids of one millisecond do not sort.
    position = Integer(default=None)
    step = Varchar(length=24, default=None)
    from_status = Varchar(length=12, default=None, null=True)
    to_status = Varchar(length=12, default=None)
    actor = Varchar(length=60, default=None)
    reason = Text(default=None, null=True)
    occurred_at = Timestamptz(default=None)

    order_steps_position_once = Unique([order_id, position])
