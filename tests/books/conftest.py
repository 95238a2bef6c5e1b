"""Fixtures of books."""

from tests.orders.market import market, standing
from tests.orders.shop import database, shop

__all__ = ["database", "market", "shop", "standing"]
