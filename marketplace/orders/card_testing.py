"""What slows card testing down: who tries stolen cards needs many checkouts, confirmations and declines."""

import math
from datetime import datetime, timedelta
from typing import Final

import msgspec

from marketplace.people.errors import TooManyTries
from marketplace.people.limits import Limit, take
from payments.database import row

_HOUR: Final = 3600


class CheckoutLimits(msgspec.Struct, frozen=True, kw_only=True):
    """For each buyer. Wide enough for a busy person with a few wrong cards."""

    checkouts: Limit = Limit(allowed=60, window_seconds=_HOUR)
    confirmations: Limit = Limit(allowed=40, window_seconds=_HOUR)
    declines: Limit = Limit(allowed=15, window_seconds=_HOUR)


async def count_checkout(buyer_id: str, limits: CheckoutLimits, now: datetime) -> None:
    """Count a new PaymentIntent. Raises TooManyTries."""
    await take(f"checkout:{buyer_id}", limits.checkouts, now)


async def count_confirmation(buyer_id: str, limits: CheckoutLimits, now: datetime) -> None:
    """Count an attempt to pay. Raises TooManyTries."""
    await take(f"confirmation:{buyer_id}", limits.confirmations, now)


async def require_few_declines(buyer_id: str, limits: CheckoutLimits, now: datetime) -> None:
    """Banks' noes count wherever the buyer confirmed. Raises TooManyTries until the first grows old."""
    limit = limits.declines
    window = timedelta(seconds=limit.window_seconds)
    found = await row(
        "SELECT count(*) AS declines, min(a.occurred_at) AS first FROM orders o "
        "JOIN attempts a ON a.order_id = o.id "
        "WHERE o.buyer_id = $1 AND o.updated_at > $2::timestamptz - interval '2 days' "
        "AND a.outcome = 'declined' AND a.occurred_at > $2",
        buyer_id,
        now - window,
    )
    assert found is not None
    if found["declines"] >= limit.allowed:
        raise TooManyTries(max(1, math.ceil((found["first"] + window - now).total_seconds())))
