"""What must never be, for the whole life of an order: references, partial indexes, changed checks, guards.

Written by hand because Piccolo's tables cannot say partial indexes, composite references or triggers, and
its migrations do not notice that a check's condition changed.
"""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from payments.database import execute

ID = "2026-11-21T16:05:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "References, indexes and guards for the whole life of an order"

CHECKS = [
    (
        "orders",
        "orders_status_known",
        "status IN ('checkout', 'authorized', 'paid', 'shipped', 'completed', 'canceled', 'expired')",
    ),
    (
        "postings",
        "postings_kind_known",
        "kind IN ('capture', 'application_fee', 'processing_cost', 'refund', 'fee_refund', "
        "'refund_failure', 'transfer_reversal', 'transfer', 'dispute', 'dispute_reinstated', "
        "'dispute_cost', 'reserve', 'reserve_released', 'debt', 'debt_settled', 'debt_written_off', "
        "'payout', 'payout_failure', 'adjustment')",
    ),
]

_PAYMENT = ("payment_id, order_id, currency", "payments", "id, order_id, currency")
REFERENCES = [
    ("orders", "group_id", "checkout_groups", "id"),
    ("checkout_groups", "buyer_id", "accounts", "id"),
    ("order_changes", "order_id", "orders", "id"),
    ("shipments", "order_id", "orders", "id"),
    ("order_messages", "order_id", "orders", "id"),
    ("order_messages", "author_id", "accounts", "id"),
    ("transfer_movements", *_PAYMENT),
    ("fee_returns", *_PAYMENT),
    ("disputes", *_PAYMENT),
    ("dispute_evidence", "dispute_id", "disputes", "id"),
    ("fraud_warnings", "payment_id", "payments", "id"),
    ("debts", "seller_id", "sellers", "id"),
    ("buyer_customers", "buyer_id", "accounts", "id"),
    ("cards", "buyer_id", "accounts", "id"),
    ("card_setups", "buyer_id", "accounts", "id"),
    ("payouts", "seller_id", "sellers", "id"),
    ("payout_items", "payout_id", "payouts", "id"),
    ("fee_schedule_retirements", "schedule_id", "fee_schedules", "id"),
    ("fee_replay_figures", "replay_id", "fee_replays", "id"),
    ("seller_fee_credits", "seller_id", "sellers", "id"),
    ("fee_credit_movements", "credit_id", "seller_fee_credits", "id"),
    ("fee_credit_movements", "order_id", "orders", "id"),
    ("messages", "account_id", "accounts", "id"),
    ("webhook_endpoints", "seller_id", "sellers", "id"),
    ("seller_events", "seller_id", "sellers", "id"),
    ("webhook_deliveries", "endpoint_id", "webhook_endpoints", "id"),
    ("webhook_deliveries", "event_id", "seller_events", "id"),
]

INDEXES = [
    # One change of a cart at a time, one default card, one capture: said to the database too.
    "CREATE UNIQUE INDEX order_changes_one_asked ON order_changes (order_id) WHERE state = 'asked'",
    "CREATE UNIQUE INDEX cards_one_default ON cards (buyer_id) WHERE is_default AND removed_at IS NULL",
    "CREATE UNIQUE INDEX operations_one_confirmation ON operations (subject) "
    "WHERE kind = 'confirm_intent' AND concluded_at IS NULL",
    "CREATE UNIQUE INDEX operations_one_amendment ON operations (subject) "
    "WHERE kind = 'update_intent' AND concluded_at IS NULL",
    # One switch for each thing that is off.
    "CREATE UNIQUE INDEX switches_one_on ON switches (operation, scope, coalesce(target, '')) "
    "WHERE ended_at IS NULL",
    # One place in a book's chain for each row.
    "CREATE UNIQUE INDEX chain_links_by_position ON chain_links (book, position)",
    # Sweeps: state is the queue, so each has an index over just its due rows.
    "DROP INDEX orders_checkout_expiry",
    "CREATE INDEX orders_expiry_due ON orders (expiry_due_at) WHERE status = 'checkout'",
    "CREATE INDEX orders_deadline_due ON orders (deadline_due_at) WHERE status = 'authorized'",
    "CREATE INDEX orders_completion_due ON orders (completes_at) WHERE status IN ('paid', 'shipped')",
    "CREATE INDEX payments_to_recheck ON payments (recheck_at) WHERE recheck_at IS NOT NULL",
    "CREATE INDEX buyer_customers_to_refresh ON buyer_customers (refresh_at) "
    "WHERE refresh_at IS NOT NULL",
    "CREATE INDEX disputes_open ON disputes (checked_at) WHERE closed_at IS NULL",
    "CREATE INDEX debts_open ON debts (seller_id, currency, id) WHERE closed_at IS NULL",
    "CREATE INDEX connected_accounts_payouts_due ON connected_accounts (payouts_due_at)",
    "CREATE INDEX payouts_to_refresh ON payouts (refresh_at) WHERE refresh_at IS NOT NULL",
    "CREATE INDEX messages_due ON messages (due_at) WHERE due_at IS NOT NULL",
    "CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint_id, due_at, id) "
    "WHERE due_at IS NOT NULL",
    "CREATE INDEX chain_waiting_of_book ON chain_waiting (book, row_id)",
    "CREATE INDEX event_feeds_due ON event_feeds (due_at)",
    "CREATE INDEX fee_replays_due ON fee_replays (leased_until) WHERE concluded_at IS NULL",
    "CREATE INDEX seller_fee_credits_left ON seller_fee_credits (seller_id, currency, id) "
    "WHERE used < amount AND revoked_at IS NULL",
    # Lists.
    'CREATE INDEX account_days_of_account ON account_days (account COLLATE "C", currency, day)',
    "CREATE INDEX missed_events_by_finding ON missed_events (found_at, event_id)",
    "CREATE INDEX stripe_events_by_receipt ON stripe_events (received_at, event_id)",
    "CREATE INDEX stripe_events_dead ON stripe_events (received_at, event_id) WHERE state = 'dead'",
    "CREATE INDEX stripe_events_of_account ON stripe_events (account, received_at) "
    "WHERE account IS NOT NULL",
    "CREATE INDEX stripe_events_ignored ON stripe_events (received_at) WHERE state = 'ignored'",
    "CREATE INDEX audit_log_of_action ON audit_log (action, id)",
    "CREATE INDEX audit_log_of_request ON audit_log (request_id) WHERE request_id IS NOT NULL",
    "CREATE INDEX audit_log_by_time ON audit_log (occurred_at, id)",
    "CREATE INDEX fee_schedules_by_start ON fee_schedules (effective_from, version)",
    "CREATE INDEX fee_replay_figures_of_replay ON fee_replay_figures (replay_id, id)",
    "CREATE INDEX fee_credit_movements_of_order ON fee_credit_movements (order_id)",
    "CREATE INDEX fee_credit_movements_of_credit ON fee_credit_movements (credit_id, id)",
    "CREATE INDEX orders_of_group ON orders (group_id) WHERE group_id IS NOT NULL",
    "CREATE INDEX orders_recent_of_buyer ON orders (buyer_id, seller_id, created_at)",
    "CREATE INDEX order_changes_of_order ON order_changes (order_id, id)",
    "CREATE INDEX order_messages_of_order ON order_messages (order_id, id)",
    "CREATE INDEX transfer_movements_of_payment ON transfer_movements (payment_id)",
    "CREATE INDEX transfer_movements_netting ON transfer_movements (seller_id) "
    "WHERE cause LIKE 'debt:%'",
    "CREATE INDEX fee_returns_of_payment ON fee_returns (payment_id)",
    "CREATE INDEX disputes_of_order ON disputes (order_id)",
    "CREATE INDEX disputes_of_payment ON disputes (payment_id)",
    "CREATE INDEX disputes_of_seller ON disputes (seller_id, id)",
    "CREATE INDEX fraud_warnings_of_payment ON fraud_warnings (payment_id)",
    "CREATE INDEX debts_of_seller ON debts (seller_id, id)",
    "CREATE INDEX debts_of_payment ON debts (payment_id)",
    "CREATE INDEX cards_of_buyer ON cards (buyer_id, id)",
    "CREATE INDEX card_setups_of_buyer ON card_setups (buyer_id, id)",
    "CREATE INDEX payouts_of_seller ON payouts (seller_id, created_at, id)",
    "CREATE INDEX payouts_of_account ON payouts (account_id)",
    "CREATE INDEX payout_items_of_payout ON payout_items (payout_id)",
    "CREATE INDEX payout_items_of_transfer ON payout_items (transfer_id) "
    "WHERE transfer_id IS NOT NULL",
    "CREATE INDEX payout_items_of_source ON payout_items (source_id) WHERE source_id IS NOT NULL",
    "CREATE INDEX stripe_events_of_object ON stripe_events (object_id) WHERE object_id IS NOT NULL",
    "CREATE INDEX postings_of_seller_recorded ON postings (seller_id, recorded_at, id)",
    "CREATE INDEX payments_of_transfer ON payments (transfer_id) WHERE transfer_id IS NOT NULL",
    "CREATE INDEX messages_of_account ON messages (account_id, id)",
    "CREATE INDEX messages_of_subject ON messages (subject_id)",
    "CREATE INDEX webhook_endpoints_of_seller ON webhook_endpoints (seller_id, id)",
    "CREATE INDEX seller_events_of_seller ON seller_events (seller_id, id)",
    "CREATE INDEX webhook_deliveries_of_endpoint ON webhook_deliveries (endpoint_id, id)",
    "CREATE INDEX approvals_by_state ON approvals (state, id)",
]

# Refunds that were there before: all of ours took the seller's money and returned the fee with it.
REFUNDS = [
    "UPDATE refunds r SET transfer_amount = r.amount FROM postings t "
    "WHERE t.cause = r.id || ':refunded' AND t.source LIKE 'seller:%'",
    "UPDATE refunds SET transfer_amount = amount "
    "WHERE requested_by IS NOT NULL AND status IN ('planned', 'pending', 'requires_action')",
    "UPDATE refunds SET reverse_transfer = requested_by IS NOT NULL OR transfer_amount > 0, "
    "return_fee = requested_by IS NOT NULL",
    # What Stripe will return with those that it has not been asked for yet.
    "UPDATE refunds r SET fee_amount = least(r.amount, p.fee_captured - p.fee_refunded, "
    "  round(p.fee_captured::numeric * r.amount / p.amount_captured)) "
    "FROM payments p WHERE p.id = r.payment_id AND r.status = 'planned'",
    # What it has returned, which is one total: shared out by amount, so that nothing of it is left over.
    # One made at Stripe has a part of it where more came back than ours account for.
    """
    UPDATE refunds r SET fee_amount = least(r.amount, s.upto - s.before),
        return_fee = r.return_fee OR s.upto > s.before
    FROM (
        SELECT id, round(fee_refunded::numeric * running / total) AS upto,
               round(fee_refunded::numeric * (running - amount) / total) AS before
        FROM (
            SELECT b.id, b.amount, p.fee_refunded,
                   sum(b.amount) OVER (PARTITION BY b.payment_id ORDER BY b.id) AS running,
                   sum(b.amount) OVER (PARTITION BY b.payment_id) AS total
            FROM refunds b JOIN payments p ON p.id = b.payment_id
            JOIN (SELECT payment_id, coalesce(sum(amount) FILTER (WHERE requested_by IS NOT NULL), 0) AS ours
                  FROM refunds WHERE transfer_amount > 0 AND status NOT IN ('planned', 'refused')
                  GROUP BY payment_id) AS o ON o.payment_id = b.payment_id
            WHERE b.transfer_amount > 0 AND b.status NOT IN ('planned', 'refused')
            AND (b.requested_by IS NOT NULL
                 OR p.fee_refunded > round(p.fee_captured::numeric * o.ours / p.amount_captured))
        ) AS each
    ) AS s WHERE s.id = r.id
    """,
]

# A refund that failed was booked as if the seller had their money again. It is the platform's until a
# transfer brings it, which is put in line here: what was taken, less the fee that came back with it.
_FAILED = (
    "FROM refunds r JOIN payments p ON p.id = r.payment_id "
    "JOIN postings t ON t.cause = r.id || ':failed' AND t.target LIKE 'seller:%'"
)
FAILED_REFUNDS = [
    "INSERT INTO postings (id, cause, kind, source, target, amount, currency, order_id, payment_id, "
    "seller_id, occurred_at, recorded_at) "
    "SELECT 'pst_' || substr(r.id, 5), r.id || ':adjusted', 'adjustment', t.target, "
    "'platform:recovered', t.amount, t.currency, t.order_id, t.payment_id, t.seller_id, now(), now() "
    f"{_FAILED}",
    "INSERT INTO transfer_movements (id, payment_id, order_id, seller_id, currency, kind, amount, cause, "
    "status, created_at, updated_at) "
    "SELECT 'mvt_' || substr(r.id, 5), p.id, p.order_id, p.seller_id, p.currency, 'transfer', "
    f"r.amount - r.fee_amount, 'refund:' || r.id, 'planned', now(), now() {_FAILED} "
    "WHERE r.amount > r.fee_amount",
    "INSERT INTO operations (id, kind, subject, order_id, idempotency_key, parameters, state, attempts, "
    "due_at, created_at) "
    "SELECT 'op_' || substr(m.id, 5), 'transfer', m.id, m.order_id, m.cause || ':transfer', "
    "json_build_object('operation_id', 'op_' || substr(m.id, 5), 'movement_id', m.id, "
    "'payment_id', p.id, 'order_id', p.order_id, 'charge_id', p.charge_id, "
    "'destination', p.destination, 'amount', m.amount, 'currency', m.currency)::text, "
    "'planned', 0, now(), now() FROM transfer_movements m JOIN payments p ON p.id = m.payment_id",
]

# What holds for orders and sellers that were there before.
BACKFILL = [
    "UPDATE orders SET expiry_due_at = checkout_expires_at WHERE status = 'checkout'",
    "UPDATE payments SET recheck_at = checked_at + interval '1 hour' WHERE status = 'succeeded'",
    *REFUNDS,
    *FAILED_REFUNDS,
    "UPDATE payments p SET transfer_reversed = t.reversed FROM ("
    "  SELECT payment_id, sum(amount) AS reversed FROM postings "
    "  WHERE kind = 'refund' AND source LIKE 'seller:%' GROUP BY payment_id) AS t "
    "WHERE p.id = t.payment_id",
    # Sellers are reminded of the holds they have, too.
    "UPDATE orders o SET deadline_due_at = p.capture_before - interval '48 hours' FROM payments p "
    "WHERE p.order_id = o.id AND p.live AND o.status = 'authorized' AND p.capture_before IS NOT NULL",
    "INSERT INTO chain_waiting (row_id, book) SELECT id, 'postings' FROM postings",
    "INSERT INTO chain_waiting (row_id, book) SELECT id, 'audit_log' FROM audit_log",
    "UPDATE order_lines l SET quantity_prepared = l.quantity FROM orders o "
    "WHERE o.id = l.order_id AND o.status = 'paid'",
]

# What was written to each other about an order is evidence later.
APPEND_ONLY = [
    "order_messages",
    "seller_events",
    "payout_items",
    "missed_events",
    "chain_links",
    "fee_schedule_retirements",
    "fee_credit_movements",
]

FUNCTIONS = [
    """
    CREATE FUNCTION guard_transfer_totals() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.transfer_reversed < OLD.transfer_reversed
           OR NEW.transfer_restored < OLD.transfer_restored THEN
            RAISE EXCEPTION 'payment %: totals never go down', OLD.id
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    END $$
    """,
    "CREATE TRIGGER payments_transfer_totals_guarded BEFORE UPDATE ON payments "
    "FOR EACH ROW EXECUTE FUNCTION guard_transfer_totals()",
    """
    CREATE FUNCTION guard_dispute() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF (NEW.id, NEW.stripe_dispute_id, NEW.payment_id, NEW.currency)
           IS DISTINCT FROM (OLD.id, OLD.stripe_dispute_id, OLD.payment_id, OLD.currency)
           OR NEW.amount_withdrawn < OLD.amount_withdrawn
           OR NEW.amount_reinstated < OLD.amount_reinstated THEN
            RAISE EXCEPTION 'dispute %: what it is about never changes, totals never go down', OLD.id
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    END $$
    """,
    "CREATE TRIGGER disputes_guarded BEFORE UPDATE ON disputes "
    "FOR EACH ROW EXECUTE FUNCTION guard_dispute()",
    # What is written into a book waits to be sealed, by the very transaction that wrote it.
    """
    CREATE FUNCTION await_sealing() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO chain_waiting (row_id, book) SELECT id, TG_TABLE_NAME FROM written;
        RETURN NULL;
    END $$
    """,
    "CREATE TRIGGER postings_await_sealing AFTER INSERT ON postings "
    "REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION await_sealing()",
    "CREATE TRIGGER audit_log_await_sealing AFTER INSERT ON audit_log "
    "REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION await_sealing()",
    """
    CREATE FUNCTION guard_payout() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF (NEW.id, NEW.account_id, NEW.seller_id, NEW.amount, NEW.currency, NEW.created_at)
           IS DISTINCT FROM
           (OLD.id, OLD.account_id, OLD.seller_id, OLD.amount, OLD.currency, OLD.created_at) THEN
            RAISE EXCEPTION 'payout %: it stays with the account it came from', OLD.id
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    END $$
    """,
    "CREATE TRIGGER payouts_guarded BEFORE UPDATE ON payouts "
    "FOR EACH ROW EXECUTE FUNCTION guard_payout()",
    """
    CREATE FUNCTION guard_debt() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF (NEW.id, NEW.seller_id, NEW.currency, NEW.amount, NEW.cause)
           IS DISTINCT FROM (OLD.id, OLD.seller_id, OLD.currency, OLD.amount, OLD.cause)
           OR NEW.amount_settled < OLD.amount_settled
           OR NEW.amount_written_off < OLD.amount_written_off THEN
            RAISE EXCEPTION 'debt %: it only shrinks by settling or writing off', OLD.id
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    END $$
    """,
    "CREATE TRIGGER debts_guarded BEFORE UPDATE ON debts "
    "FOR EACH ROW EXECUTE FUNCTION guard_debt()",
]


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="marketplace", description=DESCRIPTION)

    async def run() -> None:
        for table, name, condition in CHECKS:
            await execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
            await execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({condition})")
        for table, columns, target, target_columns in REFERENCES:
            name = f"{table}_{columns.split(',')[0]}_exists"
            await execute(
                f"ALTER TABLE {table} ADD CONSTRAINT {name} "
                f"FOREIGN KEY ({columns}) REFERENCES {target} ({target_columns})"
            )
        for statement in [*BACKFILL, *INDEXES, *FUNCTIONS]:
            await execute(statement)
        for table in APPEND_ONLY:
            await execute(
                f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
                "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
            )
            await execute(
                f"CREATE TRIGGER {table}_never_truncated BEFORE TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
            )

    manager.add_raw(run)
    return manager
