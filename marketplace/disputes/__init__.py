"""Disputes as sellers and admins work on them: the evidence, its deadline, and who may say what.

What Stripe and the books do is in `payments`; here it is decided who sees a dispute and what is said to the
bank.
"""
