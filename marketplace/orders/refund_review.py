"""Refunds of all orders, as admins look through them."""

from datetime import datetime
from typing import Literal

import msgspec

from marketplace.oversight.errors import RangeRefused
from marketplace.paging import Page, PageRequest
from payments.database import rows
from payments.records import REFUND_COLUMNS, RefundRecord

RefundStatus = Literal[
    "planned", "refused", "pending", "requires_action", "succeeded", "failed", "canceled"
]


class RefundFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which refunds to list; None means any. `since` and `until` (not included): when it was asked for."""

    status: RefundStatus | None = None
    seller_id: str | None = None
    order_id: str | None = None
    requested_by: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class ReviewedRefund(RefundRecord, frozen=True, kw_only=True):
    """A refund with whose order it is of."""

    seller_id: str


async def refunds(wanted: RefundFilter, page: PageRequest) -> Page[ReviewedRefund]:
    """Refunds that fit, the last one asked for first. Raises RangeRefused."""
    if wanted.since is not None and wanted.until is not None and wanted.until <= wanted.since:
        raise RangeRefused(wanted.since, wanted.until)
    # Only the conditions that are given are sent, so that each list can use its own index.
    asked = {
        "r.status = $": wanted.status,
        "r.order_id IN (SELECT id FROM orders WHERE seller_id = $)": wanted.seller_id,
        "r.order_id = $": wanted.order_id,
        "r.requested_by = $": wanted.requested_by,
        "r.created_at >= $": wanted.since,
        "r.created_at < $": wanted.until,
        "(r.created_at, r.id) < (SELECT created_at, id FROM refunds WHERE id = $)": page.starting_after,
    }
    given = {condition: argument for condition, argument in asked.items() if argument is not None}
    fitting = [each.replace("$", f"${place}") for place, each in enumerate(given, start=1)]
    if wanted.status not in (None, "succeeded"):
        fitting.append(UNFINISHED)
    found = await rows(
        f"SELECT {_COLUMNS}, p.seller_id FROM refunds r JOIN payments p ON p.id = r.payment_id "
        f"WHERE {' AND '.join(['true', *fitting])} "
        f"ORDER BY r.created_at DESC, r.id DESC LIMIT {page.fetched}",
        *given.values(),
    )
    return Page.cut([ReviewedRefund(**record) for record in found], page)


UNFINISHED = "r.status <> 'succeeded'"
"""Of refunds that are in an index of their own: (status, created_at, id)."""
_COLUMNS = ", ".join(f"r.{name.strip()}" for name in REFUND_COLUMNS.split(","))
