"""Fixtures of orders."""

from tests.orders.market import market, standing, standing_paid
from tests.orders.shop import database, shop

__all__ = ["database", "market", "shop", "standing", "standing_paid"]
