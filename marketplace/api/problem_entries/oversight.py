"""How errors of the books, of approvals and of oversight are told."""

from marketplace.api.problem_answers import Answer, Table
from marketplace.books import errors as books
from marketplace.oversight import approval_errors as approvals
from marketplace.oversight import errors as oversight

BOOKS: Table = {
    books.FeeReviewNotFound: Answer(
        404, "fee_not_found", "Nothing of such a payment was captured", ("payment_id",)
    ),
    books.FeeChanged: Answer(
        409,
        "fee_changed",
        "The fee is not as you saw it: look again",
        ("payment_id", "updated_at"),
    ),
    books.FeesBeingCounted: Answer(
        503,
        "fees_being_counted",
        "More of the books waits to be summed up than one answer can add: it is worked off",
        ("waiting",),
        retry_after_seconds=60,
    ),
    books.FeeFilterRefused: Answer(
        422,
        "fee_filter_refused",
        "This cannot be asked of fees",
        ("path", "why", "allowed"),
        "{path}: {why_words}.",
    ),
    books.StatementNotFound: Answer(
        404, "statement_not_found", "There is no statement of this month", ("month",)
    ),
    books.AdjustmentRefused: Answer(
        422,
        "adjustment_refused",
        "The books cannot be adjusted so",
        ("why", "accounts"),
        "{why_words}.",
    ),
}

APPROVALS: Table = {
    approvals.ApprovalNotFound: Answer(404, "approval_not_found", "There is no such approval"),
    approvals.ApprovalAsked: Answer(
        409, "approval_asked", "This waits for its decision already", ("approval_id",)
    ),
    approvals.ApprovalDecided: Answer(
        409, "approval_decided", "Somebody has decided already", ("approval_id", "state")
    ),
    approvals.ApprovalExpired: Answer(
        409,
        "approval_expired",
        "Nobody decided in time: ask for it anew",
        ("approval_id", "expires_at"),
    ),
    approvals.OwnApproval: Answer(
        403, "own_approval", "Another admin has to approve it", ("approval_id",)
    ),
}

OVERSIGHT: Table = {
    oversight.EventNotFound: Answer(404, "event_not_found", "There is no such event"),
    oversight.RangeRefused: Answer(
        422, "range_refused", "The range ends before it begins", ("begins", "ends")
    ),
    oversight.FilterRequired: Answer(
        422, "filter_required", "Say which ones: give a filter", ("fields",)
    ),
    oversight.OperationNotFound: Answer(404, "operation_not_found", "There is no such operation"),
    oversight.OperationConcluded: Answer(
        409,
        "operation_concluded",
        "Its outcome is known: a new try is a new operation",
        ("operation_id", "state"),
    ),
    oversight.OperationBusy: Answer(
        409,
        "operation_busy",
        "Stripe is being asked about it at this moment",
        ("operation_id",),
        retry_after_seconds=5,
    ),
    oversight.SwitchNotFound: Answer(
        404, "switch_not_found", "There is no such switch, or it has ended"
    ),
    oversight.SwitchRefused: Answer(
        422,
        "switch_refused",
        "This would switch nothing off",
        ("field", "why"),
        "{field}: {why_words}.",
    ),
    oversight.SwitchOffAlready: Answer(
        409, "switched_off_already", "The same is switched off already", ("switch_id",)
    ),
    oversight.SwitchedOff: Answer(
        503,
        "switched_off",
        "This is switched off for now: nothing was done",
        ("operation", "scope", "reason", "until"),
        "{reason}",
    ),
    oversight.FrozenAlready: Answer(
        409, "seller_frozen_already", "The seller's money stands still already", ("seller_id",)
    ),
    oversight.NotFrozen: Answer(
        409, "seller_not_frozen", "The seller's money does not stand still", ("seller_id",)
    ),
    oversight.ReconciliationNotFound: Answer(
        404, "reconciliation_run_not_found", "There is no such run"
    ),
    oversight.ReconciliationRefused: Answer(
        422,
        "reconciliation_refused",
        "This range cannot be compared",
        ("field", "why"),
        "{field}: {why_words}.",
    ),
    oversight.ReconciliationOver: Answer(
        409, "reconciliation_run_over", "The run is over", ("run_id", "state")
    ),
    oversight.CaseNotFound: Answer(404, "case_not_found", "There is no such case"),
    oversight.CaseResolved: Answer(
        409, "case_resolved", "The case is resolved: nothing is open about it", ("case_id",)
    ),
    oversight.CaseNotTried: Answer(
        409, "case_not_tried", "Nothing about this case can be tried again", ("case_id",)
    ),
    oversight.CaseOwnerRefused: Answer(
        422, "case_owner_refused", "Only admins look after cases", ("account_id",)
    ),
}
