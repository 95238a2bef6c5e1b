"""Tables of oversight."""

from piccolo.columns import Text, Timestamptz, Varchar
from piccolo.constraints import Check
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


class Approval(Table, tablename="approvals"):
    """A dangerous act that one admin asked for and another decides; then it is done, once."""

    id = Varchar(length=40, primary_key=True, default=None)
    # `debt.write_off`, ...
    action = Varchar(length=60, default=None)
    subject = Varchar(length=60, default=None)
    # JSON: exactly what will be done.
    facts = Text(default=None)
    reason = Text(default=None)
    state = Varchar(length=10, default=None)
    asked_by = Varchar(length=60, default=None)
    asked_at = Timestamptz(default=None)
    decided_by = Varchar(length=60, default=None, null=True)
    decided_at = Timestamptz(default=None, null=True)
    decision_reason = Text(default=None, null=True)

    approvals_state_known = Check("state IN ('asked', 'approved', 'refused')")
    approvals_decided = Check("(state = 'asked') = (decided_at IS NULL)")
    approvals_by_two = Check("decided_by IS NULL OR decided_by <> asked_by OR state = 'refused'")
