"""How errors of fees are told."""

from marketplace.api.problem_answers import Answer, Table
from marketplace.fees import errors as fees
from marketplace.fees import schedule

FEES: Table = {
    schedule.MalformedSchedule: Answer(
        422,
        "fee_schedule_malformed",
        "These rules cannot price every order",
        ("path", "why", "rule_id", "problems"),
        "{why_words}",
    ),
    fees.FeeScheduleNotFound: Answer(
        404, "fee_schedule_not_found", "There is no such fee schedule"
    ),
    fees.FeeScheduleKept: Answer(
        409,
        "fee_schedule_kept",
        "This version cannot be retired",
        ("schedule_id", "why"),
        "{why_words}.",
    ),
    fees.DraftNotFound: Answer(404, "fee_draft_not_found", "There is no such draft"),
    fees.DraftStepRefused: Answer(
        409,
        "fee_draft_step_refused",
        "Where the draft stands does not allow this",
        ("draft_id", "state", "step"),
    ),
    fees.DraftChanged: Answer(
        409,
        "fee_draft_changed",
        "The draft was edited after it was read",
        ("draft_id", "revision"),
    ),
    fees.OwnFeeScheduleDecision: Answer(
        403,
        "own_fee_schedule_decision",
        "Another admin approves what you submitted or edited",
        ("draft_id",),
    ),
    fees.ReplayRefused: Answer(
        422,
        "fee_replay_refused",
        "This cannot be replayed",
        ("path", "why"),
        "{path}: {why_words}.",
    ),
    fees.ReplayNotFound: Answer(404, "fee_replay_not_found", "There is no such replay"),
    fees.ReplayStepRefused: Answer(
        409, "fee_replay_step_refused", "The replay is over", ("replay_id", "state")
    ),
    fees.FeeCreditNotFound: Answer(404, "fee_credit_not_found", "There is no such credit"),
    fees.FeeCreditRevoked: Answer(
        409, "fee_credit_revoked", "This credit was ended before", ("credit_id",)
    ),
    fees.FeeCreditNeedsApproval: Answer(
        409,
        "fee_credit_needs_approval",
        "So much is granted by two admins: ask for an approval",
        ("seller_id", "amount", "limit", "currency"),
    ),
    fees.FeeCreditRefused: Answer(
        422,
        "fee_credit_refused",
        "This credit could not be used",
        ("path", "why"),
        "{path}: {why_words}.",
    ),
    fees.NoFeeSchedule: Answer(
        503, "no_fee_schedule", "No fee schedule is in force", retry_after_seconds=60
    ),
}
