"""Tables of connect: what Stripe last said of each seller's connected account."""

from piccolo.columns import Boolean, Integer, Text, Timestamptz, Varchar
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
    request_id = Varchar(length=64, default=None, null=True)
    created_at = Timestamptz(default=None)

    connected_accounts_nudges_counted = Check("nudges_absorbed BETWEEN 0 AND nudges")
    connected_accounts_id_shape = Check("account_id LIKE 'acct\\_%'")
