"""A payment that was given up may have been asked for another amount, by an update whose answer got lost: when
its money shows up, what came is what counts, as for every other payment.
"""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from payments.database import execute

ID = "2026-11-22T00:06:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Payments that come back with another amount"

GUARD = """
CREATE OR REPLACE FUNCTION guard_payment() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE comes_back boolean := coalesce(OLD.status = 'canceled'
    AND OLD.cancellation_reason = 'unknown_to_stripe'
    AND NEW.status IN ('requires_capture', 'succeeded', 'requires_payment_method'), false);
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
       AND (NEW.amount, NEW.application_fee) IS DISTINCT FROM (OLD.amount, OLD.application_fee)
       AND NOT comes_back THEN
        RAISE EXCEPTION 'payment %: the amount is frozen once authorized', OLD.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF OLD.status IN ('succeeded', 'canceled', 'refused') AND NEW.status <> OLD.status
       AND NOT comes_back THEN
        RAISE EXCEPTION 'payment %: % is final', OLD.id, OLD.status
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.live AND NOT OLD.live AND NOT comes_back THEN
        RAISE EXCEPTION 'payment %: a dead payment does not rise', OLD.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="marketplace", description=DESCRIPTION)

    async def run() -> None:
        await execute(GUARD)

    manager.add_raw(run)
    return manager
