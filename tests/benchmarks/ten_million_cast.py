"""Who is in the database of ten million payments, and how they sign in."""

from datetime import UTC, datetime

SELLERS = 2_000
NOW = datetime(2026, 11, 5, tzinfo=UTC)
"""The end of the three years that were filled."""
ADMIN, BUYER, OWNER = "acc_admin", "acc_buyer", "acc_owner"
"""An admin, a buyer of every thousandth order, and whose the biggest seller is."""
TOKEN = {one: f"mk_test_{one[4:]:0<43}" for one in (ADMIN, BUYER, OWNER)}
