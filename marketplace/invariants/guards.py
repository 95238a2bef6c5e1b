"""Rules of the database itself: what must never change is still guarded by it."""

from typing import Final

from marketplace.invariants.rule import Rule

APPEND_ONLY: Final = (
    "audit_log",
    "case_notes",
    "chain_links",
    "fee_credit_movements",
    "fee_notes",
    "fee_schedule_retirements",
    "fee_schedules",
    "missed_events",
    "order_messages",
    "order_steps",
    "payout_items",
    "postings",
    "seller_events",
)
"""Tables whose rows are never changed or deleted."""
_EXPECTED: Final = ", ".join(
    f"('{table}', '{table}_{guard}')"
    for table in APPEND_ONLY
    for guard in ("append_only", "never_truncated")
)

GUARDS: Final = (
    Rule(
        code="L2",
        name="the triggers that keep books, histories and logs from being changed are awake",
        query=f"""
        SELECT e.name FROM (VALUES {_EXPECTED},
            ('postings', 'postings_await_sealing'), ('audit_log', 'audit_log_await_sealing'),
            ('payments', 'payments_guarded'), ('operations', 'operations_guarded')) AS e (relation, name)
        LEFT JOIN pg_trigger t ON t.tgname = e.name AND t.tgrelid = to_regclass(e.relation)
        WHERE $1::text IS NOT NULL AND (t.tgname IS NULL OR t.tgenabled = 'D')""",
    ),
)
