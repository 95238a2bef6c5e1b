"""The ledger as admins read it: every posting with what caused it, and what accounts hold. Minor units."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from marketplace.oversight.errors import RangeRefused
from marketplace.paging import Page, PageRequest
from payments.database import rows

Bound = Callable[[str, Any], list[str]]
"""A condition with its argument, or none where there is no argument."""
PostingKind = Literal[
    "capture",
    "application_fee",
    "processing_cost",
    "refund",
    "fee_refund",
    "refund_failure",
    "transfer_reversal",
    "transfer",
    "dispute",
    "dispute_reinstated",
    "dispute_cost",
    "reserve",
    "reserve_released",
    "debt",
    "debt_settled",
    "debt_written_off",
    "payout",
    "payout_failure",
    "adjustment",
]


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
    """Which postings to list; None means any. `account` is either side.

    `since` and `until` (not included) are about when they were written into the books.
    """

    order_id: str | None = None
    account: str | None = None
    payment_id: str | None = None
    seller_id: str | None = None
    kind: PostingKind | None = None
    currency: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def postings(wanted: PostingFilter, page: PageRequest) -> Page[PostingRecord]:
    """Every posting that fits, the newest first; of a range, what was recorded last. Raises RangeRefused."""
    if wanted.since is not None and wanted.until is not None and wanted.until <= wanted.since:
        raise RangeRefused(wanted.since, wanted.until)
    arguments: list[Any] = []

    def bound(condition: str, argument: Any) -> list[str]:
        if argument is None:
            return []
        arguments.append(argument)
        return [condition.replace("$", f"${len(arguments)}")]

    # Only the conditions that are given are sent, so that each list can use its own index.
    ranged = (wanted.since, wanted.until) != (None, None)
    given = bound("order_id = $", wanted.order_id)
    given += bound(_BEFORE_IN_RANGE if ranged else "id < $", page.starting_after)
    given += bound("seller_id = $", seller_of(wanted.account or ""))
    given += _named(wanted, bound)
    newest = f"ORDER BY {'recorded_at DESC, ' if ranged else ''}id DESC LIMIT {page.fetched}"
    arms = [
        f"(SELECT {POSTING_COLUMNS} FROM postings WHERE {' AND '.join(['true', *given, *side])} {newest})"
        for side in _sides(wanted.account, bound)
    ]
    found = await rows(f"SELECT * FROM ({' UNION ALL '.join(arms)}) AS found {newest}", *arguments)
    return Page.cut([PostingRecord(**record) for record in found], page)


def seller_of(account: str) -> str | None:
    """Whose account it is: all of its postings are that seller's. None of the platform's."""
    found = _SELLER.match(account)
    return found and found[1]


def _named(wanted: PostingFilter, bound: Bound) -> list[str]:
    """The other conditions. Of kinds that few postings are of, their index is named by its own condition."""
    given = [
        *bound("payment_id = $", wanted.payment_id),
        *bound("seller_id = $", wanted.seller_id),
        *bound("kind = $", wanted.kind),
        *_of_currency(wanted.currency),
        *bound("recorded_at >= $", wanted.since),
        *bound("recorded_at < $", wanted.until),
    ]
    return given if wanted.kind in (None, *_OF_MOST) else [*given, OF_FEW_KINDS]


def _of_currency(currency: str | None) -> list[str]:
    """Spelled out: planned for any currency, one that few postings have would be looked for through all of
    them (docs/decisions/0035)."""
    if currency is None:
        return []
    return [f"currency = '{currency}'" if _CURRENCY.fullmatch(currency) else "false"]


def _sides(account: str | None, bound: Bound) -> list[list[str]]:
    """The conditions of each side on which the account may be; one without any for all accounts.

    Of accounts that few postings have, the index of just those is named by its own condition.
    """
    if account is None:
        return [[]]
    few = [] if seller_of(account) else [FEW]
    return [
        [
            *bound(f"{side} = $", account),
            *[each.format(side=side) for each in few if account not in _MANY],
        ]
        for side in ("source", "target")
    ]


# The index of a range is by time: there ids only tell postings of one moment apart.
_BEFORE_IN_RANGE: Final = "(recorded_at, id) < (SELECT recorded_at, id FROM postings WHERE id = $)"
_OF_MOST: Final = ("capture", "application_fee", "processing_cost")
OF_FEW_KINDS: Final = "kind NOT IN ('capture', 'application_fee', 'processing_cost')"
"""Of postings that are in an index of their own: (kind, id)."""
_CURRENCY: Final = re.compile(r"[a-z]{3}")
_SELLER: Final = re.compile(r"seller:(\w+)")
_MANY: Final = ("buyers", "platform:fees", "stripe:processing")
FEW: Final = (
    "{side} NOT IN ('buyers', 'platform:fees', 'stripe:processing') AND {side} NOT LIKE 'seller:%'"
)
"""Of postings that are in an index of their own: (side, id)."""
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
