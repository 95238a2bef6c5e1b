"""Sellers: the profile, the platform's approval and suspension, and connect's verdict as sellers see it.

Approval by the platform and readiness of the connected account are two separate facts.
"""
