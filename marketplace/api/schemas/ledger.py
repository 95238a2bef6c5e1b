"""The ledger: postings with what caused them, balances, chains and adjustments. Amounts are minor units."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from marketplace.books.account_balances import AccountBalance
from marketplace.books.adjustments import AdjustmentWish
from marketplace.books.chains import anchor_of
from marketplace.books.ledger_review import AccountEntry, PostingRecord
from marketplace.paging import Page
from payments.ledger_chain import Head

_SELLER_ACCOUNT = "seller:sel_01k9zc3v5m8q2r4t6w8y0abcde"
_ORDER_ID = "ord_01k9zc3v5m8q2r4t6w8y0abcde"


class PostingAnswer(msgspec.Struct, kw_only=True):
    """An amount that moved from one account to another, once, because of `cause`."""

    id: Annotated[str, Meta(examples=["pst_01k9zc3v5m8q2r4t6w8y0abcde"])]
    kind: Annotated[str, Meta(examples=["capture"])]
    source: Annotated[str, Meta(examples=["buyers"])]
    target: Annotated[str, Meta(examples=[_SELLER_ACCOUNT])]
    amount: int
    currency: str
    order_id: Annotated[
        str | None,
        Meta(description="Null for a payout.", examples=[_ORDER_ID]),
    ]
    payment_id: Annotated[str | None, Meta(examples=["pay_01k9zc3v5m8q2r4t6w8y0abcde"])]
    seller_id: str
    cause: str
    about: Annotated[
        dict[str, str],
        Meta(
            description="The objects behind it: order, payment, seller, refund, dispute, payout, debt, "
            "movement (of a transfer), approval.",
            examples=[{"order": _ORDER_ID, "refund": "rfd_01k9zc3v5m8q2r4t6w8y0abcde"}],
        ),
    ]
    occurred_at: datetime
    recorded_at: datetime

    @classmethod
    def of(cls, posting: PostingRecord) -> "PostingAnswer":
        """As it was posted."""
        return cls(**_facts(cls, posting))


class PostingList(msgspec.Struct, kw_only=True):
    """Postings, the newest first."""

    data: list[PostingAnswer]
    has_more: bool


class AccountEntryAnswer(PostingAnswer, kw_only=True):
    """A posting as one of its accounts sees it."""

    moved: Annotated[int, Meta(description="Below zero when it left the account.", examples=[-900])]
    balance: Annotated[int, Meta(description="What the account held after it.", examples=[5_100])]


class AccountEntryList(msgspec.Struct, kw_only=True):
    """An account's postings in one currency, the latest recorded first."""

    data: list[AccountEntryAnswer]
    has_more: bool

    @classmethod
    def of(cls, page: Page[AccountEntry]) -> "AccountEntryList":
        """A page of them."""
        entries = [AccountEntryAnswer(**_facts(AccountEntryAnswer, one)) for one in page.data]
        return cls(data=entries, has_more=page.has_more)


class BalanceAnswer(msgspec.Struct, kw_only=True):
    """What an account holds: incoming less outgoing. All accounts of a currency sum to zero."""

    id: Annotated[str, Meta(description="The cursor.", examples=["platform:fees:eur"])]
    account: Annotated[str, Meta(examples=["platform:fees"])]
    currency: str
    amount: int

    @classmethod
    def of(cls, balance: AccountBalance) -> "BalanceAnswer":
        """As the postings add up."""
        return cls(**_facts(cls, balance))


class BalanceList(msgspec.Struct, kw_only=True):
    """Balances, by account."""

    data: list[BalanceAnswer]
    has_more: bool


class ChainAnswer(msgspec.Struct, kw_only=True):
    """Where the chain of a book ends: kept elsewhere, it proves what the book said until then."""

    book: Annotated[str, Meta(examples=["postings"])]
    sealed: Annotated[int, Meta(description="How many rows have their place.", examples=[1_204])]
    waiting: Annotated[int, Meta(description="How many will be next.", examples=[3])]
    head: Annotated[
        str, Meta(description="SHA-256, hexadecimal, of all that is sealed.", examples=["9f86d081"])
    ]
    anchor: Annotated[
        str,
        Meta(
            description="What `marketplace verify --anchor` takes.",
            examples=["postings:1204:9f86d081"],
        ),
    ]
    sealed_at: Annotated[datetime | None, Meta(description="When the last row was sealed.")]

    @classmethod
    def of(cls, head: Head) -> "ChainAnswer":
        """As it ends now."""
        return cls(
            book=head.book,
            sealed=head.position,
            waiting=head.waiting,
            head=head.hash.hex(),
            anchor=anchor_of(head),
            sealed_at=head.sealed_at,
        )


class ChainList(msgspec.Struct, kw_only=True):
    """The chains of all books that are sealed."""

    data: list[ChainAnswer]
    has_more: bool = False


class AdjustmentRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is to be posted by hand, once another admin approves."""

    source_account: Annotated[
        str,
        Meta(
            max_length=64,
            description="platform:fees, platform:refunds, platform:recovered, platform:written_off, "
            "stripe:processing, stripe:disputes, or seller:{seller_id}.",
            examples=["platform:fees"],
        ),
    ]
    target_account: Annotated[
        str, Meta(max_length=64, description="Another of them.", examples=[_SELLER_ACCOUNT])
    ]
    amount: Annotated[int, Meta(ge=1, description="Minor units.", examples=[1_500])]
    currency: Annotated[
        str,
        Meta(pattern="^[a-z]{3}$", description="The order's, or the seller's.", examples=["eur"]),
    ]
    seller_id: (
        Annotated[
            str,
            Meta(max_length=64, description="Whose it is, where neither account nor order says."),
        ]
        | None
    ) = None
    order_id: Annotated[str, Meta(max_length=64, examples=[_ORDER_ID])] | None = None
    reason: Annotated[
        str,
        Meta(max_length=500, examples=["A goodwill transfer was made in the dashboard on 3 May"]),
    ]

    def told(self) -> AdjustmentWish:
        """In the words of the books."""
        return AdjustmentWish(
            source=self.source_account,
            target=self.target_account,
            amount=self.amount,
            currency=self.currency,
            seller_id=self.seller_id,
            order_id=self.order_id,
        )


def _facts(answer: type[msgspec.Struct], record: PostingRecord | AccountBalance) -> dict[str, Any]:
    return {name: getattr(record, name) for name in answer.__struct_fields__}
