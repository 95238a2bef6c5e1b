"""connect vouches: may this seller be paid?

It keeps a snapshot of each seller's connected account (Accounts v2, `recipient` configuration),
opens accounts, makes onboarding and dashboard links, and gives a verdict with machine-readable
reasons. It follows payouts to sellers' banks and posts them. It does not know listings, orders or
fees, and moves no money.

May import: `payments` (ids, database, the operations journal, the Stripe client), the standard
library, msgspec, piccolo; Stripe's client in `stripe_accounts.py` only. Never `marketplace`.
"""
