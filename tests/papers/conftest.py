"""Fixtures of papers."""

from tests.orders.shop import database

__all__ = ["database"]
