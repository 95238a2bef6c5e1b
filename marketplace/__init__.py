"""marketplace decides: the business, and the only package with HTTP.

Who may sell, what a listing costs, what an order is and may become, what the platform earns. It asks
connect whether a seller can be paid and payments to move the money; it never speaks to Stripe itself.

May import: `connect`, `payments`, litestar (only in `api`, `pages`, `app.py` and `__main__.py`).
"""
