"""What sellers are told about their money. Amounts are minor units."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from connect.payout_records import PayoutRecord
from marketplace.books.balance import SellerBalance
from marketplace.books.earnings import EarningsFigures, EarningsTotals, OrderEarnings
from marketplace.books.statements import CurrencyStatement, Movement, Statement, StatementMonth
from marketplace.books.words import words_for
from marketplace.paging import Page
from marketplace.sellers.payouts import CarriedMovement, failure_of

_Currency = Annotated[str, Meta(examples=["eur"])]
_OrderId = Annotated[str, Meta(examples=["ord_01k9zc3v5m8q2r4t6w8y0abcde"])]
_SellerId = Annotated[str, Meta(examples=["sel_01k9zc3v5m8q2r4t6w8y0abcde"])]
_PostingId = Annotated[str, Meta(examples=["pst_01k9zc3v5m8q2r4t6w8y0abcde"])]
_PayoutId = Annotated[str, Meta(description="Stripe's.", examples=["po_1Q8..."])]
_MonthName = Annotated[str, Meta(examples=["2026-11"])]


class SellerBalanceAnswer(msgspec.Struct, kw_only=True):
    """One currency. `available` and `pending` are Stripe's words of this moment; they may be below zero."""

    currency: _Currency
    available: Annotated[int, Meta(description="Can be paid out now.", examples=[12_300])]
    pending: Annotated[
        int, Meta(description="Will be, as buyers' payments settle.", examples=[5_100])
    ]
    on_the_way: Annotated[
        int, Meta(description="Left the balance for your bank, not there yet.", examples=[0])
    ]
    reserved: Annotated[
        int, Meta(description="Part of the balance that open disputes claim.", examples=[0])
    ]
    owed: Annotated[int, Meta(description="What you owe the platform.", examples=[0])]


class SellerBalanceList(msgspec.Struct, kw_only=True):
    """Every currency in which you have or owe anything."""

    data: list[SellerBalanceAnswer]
    has_more: bool = False

    @classmethod
    def of(cls, balances: Sequence[SellerBalance]) -> "SellerBalanceList":
        """As Stripe and the books have it."""
        return cls(data=[SellerBalanceAnswer(**_facts(SellerBalanceAnswer, b)) for b in balances])


class PayoutAnswer(msgspec.Struct, kw_only=True):
    """Money on its way to a bank. `status` is Stripe's word: a payout that was paid can still fail."""

    id: _PayoutId
    amount: Annotated[
        int, Meta(description="Below zero: Stripe debited the bank.", examples=[5_100])
    ]
    currency: _Currency
    status: Annotated[str, Meta(examples=["paid"])]
    arrival_at: Annotated[datetime, Meta(description="When the bank has it, as far as known.")]
    automatic: Annotated[bool, Meta(examples=[True])]
    failure_code: Annotated[str | None, Meta(description="Stripe's.", examples=[None])]
    failure_explanation: Annotated[str | None, Meta(examples=[None])]
    what_to_do: Annotated[str | None, Meta(examples=[None])]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, payout: PayoutRecord) -> "PayoutAnswer":
        """As Stripe last said."""
        failure = failure_of(payout)
        return cls(
            id=payout.id,
            amount=payout.amount,
            currency=payout.currency,
            status=payout.status,
            arrival_at=payout.arrival_at,
            automatic=payout.automatic,
            failure_code=payout.failure_code if failure else None,
            failure_explanation=failure.explanation if failure else None,
            what_to_do=failure.what_to_do if failure else None,
            created_at=payout.created_at,
            updated_at=payout.updated_at,
        )


class PayoutList(msgspec.Struct, kw_only=True):
    """Payouts, the newest first."""

    data: list[PayoutAnswer]
    has_more: bool

    @classmethod
    def of(cls, page: Page[PayoutRecord]) -> "PayoutList":
        """A page as Stripe last said."""
        return cls(data=[PayoutAnswer.of(payout) for payout in page.data], has_more=page.has_more)


class CarriedAnswer(msgspec.Struct, kw_only=True):
    """One movement of your balance that a payout carried. `kind` is Stripe's reporting category."""

    id: Annotated[str, Meta(examples=["txn_1Q8..."])]
    kind: Annotated[str, Meta(examples=["charge"])]
    source_id: Annotated[str | None, Meta(examples=["py_1Q8..."])]
    transfer_id: Annotated[str | None, Meta(examples=["tr_1Q8..."])]
    order_id: Annotated[
        str | None,
        Meta(description="Whose money it is.", examples=["ord_01k9zc3v5m8q2r4t6w8y0abcde"]),
    ]
    amount: Annotated[int, Meta(examples=[6_000])]
    fee: Annotated[int, Meta(examples=[900])]
    net: Annotated[int, Meta(examples=[5_100])]
    currency: _Currency
    created_at: datetime


class CarriedList(msgspec.Struct, kw_only=True):
    """What a payout carried, the newest first. The nets sum to its amount."""

    data: list[CarriedAnswer]
    has_more: bool

    @classmethod
    def of(cls, page: Page[CarriedMovement]) -> "CarriedList":
        """A page as Stripe told."""
        return cls(
            data=[CarriedAnswer(**_facts(CarriedAnswer, one)) for one in page.data],
            has_more=page.has_more,
        )


class EarningsFiguresAnswer(msgspec.Struct, kw_only=True):
    """What moved on your account: `net = gross - fee - refunded + fee_returned + adjustments`."""

    currency: _Currency
    gross: Annotated[int, Meta(description="Taken from buyers.", examples=[6_000])]
    fee: Annotated[int, Meta(description="The platform's.", examples=[900])]
    refunded: Annotated[int, Meta(description="To buyers, from your account.", examples=[2_000])]
    fee_returned: Annotated[int, Meta(description="Of the fee, with refunds.", examples=[300])]
    adjustments: Annotated[
        int,
        Meta(description="Disputes, debts, money taken back or sent again.", examples=[0]),
    ]
    net: Annotated[int, Meta(description="What is left.", examples=[3_400])]


class OrderEarningsAnswer(EarningsFiguresAnswer, kw_only=True):
    """One order."""

    order_id: _OrderId
    order_status: Annotated[str, Meta(examples=["completed"])]
    last_moved_at: datetime


class EarningsTotalsAnswer(EarningsFiguresAnswer, kw_only=True):
    """All orders that fit, whatever the page."""

    orders: Annotated[int, Meta(examples=[1])]


class EarningsList(msgspec.Struct, kw_only=True):
    """Orders with money of yours, the newest first; the cursor is the `order_id`."""

    data: list[OrderEarningsAnswer]
    has_more: bool
    totals: list[EarningsTotalsAnswer]

    @classmethod
    def of(cls, page: Page[OrderEarnings], totals: Sequence[EarningsTotals]) -> "EarningsList":
        """As the books have it."""
        return cls(
            data=[OrderEarningsAnswer(**_facts(OrderEarningsAnswer, one)) for one in page.data],
            has_more=page.has_more,
            totals=[EarningsTotalsAnswer(**_facts(EarningsTotalsAnswer, one)) for one in totals],
        )


class StatementMonthAnswer(msgspec.Struct, kw_only=True):
    """A month (UTC) with money. `closed`: it will never change."""

    month: _MonthName
    closed: bool
    currencies: Annotated[list[str], Meta(examples=[["eur"]])]
    movements: Annotated[int, Meta(examples=[42])]

    @classmethod
    def of(cls, listed: StatementMonth) -> "StatementMonthAnswer":
        """As the books have it."""
        return cls(
            month=listed.name,
            closed=listed.closed,
            currencies=list(listed.currencies),
            movements=listed.movements,
        )


class StatementMonthList(msgspec.Struct, kw_only=True):
    """Months, the newest first; the cursor is the `month`."""

    data: list[StatementMonthAnswer]
    has_more: bool

    @classmethod
    def of(cls, page: Page[StatementMonth]) -> "StatementMonthList":
        """A page as the books have it."""
        return cls(data=[StatementMonthAnswer.of(one) for one in page.data], has_more=page.has_more)


class KindSumAnswer(msgspec.Struct, kw_only=True):
    """All movements of a kind."""

    kind: Annotated[str, Meta(examples=["capture"])]
    description: Annotated[str, Meta(examples=["Sale"])]
    movements: Annotated[int, Meta(examples=[1])]
    amount: Annotated[int, Meta(examples=[5_100])]


class CurrencyStatementAnswer(msgspec.Struct, kw_only=True):
    """One currency: `opening + moved = closing`."""

    currency: _Currency
    opening: Annotated[int, Meta(examples=[1_000])]
    moved: Annotated[int, Meta(examples=[5_100])]
    closing: Annotated[int, Meta(examples=[6_100])]
    movements: Annotated[int, Meta(examples=[1])]
    by_kind: list[KindSumAnswer]

    @classmethod
    def of(cls, one: CurrencyStatement) -> "CurrencyStatementAnswer":
        """As the books have it."""
        return cls(
            currency=one.currency,
            opening=one.opening,
            moved=one.moved,
            closing=one.closing,
            movements=one.movements,
            by_kind=[
                KindSumAnswer(
                    kind=each.kind,
                    description=words_for(each.kind),
                    movements=each.movements,
                    amount=each.amount,
                )
                for each in one.by_kind
            ],
        )


class StatementAnswer(msgspec.Struct, kw_only=True):
    """A month of yours (UTC), by when movements were written into the books. Its movements:
    `.../movements`; as a file: `.../csv`; to be printed: `.../print`."""

    seller_id: _SellerId
    month: _MonthName
    closed: Annotated[bool, Meta(description="It will never change.")]
    begins_at: Annotated[datetime, Meta(examples=["2026-11-01T00:00:00Z"])]
    ends_at: Annotated[datetime, Meta(description="Excluded.", examples=["2026-12-01T00:00:00Z"])]
    currencies: list[CurrencyStatementAnswer]

    @classmethod
    def of(cls, statement: Statement) -> "StatementAnswer":
        """As the books have it."""
        return cls(
            seller_id=statement.seller_id,
            month=statement.month.name,
            closed=statement.closed,
            begins_at=statement.month.first,
            ends_at=statement.month.until,
            currencies=[CurrencyStatementAnswer.of(one) for one in statement.currencies],
        )


class MovementAnswer(msgspec.Struct, kw_only=True):
    """One movement, signed as your account sees it."""

    id: _PostingId
    kind: Annotated[str, Meta(examples=["capture"])]
    description: Annotated[str, Meta(examples=["Sale"])]
    amount: int
    currency: _Currency
    order_id: Annotated[str | None, Meta(examples=["ord_01k9zc3v5m8q2r4t6w8y0abcde"])]
    reference: Annotated[
        str,
        Meta(
            description="The payment, refund, dispute, debt or payout it is of.",
            examples=["pay_01k9zc3v5m8q2r4t6w8y0abcde"],
        ),
    ]
    occurred_at: datetime
    recorded_at: Annotated[datetime, Meta(description="Which month it belongs to.")]

    @classmethod
    def of(cls, one: Movement) -> "MovementAnswer":
        """As the books have it, with words for what it is of."""
        facts = msgspec.structs.asdict(one)
        return cls(description=words_for(one.kind, facts.pop("because")), **facts)


class MovementList(msgspec.Struct, kw_only=True):
    """A month's movements, the first one first."""

    data: list[MovementAnswer]
    has_more: bool

    @classmethod
    def of(cls, page: Page[Movement]) -> "MovementList":
        """A page as the books have it."""
        return cls(
            data=[MovementAnswer.of(one) for one in page.data],
            has_more=page.has_more,
        )


def _facts(
    answer: type[msgspec.Struct], record: SellerBalance | CarriedMovement | EarningsFigures
) -> dict[str, Any]:
    return {name: getattr(record, name) for name in answer.__struct_fields__}
