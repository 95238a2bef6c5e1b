"""What admins look through: refunds and e-mails that ended otherwise than most, rare postings, a key's acts."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from payments.database import execute

ID = "2026-11-21T20:43:49:000000"
VERSION = "1.38.0"
DESCRIPTION = "Indexes of what admins look through"

STATEMENTS = [
    "CREATE INDEX refunds_by_time ON refunds (created_at, id)",
    "CREATE INDEX refunds_unfinished ON refunds (status, created_at, id) "
    "WHERE status <> 'succeeded'",
    # What one person gave back within a day, and lately.
    "CREATE INDEX refunds_of_requester ON refunds (requested_by, created_at, id)",
    "CREATE INDEX messages_unsent ON messages (state, id) WHERE state <> 'sent'",
    "CREATE INDEX postings_of_few_kinds ON postings (kind, id) "
    "WHERE kind NOT IN ('capture', 'application_fee', 'processing_cost')",
    "CREATE INDEX audit_log_of_key ON audit_log (api_key_id, id) WHERE api_key_id IS NOT NULL",
]


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="marketplace", description=DESCRIPTION)

    async def run() -> None:
        for statement in STATEMENTS:
            await execute(statement)

    manager.add_raw(run)
    return manager
