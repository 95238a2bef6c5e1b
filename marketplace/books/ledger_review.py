"""The ledger as admins read it: every posting with what caused it, and what accounts hold. Minor units."""

import re
from datetime import datetime
from typing import Any, Final

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

    @property
    def about(self) -> dict[str, str]:
        """The objects behind it by what they are: `{"order": "ord_...", "refund": "rfd_..."}`."""
        named = {"order": self.order_id, "payment": self.payment_id, "seller": self.seller_id}
        found = {word: each for word, each in named.items() if each is not None}
        for prefix, rest in _ID.findall(self.cause):
            found[_OBJECTS[prefix]] = f"{prefix}_{rest}"
        return found


_OBJECTS: Final = {
    "apv": "approval",
    "dbt": "debt",
    "dsp": "dispute",
    "mvt": "movement",
    "pay": "payment",
    "po": "payout",
    "rfd": "refund",
}
_ID: Final = re.compile(rf"\b({'|'.join(_OBJECTS)})_(\w+)")


class PostingFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which postings to list; None means any. `account` is either side."""

    order_id: str | None = None
    account: str | None = None


async def postings(wanted: PostingFilter, page: PageRequest) -> Page[PostingRecord]:
    """Every posting that fits, the newest first."""
    found = await rows(
        f"SELECT {POSTING_COLUMNS} FROM postings "
        "WHERE ($1::text IS NULL OR order_id = $1) "
        "AND ($2::text IS NULL OR source = $2 OR target = $2) "
        "AND ($3::text IS NULL OR id < $3) ORDER BY id DESC LIMIT $4",
        wanted.order_id,
        wanted.account,
        page.starting_after,
        page.fetched,
    )
    return Page.cut([PostingRecord(**record) for record in found], page)


POSTING_COLUMNS: Final = ", ".join(PostingRecord.__struct_fields__)


class AccountEntry(PostingRecord, frozen=True, kw_only=True):
    """A posting as one of its accounts sees it: `moved` is signed, `balance` what it held afterwards."""

    moved: int
    balance: int

    @classmethod
    def of(cls, posting: Any, account: str, balance: int) -> "AccountEntry":
        """As `account` sees it, which held `balance` after it."""
        facts = {name: posting[name] for name in PostingRecord.__struct_fields__}
        moved = facts["amount"] if facts["target"] == account else -facts["amount"]
        return cls(**facts, moved=moved, balance=balance)
