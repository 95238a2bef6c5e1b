"""What was asked for is what is approved, and a decision stands: the database refuses any other change."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from payments.database import execute

ID = "2026-11-21T20:17:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Approvals are decided once, as they were asked for"

STATEMENTS = [
    """
    CREATE FUNCTION guard_approval() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF OLD.state <> 'asked' THEN
            RAISE EXCEPTION 'approval % is decided', OLD.id
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        IF (NEW.id, NEW.action, NEW.subject, NEW.facts, NEW.reason, NEW.asked_by, NEW.asked_at)
            IS DISTINCT FROM
           (OLD.id, OLD.action, OLD.subject, OLD.facts, OLD.reason, OLD.asked_by, OLD.asked_at) THEN
            RAISE EXCEPTION 'approval % is decided as it was asked for', OLD.id
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    END $$
    """,
    "CREATE TRIGGER approvals_decided_once BEFORE UPDATE ON approvals "
    "FOR EACH ROW EXECUTE FUNCTION guard_approval()",
    "CREATE TRIGGER approvals_kept BEFORE DELETE ON approvals "
    "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER approvals_never_truncated BEFORE TRUNCATE ON approvals "
    "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
]


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="marketplace", description=DESCRIPTION)

    async def run() -> None:
        for statement in STATEMENTS:
            await execute(statement)

    manager.add_raw(run)
    return manager
