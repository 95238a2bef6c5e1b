"""Tables of payments. Amounts are minor units beside their currency; times are UTC.

A column says `default=None` unless older rows need another value: Piccolo would otherwise give the
database zeros and empty strings.
Partial indexes and triggers (append-only postings, totals that never fall) are in the migrations.
"""

from piccolo.columns import BigInt, Boolean, Bytea, Date, Integer, Text, Timestamptz, Varchar
from piccolo.constraints import Check, Unique
from piccolo.table import Table


class Payment(Table, tablename="payments"):
    """The money of one order, one row for each generation; Stripe owns the status."""

    id = Varchar(length=40, primary_key=True, default=None)
    order_id = Varchar(length=40, default=None)
    seller_id = Varchar(length=40, default=None)
    generation = Integer(default=None)
    # A live payment may still take money; the database allows one per order.
    live = Boolean(default=None)
    currency = Varchar(length=3, default=None)
    amount = BigInt(default=None)
    application_fee = BigInt(default=None)
    # What an update under way asks for: until it is concluded Stripe may show the one or the other.
    amount_next = BigInt(default=None, null=True)
    application_fee_next = BigInt(default=None, null=True)
    capture_method = Varchar(length=10, default=None)
    # Stripe's Customer of the buyer, where the card may be kept.
    customer_id = Varchar(length=64, default=None, null=True)
    # The card (Stripe's PaymentMethod) that paid or tried last.
    payment_method_id = Varchar(length=64, default=None, null=True)
    destination = Varchar(length=64, default=None)
    # Stripe's words, and `planned` before Stripe has answered for the first time.
    status = Varchar(length=32, default=None)
    intent_id = Varchar(length=64, default=None, null=True, unique=True)
    charge_id = Varchar(length=64, default=None, null=True, unique=True)
    transfer_id = Varchar(length=64, default=None, null=True)
    application_fee_id = Varchar(length=64, default=None, null=True)
    amount_capturable = BigInt(default=None)
    amount_captured = BigInt(default=None)
    fee_captured = BigInt(default=None)
    amount_refunded = BigInt(default=None)
    fee_refunded = BigInt(default=None)
    # What was taken back of the seller's transfer, and sent to them again, in total.
    transfer_reversed = BigInt(default=0)
    transfer_restored = BigInt(default=0)
    # What Stripe converted the money into; null where it was booked in the payment's own currency.
    settled_in = Varchar(length=3, default=None, null=True)
    processing_cost = BigInt(default=None)
    capture_before = Timestamptz(default=None, null=True)
    cancellation_reason = Varchar(length=40, default=None, null=True)
    created_at = Timestamptz(default=None)
    updated_at = Timestamptz(default=None)
    # When Stripe was last asked how this payment stands; the sweep reads it.
    checked_at = Timestamptz(default=None)
    # When a settled payment is read again, in case Stripe moved it without our hearing; null: never.
    recheck_at = Timestamptz(default=None, null=True)

    payments_amount_positive = Check("amount > 0")
    payments_fee_within_amount = Check("application_fee BETWEEN 0 AND amount")
    payments_next_amount_positive = Check("amount_next > 0")
    payments_next_fee_within_amount = Check("application_fee_next BETWEEN 0 AND amount_next")
    payments_next_together = Check("(amount_next IS NULL) = (application_fee_next IS NULL)")
    payments_reversed_within_captured = Check(
        "transfer_reversed BETWEEN 0 AND amount_captured + transfer_restored"
    )
    payments_restored_within_reversed = Check("transfer_restored BETWEEN 0 AND transfer_reversed")
    payments_captured_within_amount = Check("amount_captured BETWEEN 0 AND amount")
    payments_capturable_within_amount = Check("amount_capturable BETWEEN 0 AND amount")
    payments_fee_captured_within_captured = Check("fee_captured BETWEEN 0 AND amount_captured")
    payments_refunded_within_captured = Check("amount_refunded BETWEEN 0 AND amount_captured")
    payments_fee_refunded_within_fee = Check("fee_refunded BETWEEN 0 AND fee_captured")
    payments_processing_cost_positive = Check("processing_cost >= 0")
    payments_currency_known = Check("currency ~ '^[a-z]{3}$'")
    payments_capture_method_known = Check("capture_method IN ('automatic', 'manual')")
    payments_status_known = Check(
        "status IN ('planned', 'requires_payment_method', 'requires_confirmation', "
        "'requires_action', 'processing', 'requires_capture', 'succeeded', 'canceled', 'refused')"
    )
    payments_one_row_per_generation = Unique([order_id, generation])
    # Target of the composite foreign keys: currency and order of everything below are this row's.
    payments_identity = Unique([id, order_id, currency])


class Operation(Table, tablename="operations"):
    """The journal: one row for everything ever asked of Stripe, written before it is asked."""

    id = Varchar(length=40, primary_key=True, default=None)
    kind = Varchar(length=32, default=None)
    # What it is about: a payment, a refund, a seller.
    subject = Varchar(length=40, default=None)
    order_id = Varchar(length=40, default=None, null=True)
    idempotency_key = Varchar(length=255, default=None, unique=True)
    # Frozen JSON: what is sent again is exactly what was sent first (a trigger refuses changes).
    parameters = Text(default=None)
    state = Varchar(length=16, default=None)
    attempts = Integer(default=None)
    lease_until = Timestamptz(default=None, null=True)
    due_at = Timestamptz(default=None, null=True)
    first_sent_at = Timestamptz(default=None, null=True)
    created_at = Timestamptz(default=None)
    concluded_at = Timestamptz(default=None, null=True)
    request_id = Varchar(length=64, default=None, null=True)
    result_id = Varchar(length=64, default=None, null=True)
    error_code = Varchar(length=80, default=None, null=True)
    error_message = Text(default=None, null=True)

    operations_state_known = Check(
        "state IN ('planned', 'sending', 'not_sent', 'unknown', 'succeeded', 'rejected')"
    )
    operations_concluded_or_due = Check("(concluded_at IS NULL) <> (due_at IS NULL)")
    operations_attempts_positive = Check("attempts >= 0")


class Refund(Table, tablename="refunds"):
    """Money going back to the buyer; the row exists before Stripe is asked."""

    id = Varchar(length=40, primary_key=True, default=None)
    payment_id = Varchar(length=40, default=None)
    order_id = Varchar(length=40, default=None)
    currency = Varchar(length=3, default=None)
    amount = BigInt(default=None)
    reason = Varchar(length=40, default=None, null=True)
    # Who bears it: the seller, by reversing their transfer, or the platform; and whether the platform
    # returns its fee. Null for a refund made at Stripe.
    reverse_transfer = Boolean(default=None, null=True)
    return_fee = Boolean(default=None, null=True)
    # What the refund itself takes back of the order's transfer, and of the fee it gives the seller back.
    transfer_amount = BigInt(default=0)
    fee_amount = BigInt(default=0)
    # JSON: the order's lines and quantities it is for, when it was asked for by lines.
    lines = Text(default=None, null=True)
    pending_reason = Varchar(length=40, default=None, null=True)
    # `planned` and `refused` are ours; the others are Stripe's words.
    status = Varchar(length=20, default=None)
    stripe_refund_id = Varchar(length=64, default=None, null=True, unique=True)
    # Null for a refund made at Stripe (its Dashboard) and imported.
    requested_by = Varchar(length=40, default=None, null=True)
    idempotency_key = Varchar(length=255, default=None, null=True)
    failure_reason = Varchar(length=80, default=None, null=True)
    created_at = Timestamptz(default=None)
    updated_at = Timestamptz(default=None)

    refunds_parts_within = Check(
        "transfer_amount BETWEEN 0 AND amount AND fee_amount BETWEEN 0 AND amount"
    )
    refunds_amount_positive = Check("amount > 0")
    refunds_status_known = Check(
        "status IN ('planned', 'refused', 'pending', 'requires_action', 'succeeded', 'failed', 'canceled')"
    )
    refunds_one_per_request = Unique([requested_by, idempotency_key])


class Attempt(Table, tablename="attempts"):
    """Each time the buyer's bank was asked: what it said, in Stripe's words and in our stable code."""

    id = Varchar(length=40, primary_key=True, default=None)
    payment_id = Varchar(length=40, default=None)
    order_id = Varchar(length=40, default=None)
    # The charge, or for a refusal without one (failed authentication) the error's own mark.
    reference = Varchar(length=120, default=None)
    outcome = Varchar(length=16, default=None)
    reason = Varchar(length=40, default=None, null=True)
    stripe_code = Varchar(length=80, default=None, null=True)
    decline_code = Varchar(length=80, default=None, null=True)
    advice_code = Varchar(length=40, default=None, null=True)
    # Which card it was: "do not try again" is about one card.
    payment_method_id = Varchar(length=64, default=None, null=True)
    card_fingerprint = Varchar(length=64, default=None, null=True)
    card_brand = Varchar(length=24, default=None, null=True)
    card_last4 = Varchar(length=4, default=None, null=True)
    request_id = Varchar(length=64, default=None, null=True)
    occurred_at = Timestamptz(default=None)

    attempts_outcome_known = Check("outcome IN ('authorized', 'captured', 'declined')")
    attempts_once = Unique([payment_id, reference])


class Posting(Table, tablename="postings"):
    """The ledger: an amount moved from one account to another, once per cause, for ever.

    A posting cannot be unbalanced. Append-only by trigger: no update, no delete, no truncate.
    """

    id = Varchar(length=40, primary_key=True, default=None)
    cause = Varchar(length=160, default=None, unique=True)
    kind = Varchar(length=32, default=None)
    source = Varchar(length=64, default=None)
    target = Varchar(length=64, default=None)
    amount = BigInt(default=None)
    currency = Varchar(length=3, default=None)
    # Null for what belongs to no single order: a payout, a debt written off.
    order_id = Varchar(length=40, default=None, null=True)
    payment_id = Varchar(length=40, default=None, null=True)
    seller_id = Varchar(length=40, default=None)
    # When Stripe says it happened, and when we learned of it.
    occurred_at = Timestamptz(default=None)
    recorded_at = Timestamptz(default=None)

    postings_amount_positive = Check("amount > 0")
    postings_accounts_differ = Check("source <> target")
    postings_kind_known = Check(
        "kind IN ('capture', 'application_fee', 'processing_cost', 'refund', 'fee_refund', "
        "'refund_failure', 'transfer_reversal', 'transfer', 'dispute', 'dispute_reinstated', "
        "'dispute_cost', 'reserve', 'reserve_released', 'debt', 'debt_settled', 'debt_written_off', "
        "'payout', 'payout_failure', 'adjustment')"
    )
    postings_order_with_payment = Check("(order_id IS NULL) = (payment_id IS NULL)")


class StripeEvent(Table, tablename="stripe_events"):
    """The inbox: every verified event, stored once, answered 200, then worked on."""

    event_id = Varchar(length=80, primary_key=True, default=None)
    # The connected account it is about; null for events of the platform itself.
    account = Varchar(length=64, default=None, null=True)
    # Which of our three addresses it was delivered to.
    door = Varchar(length=10, default=None)
    type = Varchar(length=120, default=None)
    object_id = Varchar(length=80, default=None, null=True)
    livemode = Boolean(default=None)
    payload = Text(default=None)
    state = Varchar(length=10, default=None)
    attempts = Integer(default=None)
    due_at = Timestamptz(default=None, null=True)
    received_at = Timestamptz(default=None)
    concluded_at = Timestamptz(default=None, null=True)
    # When an admin had it worked on again: it is given up three days after that.
    replayed_at = Timestamptz(default=None, null=True)
    note = Text(default=None, null=True)

    stripe_events_state_known = Check("state IN ('due', 'waiting', 'done', 'ignored', 'dead')")
    stripe_events_concluded_or_due = Check("(concluded_at IS NULL) <> (due_at IS NULL)")
    stripe_events_door_known = Check("door IN ('platform', 'accounts', 'connect')")


class TransferMovement(Table, tablename="transfer_movements"):
    """Money taken back from a seller's transfer on its own, or sent to them again."""

    id = Varchar(length=40, primary_key=True, default=None)
    payment_id = Varchar(length=40, default=None)
    order_id = Varchar(length=40, default=None)
    seller_id = Varchar(length=40, default=None)
    currency = Varchar(length=3, default=None)
    # `reversal` takes from the order's own transfer, `transfer` sends to the seller anew.
    kind = Varchar(length=10, default=None)
    # Which of Stripe's transfers a reversal takes from; null for one that is sent anew.
    transfer_id = Varchar(length=64, default=None, null=True)
    amount = BigInt(default=None)
    # Why: `refund:rfd_...`, `dispute:dsp_...`, `debt:dbt_...`; one movement of a kind for each cause.
    cause = Varchar(length=120, default=None)
    status = Varchar(length=10, default=None)
    stripe_id = Varchar(length=64, default=None, null=True, unique=True)
    failure_code = Varchar(length=80, default=None, null=True)
    created_at = Timestamptz(default=None)
    updated_at = Timestamptz(default=None)

    transfer_movements_kind_known = Check("kind IN ('reversal', 'transfer')")
    transfer_movements_amount_positive = Check("amount > 0")
    transfer_movements_status_known = Check("status IN ('planned', 'succeeded', 'refused')")
    transfer_movements_once = Unique([cause, kind])


class FeeReturn(Table, tablename="fee_returns"):
    """A part of the application fee given back by our own number, where Stripe's proportion would drift."""

    id = Varchar(length=40, primary_key=True, default=None)
    payment_id = Varchar(length=40, default=None)
    order_id = Varchar(length=40, default=None)
    currency = Varchar(length=3, default=None)
    amount = BigInt(default=None)
    # `refund:rfd_...`; once for each cause.
    cause = Varchar(length=120, default=None, unique=True)
    status = Varchar(length=10, default=None)
    stripe_id = Varchar(length=64, default=None, null=True, unique=True)
    failure_code = Varchar(length=80, default=None, null=True)
    created_at = Timestamptz(default=None)
    updated_at = Timestamptz(default=None)

    fee_returns_amount_positive = Check("amount > 0")
    fee_returns_status_known = Check("status IN ('planned', 'succeeded', 'refused')")


class Debt(Table, tablename="debts"):
    """What a seller owes the platform because their transfer could not be taken back."""

    id = Varchar(length=40, primary_key=True, default=None)
    seller_id = Varchar(length=40, default=None)
    order_id = Varchar(length=40, default=None, null=True)
    payment_id = Varchar(length=40, default=None, null=True)
    currency = Varchar(length=3, default=None)
    amount = BigInt(default=None)
    amount_settled = BigInt(default=None)
    amount_written_off = BigInt(default=None)
    # The refund or dispute behind it; one debt for each.
    cause = Varchar(length=120, default=None, unique=True)
    created_at = Timestamptz(default=None)
    updated_at = Timestamptz(default=None)
    closed_at = Timestamptz(default=None, null=True)

    debts_amount_positive = Check("amount > 0")
    debts_within_amount = Check(
        "amount_settled >= 0 AND amount_written_off >= 0 "
        "AND amount_settled + amount_written_off <= amount"
    )
    debts_closed_when_nothing_left = Check(
        "(closed_at IS NOT NULL) = (amount_settled + amount_written_off = amount)"
    )


class Dispute(Table, tablename="disputes"):
    """A buyer's bank asks for the money back. Stripe owns the status; amounts are minor units."""

    id = Varchar(length=40, primary_key=True, default=None)
    stripe_dispute_id = Varchar(length=64, default=None, unique=True)
    payment_id = Varchar(length=40, default=None)
    order_id = Varchar(length=40, default=None)
    seller_id = Varchar(length=40, default=None)
    currency = Varchar(length=3, default=None)
    amount = BigInt(default=None)
    reason = Varchar(length=60, default=None)
    # Stripe's words: warning_needs_response, needs_response, under_review, won, lost, ...
    status = Varchar(length=32, default=None)
    # An inquiry takes no money (yet).
    inquiry = Boolean(default=None)
    # What Stripe took from and gave back to the platform's balance, and its price for it, in total.
    amount_withdrawn = BigInt(default=None)
    amount_reinstated = BigInt(default=None)
    cost = BigInt(default=None)
    # What of that price came back, as it does when a dispute is won.
    cost_returned = BigInt(default=None)
    # Who bears it while it is open: `reverse` takes the seller's transfer back, `reserve` only books it.
    policy = Varchar(length=10, default=None)
    refundable = Boolean(default=None)
    evidence_due_by = Timestamptz(default=None, null=True)
    evidence_submitted_at = Timestamptz(default=None, null=True)
    opened_at = Timestamptz(default=None)
    closed_at = Timestamptz(default=None, null=True)
    checked_at = Timestamptz(default=None)
    updated_at = Timestamptz(default=None)

    disputes_amount_positive = Check("amount > 0")
    disputes_money_known = Check(
        "amount_withdrawn >= 0 AND amount_reinstated BETWEEN 0 AND amount_withdrawn "
        "AND cost_returned BETWEEN 0 AND cost"
    )
    disputes_policy_known = Check("policy IN ('reverse', 'reserve')")


class DisputeEvidence(Table, tablename="dispute_evidence"):
    """What is or was said to the bank: a draft that people may edit until it is submitted."""

    dispute_id = Varchar(length=40, primary_key=True, default=None)
    # JSON: Stripe's evidence fields as text.
    fields = Text(default=None)
    updated_by = Varchar(length=60, default=None)
    updated_at = Timestamptz(default=None)
    submitted_at = Timestamptz(default=None, null=True)


class FraudWarning(Table, tablename="fraud_warnings"):
    """An early fraud warning: the bank thinks the payment was not the card owner's."""

    stripe_warning_id = Varchar(length=64, primary_key=True, default=None)
    payment_id = Varchar(length=40, default=None)
    order_id = Varchar(length=40, default=None)
    fraud_type = Varchar(length=60, default=None)
    actionable = Boolean(default=None)
    created_at = Timestamptz(default=None)
    updated_at = Timestamptz(default=None)


class BuyerCustomer(Table, tablename="buyer_customers"):
    """Stripe's Customer of one buyer, made when first needed."""

    buyer_id = Varchar(length=40, primary_key=True, default=None)
    # Null until Stripe has answered.
    customer_id = Varchar(length=64, default=None, null=True, unique=True)
    # When Stripe's list of this buyer's cards is to be read again; the sweep reads it.
    refresh_at = Timestamptz(default=None, null=True)
    created_at = Timestamptz(default=None)


class Card(Table, tablename="cards"):
    """A buyer's saved card as Stripe shows it; only what may be kept and what people recognise it by."""

    id = Varchar(length=40, primary_key=True, default=None)
    buyer_id = Varchar(length=40, default=None)
    payment_method_id = Varchar(length=64, default=None, unique=True)
    brand = Varchar(length=24, default=None, null=True)
    last4 = Varchar(length=4, default=None, null=True)
    expiry_month = Integer(default=None, null=True)
    expiry_year = Integer(default=None, null=True)
    fingerprint = Varchar(length=64, default=None, null=True)
    is_default = Boolean(default=None)
    created_at = Timestamptz(default=None)
    removed_at = Timestamptz(default=None, null=True)


class CardSetup(Table, tablename="card_setups"):
    """A SetupIntent: a card being saved without a payment. The client secret is kept nowhere."""

    id = Varchar(length=40, primary_key=True, default=None)
    buyer_id = Varchar(length=40, default=None)
    stripe_setup_id = Varchar(length=64, default=None, null=True, unique=True)
    status = Varchar(length=32, default=None)
    created_at = Timestamptz(default=None)
    updated_at = Timestamptz(default=None)


class MissedEvent(Table, tablename="missed_events"):
    """An event that Stripe had and we had not: found in Stripe's list, and stored in the inbox."""

    event_id = Varchar(length=80, primary_key=True, default=None)
    account = Varchar(length=64, default=None, null=True)
    door = Varchar(length=10, default=None)
    type = Varchar(length=120, default=None)
    object_id = Varchar(length=80, default=None, null=True)
    # When Stripe says it happened, and when we found it.
    happened_at = Timestamptz(default=None)
    found_at = Timestamptz(default=None)


class EventFeed(Table, tablename="event_feeds"):
    """How far one of Stripe's lists of events was compared with the inbox."""

    # platform, undelivered, accounts, or a connected account's id.
    id = Varchar(length=80, primary_key=True, default=None)
    # Whose list is read (Stripe-Account); null for the platform's.
    account = Varchar(length=64, default=None, null=True)
    # Everything older was compared.
    since = Timestamptz(default=None)
    # The end of the window being read, and Stripe's cursor within it; null between windows.
    until = Timestamptz(default=None, null=True)
    page_after = Text(default=None, null=True)
    due_at = Timestamptz(default=None)
    # When a window was last finished.
    read_at = Timestamptz(default=None, null=True)

    event_feeds_window = Check("(until IS NULL AND page_after IS NULL) OR until >= since")


class ChainWaiting(Table, tablename="chain_waiting"):
    """Rows of the append-only books that are written and not sealed yet: put there by a trigger."""

    row_id = Varchar(length=40, primary_key=True, default=None)
    # The table's name.
    book = Varchar(length=20, default=None)

    chain_waiting_book_known = Check("book IN ('postings', 'audit_log')")


class ChainLink(Table, tablename="chain_links"):
    """The seal of one row: its place in its book's chain, and the hash of it and of everything before.

    Append-only by trigger.
    """

    row_id = Varchar(length=40, primary_key=True, default=None)
    book = Varchar(length=20, default=None)
    # 1, 2, 3, ... within the book.
    position = BigInt(default=None)
    hash = Bytea(default=None)
    # Whether no other row of the book waited when this one was sealed.
    caught_up = Boolean(default=None)
    sealed_at = Timestamptz(default=None)

    chain_links_book_known = Check("book IN ('postings', 'audit_log')")
    chain_links_hash_is_sha256 = Check("octet_length(hash) = 32")
    chain_links_position_positive = Check("position > 0")


class AccountDay(Table, tablename="account_days"):
    """What an account gained or lost on a day (UTC, by recorded_at), of the postings that are sealed."""

    # account:currency:YYYY-MM-DD
    id = Varchar(length=80, primary_key=True, default=None)
    account = Varchar(length=64, default=None)
    currency = Varchar(length=3, default=None)
    day = Date(default=None)
    moved = BigInt(default=None)


class BalanceTransaction(Table, tablename="balance_transactions"):
    """A movement of the platform's Stripe balance, as reconciliation read it. Stripe never changes one."""

    id = Varchar(length=80, primary_key=True, default=None)
    type = Varchar(length=80, default=None)
    reporting_category = Varchar(length=80, default=None)
    amount = BigInt(default=None)
    fee = BigInt(default=None)
    net = BigInt(default=None)
    currency = Varchar(length=3, default=None)
    source_id = Varchar(length=80, default=None, null=True)
    # The charge it belongs to.
    charge_id = Varchar(length=64, default=None, null=True)
    # Stripe's, and ours.
    created_at = Timestamptz(default=None)
    read_at = Timestamptz(default=None)
