"""References, indexes and triggers of papers: numbers without gaps, and nothing issued ever changes."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from payments.database import execute

ID = "2026-11-21T19:30:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "References, indexes and triggers of papers and tax details"

REFERENCES = [
    ("papers", "seller_id", "sellers", "id"),
    ("papers", "month", "paper_months", "month"),
    ("paper_fee_lines", "paper_id", "papers", "id"),
    ("paper_fee_lines", "posting_id", "postings", "id"),
    ("paper_fee_lines", "corrects", "papers", "id"),
    ("seller_tax_details", "seller_id", "sellers", "id"),
]

INDEXES = [
    "CREATE INDEX papers_of_seller ON papers (seller_id, id)",
    "CREATE INDEX papers_of_month ON papers (month, id)",
    "CREATE INDEX paper_fee_lines_of_paper ON paper_fee_lines (paper_id, id)",
    "CREATE INDEX paper_fee_lines_of_payment ON paper_fee_lines (payment_id)",
]

TRIGGERS = [
    # What is issued together continues its series: from the number after the last, to the series' own.
    """
    CREATE FUNCTION papers_continue_their_series() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        odd record;
    BEGIN
        SELECT g.kind, g.year INTO odd FROM (
            SELECT kind, year, min(number) AS first, max(number) AS last, count(*) AS papers
            FROM issued GROUP BY kind, year
        ) AS g
        WHERE g.last - g.first + 1 <> g.papers
           OR g.first <> 1 + coalesce((SELECT max(p.number) FROM papers p
               WHERE p.kind = g.kind AND p.year = g.year AND p.number < g.first), 0)
           OR g.last IS DISTINCT FROM (SELECT s.last_number FROM paper_series s
               WHERE s.kind = g.kind AND s.year = g.year)
        LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'papers of % % would not continue their series', odd.kind, odd.year
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NULL;
    END $$
    """,
    "CREATE TRIGGER papers_continue_their_series AFTER INSERT ON papers "
    "REFERENCING NEW TABLE AS issued FOR EACH STATEMENT "
    "EXECUTE FUNCTION papers_continue_their_series()",
    # At commit: no number was taken without its paper.
    """
    CREATE FUNCTION paper_series_is_used() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF (SELECT s.last_number FROM paper_series s WHERE s.id = NEW.id) IS DISTINCT FROM
           (SELECT max(p.number) FROM papers p WHERE p.kind = NEW.kind AND p.year = NEW.year) THEN
            RAISE EXCEPTION 'series %: a number without its paper', NEW.id
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NULL;
    END $$
    """,
    "CREATE CONSTRAINT TRIGGER paper_series_is_used AFTER INSERT OR UPDATE ON paper_series "
    "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION paper_series_is_used()",
    # Which postings a month covers is decided once.
    """
    CREATE FUNCTION guard_paper_month() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF (NEW.month, NEW.sealed_through, NEW.late, NEW.closed_at)
           IS DISTINCT FROM (OLD.month, OLD.sealed_through, OLD.late, OLD.closed_at) THEN
            RAISE EXCEPTION 'month %: what it covers is fixed', OLD.month
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    END $$
    """,
    "CREATE TRIGGER paper_months_guarded BEFORE UPDATE ON paper_months "
    "FOR EACH ROW EXECUTE FUNCTION guard_paper_month()",
]
APPEND_ONLY = ["papers", "paper_fee_lines", "paper_issuers"]
NEVER_DELETED = ["paper_series", "paper_months"]


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="marketplace", description=DESCRIPTION)

    async def run() -> None:
        for table, column, target, target_column in REFERENCES:
            await execute(
                f"ALTER TABLE {table} ADD CONSTRAINT {table}_{column}_exists "
                f"FOREIGN KEY ({column}) REFERENCES {target} ({target_column})"
            )
        for statement in [*INDEXES, *TRIGGERS]:
            await execute(statement)
        for tables, events in ((APPEND_ONLY, "UPDATE OR DELETE"), (NEVER_DELETED, "DELETE")):
            for table in tables:
                await execute(
                    f"CREATE TRIGGER {table}_append_only BEFORE {events} ON {table} "
                    "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
                )
                await execute(
                    f"CREATE TRIGGER {table}_never_truncated BEFORE TRUNCATE ON {table} "
                    "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
                )

    manager.add_raw(run)
    return manager
