"""Fixtures of messages."""

from tests.orders.shop import database, shop

__all__ = ["database", "shop"]
