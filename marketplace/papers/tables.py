"""Tables of papers: statements, fee invoices and credit notes. Amounts are minor units.

Append-only by trigger, all but the months' progress and the series' last numbers; a series may only move
together with the papers that got its numbers (triggers in the migrations).
"""

from piccolo.columns import Array, BigInt, Integer, Text, Timestamptz, Varchar
from piccolo.constraints import Check, Unique
from piccolo.table import Table

_KINDS = "kind IN ('statement', 'fee_invoice', 'credit_note')"


class PaperIssuer(Table, tablename="paper_issuers"):
    """Who issues papers, as an admin last said it: the newest row. Append-only by trigger."""

    id = Varchar(length=40, primary_key=True, default=None)
    # JSON: legal name, address, tax numbers.
    details = Text(default=None)
    # The first month (YYYY-MM) that papers are issued of.
    papers_from = Varchar(length=7, default=None)
    set_by = Varchar(length=60, default=None)
    set_at = Timestamptz(default=None)


class PaperMonth(Table, tablename="paper_months"):
    """A month whose postings are fixed: those recorded in it and sealed, and those that came late."""

    # YYYY-MM
    month = Varchar(length=7, primary_key=True, default=None)
    # The place in the ledger's chain up to which postings are covered.
    sealed_through = BigInt(default=None)
    # Postings of earlier months that were sealed after those had been closed.
    late = Array(base_column=Varchar(), default=None)
    closed_at = Timestamptz(default=None)
    # How far the issuing got, by seller; null before the first and after the last.
    seller_after = Varchar(length=40, default=None, null=True)
    concluded_at = Timestamptz(default=None, null=True)


class PapersWaiting(Table, tablename="papers_waiting"):
    """A seller's papers of a closed month that could not be issued yet: deleted when they are."""

    # month:seller
    id = Varchar(length=60, primary_key=True, default=None)
    month = Varchar(length=7, default=None)
    seller_id = Varchar(length=40, default=None)
    # The kind of error, or that an earlier month waits.
    failure = Varchar(length=80, default=None)
    tries = Integer(default=None)
    since = Timestamptz(default=None)
    due_at = Timestamptz(default=None)


class PaperSeries(Table, tablename="paper_series"):
    """The last number of a kind in a year: its row is locked by who issues, until they are done."""

    # kind:year
    id = Varchar(length=20, primary_key=True, default=None)
    kind = Varchar(length=12, default=None)
    year = Integer(default=None)
    last_number = Integer(default=None)

    paper_series_once = Unique([kind, year])
    paper_series_kind_known = Check(_KINDS)
    paper_series_positive = Check("last_number > 0")


class Paper(Table, tablename="papers"):
    """A paper as it was issued: it never changes."""

    id = Varchar(length=40, primary_key=True, default=None)
    kind = Varchar(length=12, default=None)
    # Of issue (UTC), and 1, 2, 3, ... in it.
    year = Integer(default=None)
    number = Integer(default=None)
    # As it is printed: FI-2026-000001.
    name = Varchar(length=20, default=None, unique=True)
    seller_id = Varchar(length=40, default=None)
    currency = Varchar(length=3, default=None)
    # The month it is of, YYYY-MM.
    month = Varchar(length=7, default=None)
    issued_at = Timestamptz(default=None)
    # What a statement's balance was, what moved, and what it became; an invoice has its total only.
    opening = BigInt(default=None, null=True)
    total = BigInt(default=None)
    closing = BigInt(default=None, null=True)
    # What an invoice's or credit note's total is made of; null on a statement.
    fee_net = BigInt(default=None, null=True)
    fee_tax = BigInt(default=None, null=True)
    service_fee = BigInt(default=None, null=True)
    # How many postings it covers.
    postings = Integer(default=None)
    # JSON: issuer and seller as they were, and the sums by kind or by rate of tax.
    facts = Text(default=None)

    papers_kind_known = Check(_KINDS)
    papers_number_once = Unique([kind, year, number])
    papers_month_once = Unique([seller_id, currency, month, kind])
    papers_number_positive = Check("number > 0 AND postings > 0")
    papers_statement_exact = Check(
        "kind <> 'statement' OR (opening IS NOT NULL AND closing IS NOT NULL "
        "AND closing = opening + total AND fee_net IS NULL AND fee_tax IS NULL AND service_fee IS NULL)"
    )
    papers_invoice_exact = Check(
        "kind = 'statement' OR (opening IS NULL AND closing IS NULL AND total >= 0 "
        "AND fee_net IS NOT NULL AND fee_tax IS NOT NULL AND service_fee IS NOT NULL "
        "AND total = fee_net + fee_tax + service_fee)"
    )


class PaperFeeLine(Table, tablename="paper_fee_lines"):
    """A fee taken or returned, on the one invoice or credit note that covers it; one for each rate of tax.

    Amounts are what the seller is charged: below zero for a fee that was returned.
    """

    # posting:rate of tax
    id = Varchar(length=60, primary_key=True, default=None)
    paper_id = Varchar(length=40, default=None)
    posting_id = Varchar(length=40, default=None)
    payment_id = Varchar(length=40, default=None)
    order_id = Varchar(length=40, default=None)
    tax_basis_points = Integer(default=None)
    amount = BigInt(default=None)
    fee_net = BigInt(default=None)
    fee_tax = BigInt(default=None)
    # The buyer's service fee in it: passed through, not charged to the seller.
    service_fee = BigInt(default=None)
    # The invoice that a credit note's line corrects; null when the fee is older than the papers.
    corrects = Varchar(length=40, default=None, null=True)
    occurred_at = Timestamptz(default=None)

    paper_fee_lines_once = Unique([posting_id, tax_basis_points])
    paper_fee_lines_exact = Check("amount = fee_net + fee_tax + service_fee")
