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
    "CREATE INDEX webhook_deliveries_due ON webhook_deliveries (due_at) WHERE due_at IS NOT NULL",
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
    "CREATE INDEX fee_returns_of_payment ON fee_returns (payment_id)",
    "CREATE INDEX disputes_of_order ON disputes (order_id)",
    "CREATE INDEX disputes_of_payment ON disputes (payment_id)",
    "CREATE INDEX disputes_of_seller ON disputes (seller_id, id)",
    "CREATE INDEX fraud_warnings_of_payment ON fraud_warnings (payment_id)",
    "CREATE INDEX debts_of_seller ON debts (seller_id, id)",
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

# What holds for orders and sellers that were there before.
BACKFILL = [
    "UPDATE orders SET expiry_due_at = checkout_expires_at WHERE status = 'checkout'",
    "UPDATE payments SET recheck_at = checked_at + interval '1 hour' WHERE status = 'succeeded'",
    "UPDATE refunds r SET transfer_amount = r.amount FROM postings t "
    "WHERE t.cause = r.id || ':refunded' AND t.source LIKE 'seller:%'",
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
