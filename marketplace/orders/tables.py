"""Tables of orders."""

from piccolo.columns import BigInt, Boolean, Integer, Text, Timestamptz, Varchar
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
    # What the buyer pays on top of the lines: part of the total and of the application fee.
    service_fee = BigInt(default=0)
    # Of the seller's credits: what lessens the application fee.
    fee_credit = BigInt(default=0)
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
    # When the sweep that ends checkouts looks at this order (again).
    expiry_due_at = Timestamptz(default=None, null=True)
    # Counts the cart's changes; part of the key of the update at Stripe.
    cart_version = Integer(default=1)
    # JSON: name, phone and address; for products.
    shipping = Text(default=None, null=True)
    # The cart may not change while the buyer confirms; which total they were shown.
    frozen_at = Timestamptz(default=None, null=True)
    frozen_total = BigInt(default=None, null=True)
    # Set when the money does not match the order: nothing may be captured, shipped or completed.
    held_reason = Text(default=None, null=True)
    # The cart of several sellers that it was made of, when it was.
    group_id = Varchar(length=40, default=None, null=True)
    # The buyer was told that they just bought the same, and wants it again.
    again = Boolean(default=False)
    # When the session takes place; for sessions that have been scheduled.
    session_at = Timestamptz(default=None, null=True)
    session_ends_at = Timestamptz(default=None, null=True)
    # JSON: the seller's cancellation windows as they were when the order was placed.
    cancellation_windows = Text(default=None, null=True)
    # How far it went as the hold lapses: 0 nobody told, 1 at 48 h, 2 at 24 h, 3 the admin too, 4 ended.
    deadline_stage = Integer(default=0)
    # When the deadline of the hold, or completion by time, is looked at next; null when nothing is due.
    deadline_due_at = Timestamptz(default=None, null=True)
    completes_at = Timestamptz(default=None, null=True)

    orders_session_ends_after_it_begins = Check(
        "(session_at IS NULL) = (session_ends_at IS NULL) "
        "AND (session_at IS NULL OR session_ends_at > session_at)"
    )
    orders_service_fee_within = Check(
        "service_fee BETWEEN 0 AND application_fee AND fee_credit >= 0"
    )
    orders_frozen_with_total = Check("frozen_at IS NULL OR frozen_total IS NOT NULL")
    orders_cart_version_positive = Check("cart_version > 0")
    orders_total_positive = Check("total > 0")
    orders_fee_within_total = Check("application_fee BETWEEN 0 AND total")
    orders_currency_shape = Check("currency ~ '^[a-z]{3}$'")
    orders_status_known = Check(
        "status IN ('checkout', 'authorized', 'paid', 'shipped', 'completed', 'canceled', 'expired')"
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
    # How many were captured; null until the order is prepared or paid.
    quantity_prepared = Integer(default=None, null=True)
    # How many were refunded by line.
    quantity_refunded = Integer(default=0)

    order_lines_prepared_within = Check("quantity_prepared BETWEEN 0 AND quantity")
    order_lines_refunded_within = Check("quantity_refunded BETWEEN 0 AND quantity")
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


class OrderChange(Table, tablename="order_changes"):
    """A change of the cart on its way: it becomes the order when Stripe has taken the new amount."""

    id = Varchar(length=40, primary_key=True, default=None)
    order_id = Varchar(length=40, default=None)
    # The cart version it leads to.
    version = Integer(default=None)
    # JSON: lines, shipping, totals and the fee's working, priced by the server when it was asked for.
    cart = Text(default=None)
    total = BigInt(default=None)
    application_fee = BigInt(default=None)
    state = Varchar(length=10, default=None)
    reason = Varchar(length=80, default=None, null=True)
    asked_by = Varchar(length=40, default=None)
    created_at = Timestamptz(default=None)
    concluded_at = Timestamptz(default=None, null=True)

    order_changes_state_known = Check("state IN ('asked', 'applied', 'refused')")
    order_changes_concluded = Check("(state = 'asked') = (concluded_at IS NULL)")


class CheckoutGroup(Table, tablename="checkout_groups"):
    """A cart with several sellers, paid in one go: its orders point here; its state is theirs."""

    id = Varchar(length=40, primary_key=True, default=None)
    buyer_id = Varchar(length=40, default=None)
    idempotency_key = Varchar(length=255, default=None)
    # The card that pays them all, once it is known (Stripe's PaymentMethod).
    payment_method_id = Varchar(length=64, default=None, null=True)
    created_at = Timestamptz(default=None)
    abandoned_at = Timestamptz(default=None, null=True)
    # Whether the buyer wants the card kept that pays the group; None: they have not said.
    card_wanted = Boolean(default=None, null=True)
    # When to look whether a card that was only kept for the group can be let go of.
    card_due_at = Timestamptz(default=None, null=True)

    checkout_groups_once_per_key = Unique([buyer_id, idempotency_key])


class Shipment(Table, tablename="shipments"):
    """What went out: the carrier and number as they are now; corrections are in the history."""

    order_id = Varchar(length=40, primary_key=True, default=None)
    carrier = Varchar(length=60, default=None)
    tracking_number = Varchar(length=80, default=None)
    shipped_at = Timestamptz(default=None)
    updated_at = Timestamptz(default=None)


class Conversation(Table, tablename="order_messages"):
    """What buyer and seller wrote to each other about an order; part of a dispute's evidence."""

    id = Varchar(length=40, primary_key=True, default=None)
    order_id = Varchar(length=40, default=None)
    author_id = Varchar(length=40, default=None)
    body = Text(default=None)
    written_at = Timestamptz(default=None)
