"""Fixtures of the catalog."""

from tests.orders.shop import database

__all__ = ["database"]
