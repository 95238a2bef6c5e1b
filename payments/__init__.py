"""payments moves the money of one order and keeps the books.

It decides how a payment is asked for at Stripe, what became of it, and what the ledger says about it.
It knows an order by its id only, and a seller by an id and a connected account: whether that seller may
be paid is vouched for elsewhere, before anything here is called.

May import: the standard library, msgspec, piccolo, asyncpg; Stripe's client in two files only
(`stripe_client.py`, `stripe_gateway.py`). Never `connect`, never `marketplace`: facts travel upward as
event values (`events.py`) handed to a function the composition root passed in.
"""
