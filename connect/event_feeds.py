"""Which connected accounts' events are compared with the inbox: all that were ever opened."""

from datetime import datetime

from payments import event_feeds
from payments.database import rows


async def follow_accounts(now: datetime, limit: int = 1000) -> int:
    """The sweep: begin to read the lists of accounts that were opened since; answers how many."""
    found = await rows(
        "SELECT account_id FROM connected_accounts a WHERE NOT closed "
        "AND NOT EXISTS (SELECT FROM event_feeds f WHERE f.id = a.account_id) LIMIT $1",
        limit,
    )
    if not found:
        return 0
    return await event_feeds.follow([each["account_id"] for each in found], now)
