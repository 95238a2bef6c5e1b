"""Fixtures of fees."""

from tests.orders.market import market
from tests.orders.shop import database, shop

__all__ = ["database", "market", "shop"]
