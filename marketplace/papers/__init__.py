"""Papers: what a seller books and hands on, numbered without gaps and frozen (docs/decisions/0032).

Decides which postings a month's statement, fee invoice and credit note cover, and what their numbers are.
The figures are the ledger's; the names and addresses those of the moment of issue.
"""
