"""Tables of oversight."""

from piccolo.columns import Text, Timestamptz, Varchar
from piccolo.table import Table


class AuditEntry(Table, tablename="audit_log"):
    """Who did what to which object, before, after, why, in which request. Append-only by trigger."""

    id = Varchar(length=40, primary_key=True, default=None)
    actor = Varchar(length=60, default=None)
    action = Varchar(length=60, default=None)
    subject = Varchar(length=60, default=None)
    before = Text(default=None, null=True)
    after = Text(default=None, null=True)
    reason = Text(default=None, null=True)
    request_id = Varchar(length=64, default=None, null=True)
    occurred_at = Timestamptz(default=None)
