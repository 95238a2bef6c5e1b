"""What must be true of money, orders and books whenever anybody looks: rules, as queries that find breaches.

`check.py` asks them; the worker asks every few minutes about what is recent, `marketplace check` about
everything. The database enforces most of them too: here they are proven, not hoped for.
"""
