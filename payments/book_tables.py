"""The books as rows: postings and their chain, money taken back and sent again, debts, Stripe's movements."""

from piccolo.columns import BigInt, Boolean, Bytea, Date, Timestamptz, Varchar
from piccolo.constraints import Check, Unique
from piccolo.table import Table


class Posting(Table, tablename="postings"):
    """The ledger: an amount moved from one account to another, once per cause, for ever.

    A posting cannot be unbalanced. Append-only by trigger: no update, no delete, no truncate.
    """

    id = Varchar(length=40, primary_key=True, default=None)
    cause = Varchar(length=160, default=None, unique=True)
    kind = Varchar(length=32, default=None)
    source = Varchar(length=64, default=None)
    target = Varchar(length=64, default=None)
    amount = BigInt(default=None)
    currency = Varchar(length=3, default=None)
    # Null for what belongs to no single order: a payout, a debt written off.
    order_id = Varchar(length=40, default=None, null=True)
    payment_id = Varchar(length=40, default=None, null=True)
    seller_id = Varchar(length=40, default=None)
    # When Stripe says it happened, and when we learned of it.
    occurred_at = Timestamptz(default=None)
    recorded_at = Timestamptz(default=None)

    postings_amount_positive = Check("amount > 0")
    postings_accounts_differ = Check("source <> target")
    postings_kind_known = Check(
        "kind IN ('capture', 'application_fee', 'processing_cost', 'refund', 'fee_refund', "
        "'refund_failure', 'transfer_reversal', 'transfer', 'dispute', 'dispute_reinstated', "
        "'dispute_cost', 'reserve', 'reserve_released', 'debt', 'debt_settled', 'debt_written_off', "
        "'payout', 'payout_failure', 'adjustment')"
    )
    postings_order_with_payment = Check("(order_id IS NULL) = (payment_id IS NULL)")


class ChainWaiting(Table, tablename="chain_waiting"):
    """Rows of the append-only books that are written and not sealed yet: put there by a trigger."""

    row_id = Varchar(length=40, primary_key=True, default=None)
    # The table's name.
    book = Varchar(length=20, default=None)

    chain_waiting_book_known = Check("book IN ('postings', 'audit_log')")


class ChainLink(Table, tablename="chain_links"):
    """The seal of one row: its place in its book's chain, and the hash of it and of everything before.

    Append-only by trigger.
    """

    row_id = Varchar(length=40, primary_key=True, default=None)
    book = Varchar(length=20, default=None)
    # 1, 2, 3, ... within the book.
    position = BigInt(default=None)
    hash = Bytea(default=None)
    # Whether no other row of the book waited when this one was sealed.
    caught_up = Boolean(default=None)
    sealed_at = Timestamptz(default=None)

    chain_links_book_known = Check("book IN ('postings', 'audit_log')")
    chain_links_hash_is_sha256 = Check("octet_length(hash) = 32")
    chain_links_position_positive = Check("position > 0")


class AccountDay(Table, tablename="account_days"):
    """What an account gained or lost on a day (UTC, by recorded_at), of the postings that are sealed, and by
    how many of them."""

    # account:currency:YYYY-MM-DD
    id = Varchar(length=80, primary_key=True, default=None)
    account = Varchar(length=64, default=None)
    currency = Varchar(length=3, default=None)
    day = Date(default=None)
    moved = BigInt(default=None)
    movements = BigInt(default=0)


class TransferMovement(Table, tablename="transfer_movements"):
    """Money taken back from a seller's transfer on its own, or sent to them again."""

    id = Varchar(length=40, primary_key=True, default=None)
    payment_id = Varchar(length=40, default=None)
    order_id = Varchar(length=40, default=None)
    seller_id = Varchar(length=40, default=None)
    currency = Varchar(length=3, default=None)
    # `reversal` takes from the order's own transfer, `transfer` sends to the seller anew.
    kind = Varchar(length=10, default=None)
    # Which of Stripe's transfers a reversal takes from; null for one that is sent anew.
    transfer_id = Varchar(length=64, default=None, null=True)
    amount = BigInt(default=None)
    # Why: `refund:rfd_...`, `dispute:dsp_...`, `debt:dbt_...`; one movement of a kind for each cause.
    cause = Varchar(length=120, default=None)
    status = Varchar(length=10, default=None)
    stripe_id = Varchar(length=64, default=None, null=True, unique=True)
    failure_code = Varchar(length=80, default=None, null=True)
    created_at = Timestamptz(default=None)
    updated_at = Timestamptz(default=None)

    transfer_movements_kind_known = Check("kind IN ('reversal', 'transfer')")
    transfer_movements_amount_positive = Check("amount > 0")
    transfer_movements_status_known = Check("status IN ('planned', 'succeeded', 'refused')")
    transfer_movements_once = Unique([cause, kind])


class FeeReturn(Table, tablename="fee_returns"):
    """A part of the application fee given back by our own number, where Stripe's proportion would drift."""

    id = Varchar(length=40, primary_key=True, default=None)
    payment_id = Varchar(length=40, default=None)
    order_id = Varchar(length=40, default=None)
    currency = Varchar(length=3, default=None)
    amount = BigInt(default=None)
    # `refund:rfd_...`; once for each cause.
    cause = Varchar(length=120, default=None, unique=True)
    status = Varchar(length=10, default=None)
    stripe_id = Varchar(length=64, default=None, null=True, unique=True)
    failure_code = Varchar(length=80, default=None, null=True)
    created_at = Timestamptz(default=None)
    updated_at = Timestamptz(default=None)

    fee_returns_amount_positive = Check("amount > 0")
    fee_returns_status_known = Check("status IN ('planned', 'succeeded', 'refused')")


class Debt(Table, tablename="debts"):
    """What a seller owes the platform because their transfer could not be taken back."""

    id = Varchar(length=40, primary_key=True, default=None)
    seller_id = Varchar(length=40, default=None)
    order_id = Varchar(length=40, default=None, null=True)
    payment_id = Varchar(length=40, default=None, null=True)
    currency = Varchar(length=3, default=None)
    amount = BigInt(default=None)
    amount_settled = BigInt(default=None)
    amount_written_off = BigInt(default=None)
    # The refund or dispute behind it; one debt for each.
    cause = Varchar(length=120, default=None, unique=True)
    created_at = Timestamptz(default=None)
    updated_at = Timestamptz(default=None)
    closed_at = Timestamptz(default=None, null=True)

    debts_amount_positive = Check("amount > 0")
    debts_within_amount = Check(
        "amount_settled >= 0 AND amount_written_off >= 0 "
        "AND amount_settled + amount_written_off <= amount"
    )
    debts_closed_when_nothing_left = Check(
        "(closed_at IS NOT NULL) = (amount_settled + amount_written_off = amount)"
    )


class BalanceTransaction(Table, tablename="balance_transactions"):
    """A movement of the platform's Stripe balance, as reconciliation read it. Stripe never changes one."""

    id = Varchar(length=80, primary_key=True, default=None)
    type = Varchar(length=80, default=None)
    reporting_category = Varchar(length=80, default=None)
    amount = BigInt(default=None)
    fee = BigInt(default=None)
    net = BigInt(default=None)
    currency = Varchar(length=3, default=None)
    source_id = Varchar(length=80, default=None, null=True)
    # The charge it belongs to.
    charge_id = Varchar(length=64, default=None, null=True)
    # Stripe's, and ours.
    created_at = Timestamptz(default=None)
    read_at = Timestamptz(default=None)
