"""Tables of sellers."""

from piccolo.columns import Integer, Text, Timestamptz, Varchar
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
    # What happens to a hold that nobody prepared in time: `cancel` releases it, `capture` takes it.
    at_deadline = Varchar(length=10, default="cancel")
    # JSON: how much is refunded of a session canceled so many hours before it; null means the platform's.
    cancellation_windows = Text(default=None, null=True)
    # How much of each new order may be kept back for a debt, in basis points; null while not consented.
    debt_consent_basis_points = Integer(default=None, null=True)
    debt_consented_at = Timestamptz(default=None, null=True)
    # What was captured before was looked at, and kept back for debts what could be; null: nothing was.
    debts_netted_until = Timestamptz(default=None, null=True)

    # Since when their money stands still: no checkout, no capture, no payout.
    frozen_at = Timestamptz(default=None, null=True)
    frozen_by = Varchar(length=60, default=None, null=True)
    freeze_reason = Text(default=None, null=True)

    sellers_frozen_with_reason = Check("(frozen_at IS NULL) = (freeze_reason IS NULL)")
    sellers_at_deadline_known = Check("at_deadline IN ('cancel', 'capture')")
    sellers_debt_consent_within_whole = Check("debt_consent_basis_points BETWEEN 1 AND 10000")
    sellers_debt_consent_dated = Check(
        "(debt_consent_basis_points IS NULL) = (debt_consented_at IS NULL)"
    )
    sellers_approval_known = Check("approval IN ('pending', 'approved', 'rejected')")
    sellers_country_shape = Check("country ~ '^[A-Z]{2}$'")
    sellers_currency_shape = Check("currency ~ '^[a-z]{3}$'")
