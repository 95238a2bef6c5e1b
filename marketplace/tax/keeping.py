"""Tax details kept and read: by their seller, and by admins who may. Every change is on record, by the names
of what changed and never by what it was: the audit log is for ever, personal data is not."""

from datetime import datetime

import msgspec

from marketplace.oversight import audit
from marketplace.sellers import records
from marketplace.tax.details import TaxDetails, changed, checked
from payments.database import execute, row, transaction


class KeptDetails(msgspec.Struct, frozen=True, kw_only=True):
    """A seller's details (None: nothing was told), and who told them last."""

    seller_id: str
    details: TaxDetails | None = None
    updated_by: str | None = None
    updated_at: datetime | None = None


async def find(seller_id: str) -> KeptDetails:
    """What is known of the seller."""
    found = await row(
        "SELECT details, updated_by, updated_at FROM seller_tax_details WHERE seller_id = $1",
        seller_id,
    )
    if found is None:
        return KeptDetails(seller_id=seller_id)
    return KeptDetails(
        seller_id=seller_id,
        details=msgspec.json.decode(found["details"], type=TaxDetails),
        updated_by=found["updated_by"],
        updated_at=found["updated_at"],
    )


async def keep(seller_id: str, told: TaxDetails, *, actor: str, now: datetime) -> KeptDetails:
    """Replace the seller's details. Papers that were issued keep what they say.

    Raises TaxDetailsRefused, SellerNotFound.
    """
    details = checked(told, now.date())
    async with transaction():
        await records.require_locked(seller_id)
        before = await find(seller_id)
        names = changed(before.details, details)
        if not names:
            return before
        await execute(
            "INSERT INTO seller_tax_details (seller_id, details, updated_by, updated_at) "
            "VALUES ($1, $2, $3, $4) ON CONFLICT (seller_id) DO UPDATE SET "
            "(details, updated_by, updated_at) = ROW($2, $3, $4)",
            seller_id,
            msgspec.json.encode(details).decode(),
            actor,
            now,
        )
        await audit.record(
            actor=actor,
            action="tax_details.changed",
            subject=seller_id,
            after={"fields": names},
            now=now,
        )
    return KeptDetails(seller_id=seller_id, details=details, updated_by=actor, updated_at=now)
