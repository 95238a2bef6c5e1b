"""Orders: totals, statuses, checkout, preparation, cancellation, refunds, and reactions to payments.

The order decides; its payment only reports. One table says which step is legal (`order_states.py`).
"""
