"""References, indexes and triggers of fee reviews, reconciliation runs and cases."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from payments.database import execute

ID = "2026-11-21T17:45:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "References, indexes and triggers of fee reviews, reconciliation and cases"

REFERENCES = [
    ("fee_reviews", "payment_id", "payments", "id"),
    ("fee_reviews", "order_id", "orders", "id"),
    ("fee_anomalies", "payment_id", "fee_reviews", "payment_id"),
    ("fee_notes", "payment_id", "fee_reviews", "payment_id"),
    ("case_notes", "case_id", "cases", "id"),
    ("reconciliation_differences", "run_id", "reconciliation_runs", "id"),
    ("reconciliation_differences", "case_id", "cases", "id"),
]

INDEXES = [
    # Lists of fees: one for each order they can be read in.
    "CREATE INDEX fee_reviews_by_time ON fee_reviews (captured_at, payment_id)",
    "CREATE INDEX fee_reviews_by_seller ON fee_reviews (seller_id, captured_at, payment_id)",
    "CREATE INDEX fee_reviews_by_fee ON fee_reviews (currency, fee_taken, payment_id)",
    "CREATE INDEX fee_reviews_by_margin ON fee_reviews (currency, net, payment_id)",
    "CREATE INDEX fee_reviews_by_rate ON fee_reviews (rate_basis_points, payment_id)",
    "CREATE INDEX fee_reviews_by_schedule ON fee_reviews (schedule_version, captured_at, payment_id)",
    "CREATE INDEX fee_reviews_flagged ON fee_reviews (captured_at, payment_id) "
    "WHERE anomalies <> '{}'",
    "CREATE INDEX fee_reviews_marked ON fee_reviews (captured_at, payment_id) "
    "WHERE reviewed_at IS NOT NULL",
    "CREATE INDEX fee_reviews_in_part ON fee_reviews (captured_at, payment_id) "
    "WHERE captured < gross",
    "CREATE INDEX fee_reviews_returned ON fee_reviews (captured_at, payment_id) "
    "WHERE fee_returned > 0",
    "CREATE INDEX fee_reviews_of_category ON fee_reviews USING gin (categories)",
    "CREATE INDEX fee_reviews_of_rule ON fee_reviews USING gin (rule_ids)",
    "CREATE INDEX fee_movements_of_payment ON fee_movements (payment_id)",
    "CREATE INDEX fee_anomalies_open ON fee_anomalies (found_at, id) WHERE resolved_at IS NULL",
    "CREATE INDEX fee_anomalies_of_payment ON fee_anomalies (payment_id)",
    "CREATE INDEX fee_notes_of_payment ON fee_notes (payment_id, id)",
    # Reconciliation.
    "CREATE INDEX balance_transactions_of_charge ON balance_transactions (charge_id) "
    "WHERE charge_id IS NOT NULL",
    "CREATE INDEX balance_transactions_by_time ON balance_transactions (created_at, id)",
    "CREATE INDEX payments_by_making ON payments (created_at, id)",
    "CREATE INDEX postings_by_recording ON postings (recorded_at, id)",
    "CREATE INDEX reconciliation_runs_due ON reconciliation_runs (leased_until) "
    "WHERE concluded_at IS NULL",
    "CREATE INDEX cases_of_state ON cases (state, id)",
    "CREATE INDEX cases_of_order ON cases (order_id) WHERE order_id IS NOT NULL",
    "CREATE INDEX case_notes_of_case ON case_notes (case_id, id)",
    "CREATE INDEX reconciliation_differences_of_run ON reconciliation_differences (run_id, id)",
    "CREATE INDEX reconciliation_differences_waiting ON reconciliation_differences (payment_id) "
    "WHERE state = 'timing'",
    # Rows come and go with every posting, and sums change all the time.
    "ALTER TABLE fee_movements SET (autovacuum_vacuum_scale_factor = 0, "
    "autovacuum_vacuum_threshold = 5000)",
    "ALTER TABLE fee_totals SET (fillfactor = 70)",
]

_OF_FEES = (
    "'capture', 'application_fee', 'processing_cost', 'refund', 'refund_failure', 'fee_refund', "
    "'dispute', 'dispute_reinstated'"
)
# What moved is noted by the transaction that posted it, and folded into the reviews afterwards.
TRIGGERS = [
    f"""
    CREATE FUNCTION note_fee_movements() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO fee_movements (payment_id, posting_id)
        SELECT payment_id, id FROM posted WHERE payment_id IS NOT NULL AND kind IN ({_OF_FEES});
        RETURN NULL;
    END $$
    """,
    "CREATE TRIGGER note_fee_movements AFTER INSERT ON postings "
    "REFERENCING NEW TABLE AS posted FOR EACH STATEMENT EXECUTE FUNCTION note_fee_movements()",
    """
    CREATE FUNCTION note_fee_transfer() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO fee_movements (payment_id) VALUES (NEW.id);
        RETURN NULL;
    END $$
    """,
    "CREATE TRIGGER note_fee_transfer AFTER UPDATE OF transfer_id ON payments FOR EACH ROW "
    "WHEN (OLD.transfer_id IS DISTINCT FROM NEW.transfer_id AND NEW.amount_captured > 0) "
    "EXECUTE FUNCTION note_fee_transfer()",
]
BACKFILL = (
    "INSERT INTO fee_movements (payment_id, posting_id) SELECT payment_id, id FROM postings "
    f"WHERE payment_id IS NOT NULL AND kind IN ({_OF_FEES}) ORDER BY id"
)
APPEND_ONLY = ["fee_notes", "case_notes"]


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="marketplace", description=DESCRIPTION)

    async def run() -> None:
        for table, column, target, target_column in REFERENCES:
            await execute(
                f"ALTER TABLE {table} ADD CONSTRAINT {table}_{column}_exists "
                f"FOREIGN KEY ({column}) REFERENCES {target} ({target_column})"
            )
        for statement in [*INDEXES, *TRIGGERS, BACKFILL]:
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
