"""Tables of sellers."""

from piccolo.columns import Text, Timestamptz, Varchar
from piccolo.constraints import Check
from piccolo.table import Table


class Seller(Table, tablename="sellers"):
    """A person's shop. What the platform thinks of it; what Stripe thinks is connect's to say."""

    id = Varchar(length=40, primary_key=True, default=None)
    account_id = Varchar(length=40, default=None, unique=True)
    display_name = Varchar(length=120, default=None)
    country = Varchar(length=2, default=None)
    currency = Varchar(length=3, default=None)
    approval = Varchar(length=10, default=None)
    # Why the platform approved or rejected, in the admin's words; shown to the seller.
    approval_reason = Text(default=None, null=True)
    approved_at = Timestamptz(default=None, null=True)
    suspended_at = Timestamptz(default=None, null=True)
    suspension_reason = Text(default=None, null=True)
    created_at = Timestamptz(default=None)

    sellers_approval_known = Check("approval IN ('pending', 'approved', 'rejected')")
    sellers_country_shape = Check("country ~ '^[A-Z]{2}$'")
    sellers_currency_shape = Check("currency ~ '^[a-z]{3}$'")
