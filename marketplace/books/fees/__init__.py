"""The fee review: what the platform took of each payment, by which rule, and what it has left of it.

Every figure is a sum of postings. A trigger writes each posting that matters into `fee_movements`; a sweep
folds these into one row per payment (`fee_reviews`) and into sums per day and month (`fee_totals`). A summary
is those sums and what is still waiting, read in one snapshot: exact at every moment, and fast.
"""
