"""Oversight: who decided what and why, what is stopped, and what wants a look.

The audit log, acts that need two admins, kill switches, Stripe's events, the journal of what was asked of
Stripe, reconciliation and its cases. It moves no order: those who do ask it, and write their decisions here.
"""
