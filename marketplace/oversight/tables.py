"""Tables of oversight."""

from piccolo.columns import BigInt, Date, Integer, Text, Timestamptz, Varchar
from piccolo.constraints import Check, Unique
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
    # The key that the actor's program used; null for a browser, a command, what time did.
    api_key_id = Varchar(length=40, default=None, null=True)


class Approval(Table, tablename="approvals"):
    """A dangerous act that one admin asked for and another decides; then it is done, once.

    By trigger it is decided once, as it was asked for, and never removed.
    """

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


class ReconciliationRun(Table, tablename="reconciliation_runs"):
    """Our books compared with Stripe's: what moved in `[since, until)`, worked on in slices."""

    id = Varchar(length=40, primary_key=True, default=None)
    # Of the daily run, so that there is one a day; null: asked for.
    day = Date(default=None, null=True, unique=True)
    since = Timestamptz(default=None)
    until = Timestamptz(default=None)
    # How far Stripe is read: when the run began.
    read_until = Timestamptz(default=None, null=True)
    asked_by = Varchar(length=60, default=None)
    asked_at = Timestamptz(default=None)
    state = Varchar(length=10, default=None)
    # What is read or compared now, and how far it is within that.
    phase = Varchar(length=20, default=None)
    cursor = Text(default=None, null=True)
    # Objects of Stripe's; payments of ours.
    read = BigInt(default=0)
    compared = BigInt(default=0)
    # JSON: sums under way; the balance equation of each currency.
    checkpoint = Text(default=None, null=True)
    equations = Text(default=None, null=True)
    started_at = Timestamptz(default=None, null=True)
    concluded_at = Timestamptz(default=None, null=True)
    leased_until = Timestamptz(default=None, null=True)
    failure = Text(default=None, null=True)

    reconciliation_runs_state_known = Check(
        "state IN ('waiting', 'running', 'done', 'canceled', 'failed')"
    )
    reconciliation_runs_concluded = Check(
        "(state IN ('waiting', 'running')) = (concluded_at IS NULL)"
    )
    reconciliation_runs_range = Check("until > since")


class Case(Table, tablename="cases"):
    """A difference nobody could heal, until somebody says how it was resolved: one however often found."""

    id = Varchar(length=40, primary_key=True, default=None)
    # What differs of which object.
    key = Varchar(length=200, default=None, unique=True)
    kind = Varchar(length=20, default=None)
    what = Varchar(length=60, default=None)
    payment_id = Varchar(length=40, default=None, null=True)
    order_id = Varchar(length=40, default=None, null=True)
    stripe_id = Varchar(length=80, default=None, null=True)
    currency = Varchar(length=3, default=None, null=True)
    # JSON: an amount or a status.
    ours = Text(default=None, null=True)
    theirs = Text(default=None, null=True)
    state = Varchar(length=10, default=None)
    owner = Varchar(length=60, default=None, null=True)
    resolution = Text(default=None, null=True)
    resolved_by = Varchar(length=60, default=None, null=True)
    resolved_at = Timestamptz(default=None, null=True)
    times_found = Integer(default=None)
    reopened = Integer(default=0)
    found_at = Timestamptz(default=None)
    last_found_at = Timestamptz(default=None)
    # The reconciliation that found it last; none found a transfer that Stripe refused.
    last_run_id = Varchar(length=40, default=None, null=True)

    cases_kind_known = Check(
        "kind IN ('missing_here', 'missing_there', 'amount', 'currency', 'fee', 'status', "
        "'skipped_transfer', 'dashboard_refund', 'unknown_type', 'balance', 'transfer_refused')"
    )
    cases_state_known = Check("state IN ('open', 'taken', 'resolved')")
    cases_resolved = Check(
        "(state = 'resolved') = (resolved_at IS NOT NULL AND resolution IS NOT NULL "
        "AND resolved_by IS NOT NULL)"
    )
    cases_taken_by_somebody = Check("state <> 'taken' OR owner IS NOT NULL")


class CaseNote(Table, tablename="case_notes"):
    """What somebody found out about a case. Append-only by trigger."""

    id = Varchar(length=40, primary_key=True, default=None)
    case_id = Varchar(length=40, default=None)
    author = Varchar(length=60, default=None)
    text = Text(default=None)
    created_at = Timestamptz(default=None)


class ReconciliationDifference(Table, tablename="reconciliation_differences"):
    """One difference that a run found, and what became of it."""

    id = Varchar(length=40, primary_key=True, default=None)
    run_id = Varchar(length=40, default=None)
    key = Varchar(length=200, default=None)
    kind = Varchar(length=20, default=None)
    what = Varchar(length=60, default=None)
    payment_id = Varchar(length=40, default=None, null=True)
    order_id = Varchar(length=40, default=None, null=True)
    stripe_id = Varchar(length=80, default=None, null=True)
    currency = Varchar(length=3, default=None, null=True)
    ours = Text(default=None, null=True)
    theirs = Text(default=None, null=True)
    state = Varchar(length=10, default=None)
    case_id = Varchar(length=40, default=None, null=True)
    found_at = Timestamptz(default=None)

    reconciliation_differences_once = Unique([run_id, key])
    reconciliation_differences_state_known = Check("state IN ('timing', 'healed', 'case')")
    reconciliation_differences_case = Check("(state = 'case') = (case_id IS NOT NULL)")
