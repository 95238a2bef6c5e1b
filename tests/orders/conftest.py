"""Fixtures of orders."""

from tests.orders.shop import database

__all__ = ["database"]
