"""Sellers: the profile, the platform's decision about it, and connect's verdict as sellers see it.

Approval by the platform and readiness of the connected account are two separate facts.
"""
