"""Tables of fees."""

from piccolo.columns import Integer, Text, Timestamptz, Varchar
from piccolo.constraints import Check
from piccolo.table import Table


class FeeSchedule(Table, tablename="fee_schedules"):
    """One version of the platform's fee rules; immutable by trigger, because orders refer to it."""

    id = Varchar(length=40, primary_key=True, default=None)
    version = Integer(default=None, unique=True)
    # JSON array of rules; their order is their precedence.
    rules = Text(default=None)
    # What becomes of the fee when a buyer is refunded: `return` it in proportion, or `keep` it.
    fee_on_refund = Varchar(length=10, default="return")
    effective_from = Timestamptz(default=None)
    created_at = Timestamptz(default=None)
    created_by = Varchar(length=60, default=None)

    fee_schedules_fee_on_refund_known = Check("fee_on_refund IN ('return', 'keep')")
    fee_schedules_version_positive = Check("version > 0")
