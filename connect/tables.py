"""Tables of connect: what Stripe last said of each seller's connected account."""

from piccolo.columns import BigInt, Boolean, Integer, Text, Timestamptz, Varchar
from piccolo.constraints import Check
from piccolo.table import Table


class ConnectedAccount(Table, tablename="connected_accounts"):
    """A snapshot: facts of Stripe's with the moment they were read (`checked_at`)."""

    account_id = Varchar(length=64, primary_key=True, default=None)
    seller_id = Varchar(length=40, default=None, unique=True)
    country = Varchar(length=2, default=None)
    default_currency = Varchar(length=3, default=None, null=True)
    transfers_status = Varchar(length=40, default=None)
    payouts_status = Varchar(length=40, default=None)
    # JSON: the reasons Stripe gives for a capability that is not active, and what it still wants.
    status_details = Text(default=None)
    requirements = Text(default=None)
    requirements_deadline = Timestamptz(default=None, null=True)
    closed = Boolean(default=None)
    checked_at = Timestamptz(default=None)
    # The state derived from the snapshot when it was absorbed, for lists.
    state = Varchar(length=24, default=None)
    # How many times something said the account moved, and how many of them the snapshot answers: fewer
    # means stale, without comparing clocks.
    nudges = Integer(default=None)
    nudges_absorbed = Integer(default=None)
    # When the sweep asks next; claiming moves it ahead, so it is the lease too.
    refresh_at = Timestamptz(default=None, index=True)
    # Since when we hold Stripe's automatic payouts, and its schedule before that, to be put back.
    payouts_paused_at = Timestamptz(default=None, null=True)
    payout_schedule = Text(default=None, null=True)
    # When the sweep lists the account's payouts next; null: it never did.
    payouts_due_at = Timestamptz(default=None, null=True)
    request_id = Varchar(length=64, default=None, null=True)
    created_at = Timestamptz(default=None)

    connected_accounts_nudges_counted = Check("nudges_absorbed BETWEEN 0 AND nudges")
    connected_accounts_id_shape = Check("account_id LIKE 'acct\\_%'")


class Payout(Table, tablename="payouts"):
    """Money on its way from a seller's Stripe balance to their bank, as Stripe last said."""

    # Stripe's id.
    id = Varchar(length=64, primary_key=True, default=None)
    account_id = Varchar(length=64, default=None)
    seller_id = Varchar(length=40, default=None)
    amount = BigInt(default=None)
    currency = Varchar(length=3, default=None)
    # Stripe's words: pending, in_transit, paid, failed, canceled.
    status = Varchar(length=20, default=None)
    automatic = Boolean(default=None)
    arrival_at = Timestamptz(default=None)
    failure_code = Varchar(length=60, default=None, null=True)
    failure_message = Text(default=None, null=True)
    created_at = Timestamptz(default=None)
    checked_at = Timestamptz(default=None)
    updated_at = Timestamptz(default=None)
    # When the sweep asks again; null when nothing can change any more.
    refresh_at = Timestamptz(default=None, null=True)


class PayoutItem(Table, tablename="payout_items"):
    """Which movements of the seller's balance a payout carried: an order followed to the bank."""

    id = Varchar(length=64, primary_key=True, default=None)  # Stripe's balance transaction
    payout_id = Varchar(length=64, default=None)
    # The seller's side of a transfer (`py_...`), or a refund of it.
    source_id = Varchar(length=64, default=None, null=True)
    transfer_id = Varchar(length=64, default=None, null=True)
    kind = Varchar(length=40, default=None)
    amount = BigInt(default=None)
    fee = BigInt(default=None)
    net = BigInt(default=None)
    currency = Varchar(length=3, default=None)
    created_at = Timestamptz(default=None)
