"""What must never be, said to the database: references, one live payment, append-only books.

Written by hand because Piccolo's tables cannot say partial indexes, composite references or triggers.
"""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from payments.database import execute

ID = "2026-11-21T13:30:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "References, partial and list indexes, triggers"

REFERENCES = [
    ("sessions", "account_id", "accounts", "id"),
    ("api_keys", "account_id", "accounts", "id"),
    ("sellers", "account_id", "accounts", "id"),
    ("connected_accounts", "seller_id", "sellers", "id"),
    ("listings", "seller_id", "sellers", "id"),
    ("orders", "buyer_id", "accounts", "id"),
    ("orders", "seller_id", "sellers", "id"),
    ("orders", "fee_schedule_id", "fee_schedules", "id"),
    ("order_lines", "order_id", "orders", "id"),
    ("order_lines", "listing_id", "listings", "id"),
    ("order_steps", "order_id", "orders", "id"),
    ("stock_reservations", "order_id", "orders", "id"),
    ("stock_reservations", "listing_id", "listings", "id"),
    # An order's currency can never differ between the order, its payments, refunds and postings.
    ("payments", "order_id, currency", "orders", "id, currency"),
    ("refunds", "payment_id, order_id, currency", "payments", "id, order_id, currency"),
    ("postings", "payment_id, order_id, currency", "payments", "id, order_id, currency"),
    ("attempts", "payment_id", "payments", "id"),
]

INDEXES = [
    # One live payment per order: the rule every other defence stands on.
    "CREATE UNIQUE INDEX payments_one_live_per_order ON payments (order_id) WHERE live",
    # One capture per payment that Stripe did not refuse.
    "CREATE UNIQUE INDEX operations_one_capture ON operations (subject) "
    "WHERE kind = 'capture_intent' AND state <> 'rejected'",
    # Sweeps: state is the queue, so each has an index over just its due rows.
    "CREATE INDEX operations_due ON operations (due_at) WHERE due_at IS NOT NULL",
    "CREATE INDEX stripe_events_due ON stripe_events (due_at) WHERE due_at IS NOT NULL",
    "CREATE INDEX orders_checkout_expiry ON orders (checkout_expires_at) WHERE status = 'checkout'",
    "CREATE INDEX payments_to_check ON payments (checked_at) "
    "WHERE live AND status <> 'succeeded'",
    "CREATE INDEX refunds_on_their_way ON refunds (payment_id) "
    "WHERE status IN ('pending', 'requires_action')",
    "CREATE INDEX idempotent_requests_age ON idempotent_requests (started_at)",
    "CREATE INDEX sessions_expiry ON sessions (expires_at)",
    # Lists.
    "CREATE INDEX orders_of_buyer ON orders (buyer_id, id)",
    "CREATE INDEX orders_of_seller ON orders (seller_id, id)",
    "CREATE INDEX listings_public ON listings (id) WHERE status = 'active'",
    "CREATE INDEX listings_of_seller ON listings (seller_id, id)",
    "CREATE INDEX operations_of_order ON operations (order_id, id)",
    "CREATE INDEX operations_of_subject ON operations (subject, kind)",
    "CREATE INDEX refunds_of_order ON refunds (order_id, id)",
    "CREATE INDEX refunds_of_payment ON refunds (payment_id)",
    "CREATE INDEX attempts_of_order ON attempts (order_id, id)",
    "CREATE INDEX payments_of_fee ON payments (application_fee_id) "
    "WHERE application_fee_id IS NOT NULL",
    "CREATE INDEX payments_of_seller ON payments (seller_id, id)",
    "CREATE INDEX postings_captures ON postings (payment_id) WHERE kind = 'capture'",
    "CREATE INDEX postings_of_order ON postings (order_id, id)",
    "CREATE INDEX postings_of_payment ON postings (payment_id, kind)",
    "CREATE INDEX postings_by_day ON postings (kind, occurred_at)",
    "CREATE INDEX postings_of_seller ON postings (seller_id, kind, occurred_at)",
    "CREATE INDEX postings_recorded ON postings (recorded_at)",
    "CREATE INDEX audit_log_of_subject ON audit_log (subject, id)",
    "CREATE INDEX audit_log_of_actor ON audit_log (actor, id)",
    "CREATE INDEX sellers_by_approval ON sellers (approval, id)",
]

APPEND_ONLY = ["postings", "order_steps", "audit_log", "fee_schedules"]

FUNCTIONS = [
    """
    CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
            USING ERRCODE = 'integrity_constraint_violation';
    END $$
    """,
    # Totals never go down, what was asked never changes, a settled payment stays settled.
    """
    CREATE FUNCTION guard_payment() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF (NEW.id, NEW.order_id, NEW.seller_id, NEW.generation, NEW.currency, NEW.destination,
            NEW.capture_method, NEW.created_at)
           IS DISTINCT FROM
           (OLD.id, OLD.order_id, OLD.seller_id, OLD.generation, OLD.currency, OLD.destination,
            OLD.capture_method, OLD.created_at)
           OR (OLD.intent_id IS NOT NULL AND NEW.intent_id IS DISTINCT FROM OLD.intent_id) THEN
            RAISE EXCEPTION 'payment %: what was asked never changes', OLD.id
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        IF NEW.amount_captured < OLD.amount_captured OR NEW.fee_captured < OLD.fee_captured
           OR NEW.fee_refunded < OLD.fee_refunded OR NEW.processing_cost < OLD.processing_cost THEN
            RAISE EXCEPTION 'payment %: totals never go down', OLD.id
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        IF OLD.status IN ('requires_capture', 'succeeded', 'canceled')
           AND (NEW.amount, NEW.application_fee) IS DISTINCT FROM (OLD.amount, OLD.application_fee) THEN
            RAISE EXCEPTION 'payment %: the amount is frozen once authorized', OLD.id
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        IF OLD.status IN ('succeeded', 'canceled', 'refused') AND NEW.status <> OLD.status THEN
            RAISE EXCEPTION 'payment %: % is final', OLD.id, OLD.status
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        IF NEW.live AND NOT OLD.live THEN
            RAISE EXCEPTION 'payment %: a dead payment does not rise', OLD.id
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    END $$
    """,
    # What is sent again is exactly what was sent first.
    """
    CREATE FUNCTION guard_operation() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF (NEW.id, NEW.kind, NEW.subject, NEW.idempotency_key, NEW.parameters, NEW.created_at)
           IS DISTINCT FROM
           (OLD.id, OLD.kind, OLD.subject, OLD.idempotency_key, OLD.parameters, OLD.created_at) THEN
            RAISE EXCEPTION 'operation %: frozen', OLD.id
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        IF OLD.concluded_at IS NOT NULL AND NEW.state <> OLD.state THEN
            RAISE EXCEPTION 'operation %: concluded as %', OLD.id, OLD.state
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE FUNCTION guard_order() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF (NEW.id, NEW.buyer_id, NEW.seller_id, NEW.currency, NEW.idempotency_key, NEW.created_at)
           IS DISTINCT FROM
           (OLD.id, OLD.buyer_id, OLD.seller_id, OLD.currency, OLD.idempotency_key, OLD.created_at) THEN
            RAISE EXCEPTION 'order %: buyer, seller and currency never change', OLD.id
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    END $$
    """,
]

# Only a hint that there is work: a worker that missed it finds the rows by itself.
WAKE = [
    """
    CREATE FUNCTION wake_workers() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_notify('marketplace_work', TG_TABLE_NAME);
        RETURN NULL;
    END $$
    """,
    "CREATE TRIGGER stripe_events_wake AFTER INSERT ON stripe_events "
    "FOR EACH STATEMENT EXECUTE FUNCTION wake_workers()",
]

GUARDS = [("payments", "guard_payment"), ("operations", "guard_operation"), ("orders", "guard_order")]

# An lz4 column costs half of pglz's time on the webhook receipt; a server built without it keeps pglz.
COMPRESSION = """
DO $$ BEGIN
    ALTER TABLE stripe_events ALTER COLUMN payload SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN NULL;
END $$
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="marketplace", description=DESCRIPTION)

    async def run() -> None:
        for table, columns, target, target_columns in REFERENCES:
            name = f"{table}_{columns.split(',')[0]}_exists"
            await execute(
                f"ALTER TABLE {table} ADD CONSTRAINT {name} "
                f"FOREIGN KEY ({columns}) REFERENCES {target} ({target_columns})"
            )
        for statement in [*INDEXES, *FUNCTIONS, COMPRESSION, *WAKE]:
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
        for table, function in GUARDS:
            await execute(
                f"CREATE TRIGGER {table}_guarded BEFORE UPDATE ON {table} "
                f"FOR EACH ROW EXECUTE FUNCTION {function}()"
            )

    manager.add_raw(run)
    return manager
