"""Tables of fees."""

from piccolo.columns import BigInt, Integer, Text, Timestamptz, Varchar
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
    effective_to = Timestamptz(default=None, null=True)
    # The draft it was made of, and the second admin who approved it.
    draft_id = Varchar(length=40, default=None, null=True)
    approved_by = Varchar(length=60, default=None, null=True)
    created_at = Timestamptz(default=None)
    created_by = Varchar(length=60, default=None)

    fee_schedules_ends_after_start = Check("effective_to IS NULL OR effective_to > effective_from")

    fee_schedules_fee_on_refund_known = Check("fee_on_refund IN ('return', 'keep')")
    fee_schedules_version_positive = Check("version > 0")


class FeeScheduleDraft(Table, tablename="fee_schedule_drafts"):
    """A schedule in the making: edited, submitted, then approved by another admin or refused."""

    id = Varchar(length=40, primary_key=True, default=None)
    title = Varchar(length=120, default=None)
    state = Varchar(length=10, default=None)
    rules = Text(default=None)
    fee_on_refund = Varchar(length=10, default="return")
    # Null: when it is approved.
    effective_from = Timestamptz(default=None, null=True)
    effective_to = Timestamptz(default=None, null=True)
    # Counts the edits: what is approved is what was read.
    revision = Integer(default=1)
    created_by = Varchar(length=60, default=None)
    created_at = Timestamptz(default=None)
    edited_by = Varchar(length=60, default=None)
    edited_at = Timestamptz(default=None)
    submitted_by = Varchar(length=60, default=None, null=True)
    submitted_at = Timestamptz(default=None, null=True)
    reason = Text(default=None, null=True)
    decided_by = Varchar(length=60, default=None, null=True)
    decided_at = Timestamptz(default=None, null=True)
    decision_reason = Text(default=None, null=True)
    schedule_id = Varchar(length=40, default=None, null=True)

    fee_schedule_drafts_state_known = Check(
        "state IN ('draft', 'submitted', 'approved', 'refused', 'discarded')"
    )
    fee_schedule_drafts_fee_on_refund_known = Check("fee_on_refund IN ('return', 'keep')")
    fee_schedule_drafts_submitted = Check(
        "state NOT IN ('submitted', 'approved') OR submitted_by IS NOT NULL"
    )
    fee_schedule_drafts_by_two = Check(
        "state <> 'approved' OR (decided_by <> submitted_by AND decided_by <> edited_by "
        "AND schedule_id IS NOT NULL)"
    )


class FeeScheduleRetirement(Table, tablename="fee_schedule_retirements"):
    """A version that is in force no more, before its end. Append-only by trigger."""

    schedule_id = Varchar(length=40, primary_key=True, default=None)
    retired_at = Timestamptz(default=None)
    retired_by = Varchar(length=60, default=None)
    reason = Text(default=None)


class FeeReplay(Table, tablename="fee_replays"):
    """Rules tried on past orders: how far it is and, once done, what would have been."""

    id = Varchar(length=40, primary_key=True, default=None)
    draft_id = Varchar(length=40, default=None, null=True)
    schedule_id = Varchar(length=40, default=None, null=True)
    # As they were when it was asked for.
    rules = Text(default=None)
    since = Timestamptz(default=None, null=True)
    until = Timestamptz(default=None, null=True)
    # As if every order had been placed then; null: at its own time.
    priced_at = Timestamptz(default=None, null=True)
    state = Varchar(length=10, default=None)
    orders_total = BigInt(default=None, null=True)
    orders_done = BigInt(default=0)
    # The last order that is in the checkpoint, which is JSON: the sums so far.
    cursor = Varchar(length=40, default=None, null=True)
    checkpoint = Text(default=None, null=True)
    asked_by = Varchar(length=60, default=None)
    asked_at = Timestamptz(default=None)
    started_at = Timestamptz(default=None, null=True)
    concluded_at = Timestamptz(default=None, null=True)
    leased_until = Timestamptz(default=None, null=True)
    failure = Text(default=None, null=True)

    fee_replays_state_known = Check("state IN ('waiting', 'running', 'done', 'canceled', 'failed')")
    fee_replays_concluded = Check("(state IN ('waiting', 'running')) = (concluded_at IS NULL)")
    fee_replays_of_one = Check("(draft_id IS NULL) <> (schedule_id IS NULL)")


class FeeReplayFigure(Table, tablename="fee_replay_figures"):
    """What a replay found for one seller, category, period, rule or currency."""

    # replay:by:position
    id = Varchar(length=80, primary_key=True, default=None)
    replay_id = Varchar(length=40, default=None)
    by = Varchar(length=10, default=None)
    key = Varchar(length=80, default=None)
    currency = Varchar(length=3, default=None)
    orders = BigInt(default=None)
    amount = BigInt(default=None)
    fee_before = BigInt(default=None)
    fee_after = BigInt(default=None)


class FeeCredit(Table, tablename="seller_fee_credits"):
    """An amount of application fees that a seller does not pay, until it is used up or over."""

    id = Varchar(length=40, primary_key=True, default=None)
    seller_id = Varchar(length=40, default=None)
    currency = Varchar(length=3, default=None)
    amount = BigInt(default=None)
    used = BigInt(default=0)
    starts_at = Timestamptz(default=None)
    ends_at = Timestamptz(default=None, null=True)
    revoked_at = Timestamptz(default=None, null=True)
    reason = Text(default=None)
    granted_by = Varchar(length=60, default=None)
    granted_at = Timestamptz(default=None)
    # The second admin, where it was too much for one.
    approved_by = Varchar(length=60, default=None, null=True)

    seller_fee_credits_used_within = Check("used BETWEEN 0 AND amount AND amount > 0")
    seller_fee_credits_by_two = Check("approved_by <> granted_by")
    seller_fee_credits_ends_after_start = Check("ends_at IS NULL OR ends_at > starts_at")


class FeeCreditMovement(Table, tablename="fee_credit_movements"):
    """What an order took of a credit, or gave back (negative). Append-only by trigger."""

    id = Varchar(length=40, primary_key=True, default=None)
    credit_id = Varchar(length=40, default=None)
    order_id = Varchar(length=40, default=None)
    amount = BigInt(default=None)
    occurred_at = Timestamptz(default=None)

    fee_credit_movements_not_nothing = Check("amount <> 0")
