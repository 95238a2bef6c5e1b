"""The ledger as admins read it: every posting, and what each account holds. Minor units."""

from datetime import datetime

import msgspec

from marketplace.paging import Page, PageRequest
from payments.database import rows


class PostingRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An amount that moved from `source` to `target`, once, because of `cause`."""

    id: str
    kind: str
    source: str
    target: str
    amount: int
    currency: str
    # None for what is of no single order: a payout, a debt written off.
    order_id: str | None
    payment_id: str | None
    seller_id: str
    cause: str
    occurred_at: datetime
    recorded_at: datetime


class AccountBalance(msgspec.Struct, frozen=True, kw_only=True):
    """What an account holds: incoming less outgoing. All accounts of a currency sum to zero."""

    account: str
    currency: str
    amount: int

    @property
    def id(self) -> str:
        """What the next page starts after."""
        return f"{self.account}:{self.currency}"


class PostingFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which postings to list; None means any. `account` is either side."""

    order_id: str | None = None
    account: str | None = None


async def postings(wanted: PostingFilter, page: PageRequest) -> Page[PostingRecord]:
    """Every posting that fits, the newest first."""
    found = await rows(
        f"SELECT {', '.join(PostingRecord.__struct_fields__)} FROM postings "
        "WHERE ($1::text IS NULL OR order_id = $1) "
        "AND ($2::text IS NULL OR source = $2 OR target = $2) "
        "AND ($3::text IS NULL OR id < $3) ORDER BY id DESC LIMIT $4",
        wanted.order_id,
        wanted.account,
        page.starting_after,
        page.fetched,
    )
    return Page.cut([PostingRecord(**record) for record in found], page)


async def balances(page: PageRequest) -> Page[AccountBalance]:
    """What every account holds now, by its address."""
    found = await rows(
        "SELECT account, currency, sum(amount)::bigint AS amount FROM ("
        "  SELECT target AS account, currency, amount FROM postings "
        "  UNION ALL SELECT source, currency, -amount FROM postings) AS legs "
        "WHERE $1::text IS NULL OR account || ':' || currency > $1 "
        "GROUP BY account, currency ORDER BY account || ':' || currency LIMIT $2",
        page.starting_after,
        page.fetched,
    )
    return Page.cut([AccountBalance(**record) for record in found], page)
