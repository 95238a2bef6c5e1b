"""Rules of papers: numbers without gaps, and sums that are the ledger's, each posting on one paper only."""

from typing import Final

from marketplace.invariants.rule import Rule
from marketplace.papers.covering import FEE_KINDS, LEG, MINE

_FEES: Final = ", ".join(f"'{kind}'" for kind in FEE_KINDS)
# The closed month that covers a sealed posting: its own, or the later one that found it late.
_COVERING: Final = """
    FROM postings p JOIN chain_links l ON l.row_id = p.id AND l.book = 'postings'
    JOIN paper_months m ON (m.month = to_char(p.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM')
        AND l.position <= m.sealed_through) OR p.id = ANY(m.late)
"""
# Not of a seller whose papers of that month could not be issued yet: admins see those wait.
_ISSUED: Final = """NOT EXISTS (
    SELECT FROM papers_waiting w WHERE w.seller_id = p.seller_id AND w.month = m.month)"""

PAPERS: Final = (
    Rule(
        code="P1",
        name="every paper's number follows the one before, from 1 to its series' last",
        query="""
        SELECT p.name FROM papers p WHERE p.id >= 'ppr_' || $1 AND p.number > 1
        AND NOT EXISTS (SELECT FROM papers b WHERE b.kind = p.kind AND b.year = p.year
            AND b.number = p.number - 1)
        UNION ALL SELECT s.id FROM paper_series s WHERE s.last_number IS DISTINCT FROM (
            SELECT max(p.number) FROM papers p WHERE p.kind = s.kind AND p.year = s.year)""",
    ),
    Rule(
        code="P2",
        name="a statement opens with what the one before closed with",
        query="""
        SELECT p.id FROM papers p JOIN LATERAL (
            SELECT b.closing FROM papers b WHERE b.kind = 'statement' AND b.seller_id = p.seller_id
            AND b.currency = p.currency AND b.month < p.month ORDER BY b.month DESC LIMIT 1
        ) AS b ON true
        WHERE p.kind = 'statement' AND p.id >= 'ppr_' || $1 AND p.opening <> b.closing""",
    ),
    Rule(
        code="P3",
        name="an invoice or credit note is the sum of its lines",
        query="""
        SELECT p.id FROM papers p LEFT JOIN paper_fee_lines f ON f.paper_id = p.id
        WHERE p.kind <> 'statement' AND p.id >= 'ppr_' || $1 GROUP BY p.id
        HAVING p.total <> coalesce(abs(sum(f.amount)), 0)
            OR p.fee_tax <> CASE p.kind WHEN 'credit_note' THEN -1 ELSE 1 END * coalesce(sum(f.fee_tax), 0)
            OR p.postings <> count(DISTINCT f.posting_id)""",
    ),
    # Over everything there is, or not at all: what is frozen need not be counted again every few minutes.
    Rule(
        code="P4",
        name="a statement is the sum of the postings it covers, and all of them are on one",
        query=f"""
        SELECT coalesce(kept.id, counted.seller_id || ':' || counted.currency || ':' || counted.month)
        FROM (
            SELECT p.seller_id, p.currency, m.month, sum({LEG}) AS total, count(*) AS postings
            {_COVERING} WHERE m.concluded_at IS NOT NULL AND {_ISSUED} AND {MINE} GROUP BY 1, 2, 3
        ) AS counted FULL JOIN (
            SELECT p.* FROM papers p JOIN paper_months m ON m.month = p.month
            WHERE p.kind = 'statement' AND m.concluded_at IS NOT NULL
        ) AS kept USING (seller_id, currency, month)
        WHERE $1 = '' AND (kept.total, kept.postings) IS DISTINCT FROM (counted.total, counted.postings)""",
    ),
    Rule(
        code="P5",
        name="a fee that was taken or returned is on one invoice or credit note, to the unit",
        query=f"""
        SELECT coalesce(owed.id, told.posting_id) FROM (
            SELECT p.id, CASE p.kind WHEN 'application_fee' THEN p.amount ELSE -p.amount END AS amount,
                m.month
            {_COVERING} WHERE m.concluded_at IS NOT NULL AND {_ISSUED} AND p.kind IN ({_FEES}) AND {MINE}
        ) AS owed FULL JOIN (
            SELECT f.posting_id, sum(f.amount) AS amount, min(n.month) AS month
            FROM paper_fee_lines f JOIN papers n ON n.id = f.paper_id
            JOIN paper_months m ON m.month = n.month AND m.concluded_at IS NOT NULL
            GROUP BY f.posting_id HAVING count(DISTINCT f.paper_id) = 1
        ) AS told ON told.posting_id = owed.id
        WHERE $1 = '' AND (owed.amount, owed.month) IS DISTINCT FROM (told.amount, told.month)""",
    ),
    Rule(
        code="P6",
        name="a seller's last statement closes with what the ledger had for them",
        query=f"""
        SELECT last.id FROM (
            SELECT DISTINCT ON (n.seller_id, n.currency) n.id, n.seller_id, n.currency, n.closing,
                m.sealed_through, (m.month || '-01')::timestamp + interval '1 month' AS until
            FROM papers n JOIN paper_months m ON m.month = n.month AND m.concluded_at IS NOT NULL
            WHERE n.kind = 'statement' ORDER BY n.seller_id, n.currency, n.month DESC
        ) AS last
        WHERE $1 = '' AND last.closing <> (
            SELECT coalesce(sum({LEG}), 0) FROM postings p
            JOIN chain_links l ON l.row_id = p.id AND l.book = 'postings'
                AND l.position <= last.sealed_through
            WHERE p.seller_id = last.seller_id AND p.currency = last.currency AND {MINE}
            AND p.recorded_at < last.until AT TIME ZONE 'UTC')""",
    ),
)
