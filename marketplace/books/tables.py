"""Tables of books: application fees as admins review them, kept up from the ledger."""

from piccolo.columns import Array, BigInt, BigSerial, Date, Integer, Text, Timestamptz, Varchar
from piccolo.constraints import Check, Unique
from piccolo.table import Table


class FeeReviewRow(Table, tablename="fee_reviews"):
    """The application fee of one captured payment, kept up from the postings by a sweep."""

    payment_id = Varchar(length=40, primary_key=True, default=None)
    order_id = Varchar(length=40, default=None)
    seller_id = Varchar(length=40, default=None)
    currency = Varchar(length=3, default=None)
    # The first capture.
    captured_at = Timestamptz(default=None)
    # The order's total.
    gross = BigInt(default=None)
    captured = BigInt(default=None)
    refunded = BigInt(default=None)
    fee_taken = BigInt(default=None)
    # By the schedule, on what was captured; null where the working cannot be read.
    fee_expected = BigInt(default=None, null=True)
    fee_returned = BigInt(default=None)
    processing_cost = BigInt(default=None)
    # Taken less returned and processing cost; and fee taken per amount captured.
    net = BigInt(default=None)
    rate_basis_points = Integer(default=None)
    schedule_id = Varchar(length=40, default=None)
    schedule_version = Integer(default=None)
    # How the payment is spread over categories and over rules: parallel arrays, decided at the first capture.
    categories = Array(base_column=Varchar(), default=None)
    category_amounts = Array(base_column=BigInt(), default=None)
    category_fees = Array(base_column=BigInt(), default=None)
    rule_ids = Array(base_column=Varchar(), default=None)
    rule_amounts = Array(base_column=BigInt(), default=None)
    rule_fees = Array(base_column=BigInt(), default=None)
    # Codes that are open now (fee_anomalies says more).
    anomalies = Array(base_column=Varchar(), default=None)
    # Null again when the figures change afterwards.
    reviewed_at = Timestamptz(default=None, null=True)
    reviewed_by = Varchar(length=60, default=None, null=True)
    updated_at = Timestamptz(default=None)

    fee_reviews_reviewed = Check("(reviewed_at IS NULL) = (reviewed_by IS NULL)")
    fee_reviews_net_exact = Check("net = fee_taken - fee_returned - processing_cost")
    fee_reviews_spread = Check(
        "cardinality(categories) > 0 AND cardinality(categories) = cardinality(category_amounts) "
        "AND cardinality(categories) = cardinality(category_fees) AND cardinality(rule_ids) > 0 "
        "AND cardinality(rule_ids) = cardinality(rule_amounts) "
        "AND cardinality(rule_ids) = cardinality(rule_fees)"
    )


class FeeMovement(Table, tablename="fee_movements"):
    """What moved and is not folded in yet: written by triggers with the posting, removed when it is."""

    id = BigSerial(primary_key=True)
    payment_id = Varchar(length=40, default=None)
    # Null where something else of the payment changed.
    posting_id = Varchar(length=40, default=None, null=True)


class FeeTotal(Table, tablename="fee_totals"):
    """Sums of a day or a month, of everything, a seller, a category or a rule, in one currency."""

    id = BigSerial(primary_key=True)
    dimension = Varchar(length=10, default=None)
    grain = Varchar(length=5, default=None)
    key = Varchar(length=80, default=None)
    currency = Varchar(length=3, default=None)
    starts_on = Date(default=None)
    payments = BigInt(default=None)
    captured = BigInt(default=None)
    refunded = BigInt(default=None)
    fee_taken = BigInt(default=None)
    fee_returned = BigInt(default=None)
    processing_cost = BigInt(default=None)

    fee_totals_once = Unique([dimension, grain, key, currency, starts_on])
    fee_totals_dimension_known = Check("dimension IN ('all', 'seller', 'category', 'rule')")
    fee_totals_grain_known = Check("grain IN ('day', 'month')")


class FeeAnomaly(Table, tablename="fee_anomalies"):
    """Something about a payment's fee that somebody should look at."""

    # payment_id:code
    id = Varchar(length=80, primary_key=True, default=None)
    payment_id = Varchar(length=40, default=None)
    code = Varchar(length=40, default=None)
    # JSON
    facts = Text(default=None)
    found_at = Timestamptz(default=None)
    resolved_at = Timestamptz(default=None, null=True)


class FeeNote(Table, tablename="fee_notes"):
    """What an admin wrote about a payment's fee. Append-only by trigger."""

    id = Varchar(length=40, primary_key=True, default=None)
    payment_id = Varchar(length=40, default=None)
    author = Varchar(length=60, default=None)
    text = Text(default=None)
    written_at = Timestamptz(default=None)
