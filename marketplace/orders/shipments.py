"""What went out of a shop: the carrier and number as they are now; corrections are in the history."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from payments.database import rows


class Shipment(msgspec.Struct, frozen=True, kw_only=True):
    """One order's parcel."""

    order_id: str
    carrier: str
    tracking_number: str
    shipped_at: datetime
    updated_at: datetime


async def shipments_of(order_ids: Sequence[str]) -> dict[str, Shipment]:
    """The shipments of those of these orders that have one; one query however many there are."""
    found = await rows(
        f"SELECT {', '.join(Shipment.__struct_fields__)} FROM shipments "
        "WHERE order_id = ANY($1::text[])",
        list(order_ids),
    )
    return {record["order_id"]: Shipment(**record) for record in found}
