"""Books: reports over the ledger. Every figure is a sum of postings."""
