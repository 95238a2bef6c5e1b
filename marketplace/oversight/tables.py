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


class Switch(Table, tablename="switches"):
    """An operation that an admin switched off, for everybody or for a part, until it ends."""

    id = Varchar(length=40, primary_key=True, default=None)
    operation = Varchar(length=12, default=None)
    scope = Varchar(length=10, default=None)
    # A country, a currency, a seller's id; null for scope `all`.
    target = Varchar(length=40, default=None, null=True)
    # People are shown it.
    reason = Text(default=None)
    expires_at = Timestamptz(default=None, null=True)
    made_by = Varchar(length=60, default=None)
    made_at = Timestamptz(default=None)
    ended_at = Timestamptz(default=None, null=True)
    ended_by = Varchar(length=60, default=None, null=True)

    switches_operation_known = Check("operation IN ('checkout', 'capture', 'refund', 'onboarding')")
    switches_scope_known = Check("scope IN ('all', 'country', 'currency', 'seller')")
    switches_target_of_scope = Check("(scope = 'all') = (target IS NULL)")
    switches_ended = Check("(ended_at IS NULL) = (ended_by IS NULL)")
    switches_expire_after = Check("expires_at IS NULL OR expires_at > made_at")
