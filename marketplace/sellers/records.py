"""Rows of sellers, read one at a time."""

import asyncpg

from marketplace.sellers.errors import SellerNotFound
from marketplace.sellers.profile import COLUMNS, SellerProfile
from payments.database import require_transaction, row


async def require(seller_id: str) -> SellerProfile:
    """The seller with this id. Raises SellerNotFound."""
    found = await row(f"SELECT {COLUMNS} FROM sellers WHERE id = $1", seller_id)
    return _profile(found, seller_id)


async def require_of_account(account_id: str) -> SellerProfile:
    """The seller that this account is. Raises SellerNotFound."""
    found = await row(f"SELECT {COLUMNS} FROM sellers WHERE account_id = $1", account_id)
    return _profile(found, account_id)


async def require_locked(seller_id: str) -> SellerProfile:
    """The seller, held until the open transaction ends. Raises SellerNotFound, NoTransaction."""
    require_transaction()
    found = await row(f"SELECT {COLUMNS} FROM sellers WHERE id = $1 FOR NO KEY UPDATE", seller_id)
    return _profile(found, seller_id)


def _profile(found: asyncpg.Record | None, reference: str) -> SellerProfile:
    if found is None:
        raise SellerNotFound(reference)
    return SellerProfile(**found)
