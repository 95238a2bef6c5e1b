"""Papers as sellers and admins read them. Amounts are minor units."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from marketplace.books.words import words_for
from marketplace.paging import Page
from marketplace.papers.drafting import Kind
from marketplace.papers.issuer import TEXT_LIMIT, Issuer, IssuerRecord
from marketplace.papers.months import PaperMonth
from marketplace.papers.reading import Paper, PaperLine, Series
from marketplace.papers.waiting import Waiting

_Text = Annotated[str, Meta(min_length=1, max_length=TEXT_LIMIT)]
_Month = Annotated[str, Meta(pattern="^20[0-9]{2}-(0[1-9]|1[0-2])$", examples=["2026-11"])]
_SellerId = Annotated[str, Meta(examples=["sel_01k9zc3v5m8q2r4t6w8y0abcde"])]
_Name = Annotated[str, Meta(examples=["FI-2026-000001"])]


class IssuerRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The platform's legal person, as papers print it."""

    legal_name: Annotated[_Text, Meta(examples=["Marketplace GmbH"])]
    line1: Annotated[_Text, Meta(examples=["Torstraße 1"])]
    city: Annotated[_Text, Meta(examples=["Berlin"])]
    country: Annotated[str, Meta(min_length=2, max_length=2, examples=["DE"])]
    line2: Annotated[_Text | None, Meta(examples=[None])] = None
    postal_code: Annotated[_Text | None, Meta(examples=["10119"])] = None
    vat_number: Annotated[_Text | None, Meta(examples=["DE123456789"])] = None
    tax_number: Annotated[_Text | None, Meta(examples=[None])] = None
    registration_number: Annotated[_Text | None, Meta(examples=["HRB 12345 B"])] = None
    email: Annotated[_Text | None, Meta(examples=["billing@marketplace.example"])] = None
    papers_from: Annotated[
        _Month | None,
        Meta(
            description="The first month that papers are issued of; null: as before, or this month. "
            "Fixed when a month was closed.",
            examples=["2026-11"],
        ),
    ] = None

    def told(self) -> Issuer:
        """In the words of papers."""
        names = Issuer.__struct_fields__
        return Issuer(**{name: getattr(self, name) for name in names})


class IssuerDetails(msgspec.Struct, kw_only=True):
    """The platform's legal person, as papers print it."""

    legal_name: Annotated[str, Meta(examples=["Marketplace GmbH"])]
    line1: Annotated[str, Meta(examples=["Torstraße 1"])]
    line2: Annotated[str | None, Meta(examples=[None])]
    postal_code: Annotated[str | None, Meta(examples=["10119"])]
    city: Annotated[str, Meta(examples=["Berlin"])]
    country: Annotated[str, Meta(examples=["DE"])]
    vat_number: Annotated[str | None, Meta(examples=["DE123456789"])]
    tax_number: Annotated[str | None, Meta(examples=[None])]
    registration_number: Annotated[str | None, Meta(examples=["HRB 12345 B"])]
    email: Annotated[str | None, Meta(examples=["billing@marketplace.example"])]


class IssuerAnswer(msgspec.Struct, kw_only=True):
    """Who issues papers. Without an issuer nothing is issued: `issuing` says so."""

    issuing: Annotated[bool, Meta(examples=[True])]
    issuer: IssuerDetails | None = None
    papers_from: Annotated[str | None, Meta(examples=["2026-11"])] = None
    set_by: Annotated[str | None, Meta(examples=["acc_01k9zc3v5m8q2r4t6w8y0abcde"])] = None
    set_at: datetime | None = None

    @classmethod
    def of(cls, record: IssuerRecord | None) -> "IssuerAnswer":
        """As an admin last said it."""
        if record is None:
            return cls(issuing=False)
        return cls(
            issuing=True,
            issuer=IssuerDetails(**msgspec.structs.asdict(record.issuer)),
            papers_from=record.papers_from,
            set_by=record.set_by,
            set_at=record.set_at,
        )


class WaitingAnswer(msgspec.Struct, kw_only=True):
    """A seller's papers that could not be issued: why, how often that was tried, and when it is again."""

    seller_id: Annotated[str, Meta(examples=["sel_01jz3n8v9mxk2q4r5s6t7v8w9x"])]
    failure: Annotated[
        str,
        Meta(
            description="A kind of error, which the log tells; `earlier_month`: an earlier one waits.",
            examples=["DecodeError"],
        ),
    ]
    tries: Annotated[int, Meta(examples=[2])]
    since: datetime
    due_at: datetime


class PaperMonthAnswer(msgspec.Struct, kw_only=True):
    """A closed month: what its papers cover is fixed."""

    month: _Month
    closed_at: datetime
    late_postings: Annotated[
        int, Meta(description="Of earlier months, written down after those were closed.")
    ]
    concluded_at: Annotated[
        datetime | None, Meta(description="Null while its papers are being issued.")
    ]
    waiting: Annotated[
        list[WaitingAnswer],
        Meta(description="Sellers whose papers could not be issued with the others'; tried again."),
    ]

    @classmethod
    def of(cls, month: PaperMonth, waiting: list[Waiting]) -> "PaperMonthAnswer":
        """As it stands."""
        return cls(
            month=month.month,
            closed_at=month.closed_at,
            late_postings=len(month.late),
            concluded_at=month.concluded_at,
            waiting=[msgspec.convert(one, WaitingAnswer, from_attributes=True) for one in waiting],
        )


class PaperMonthList(msgspec.Struct, kw_only=True):
    """Closed months, the newest first."""

    data: list[PaperMonthAnswer]
    has_more: bool

    @classmethod
    def of(cls, page: Page[PaperMonth], waiting: dict[str, list[Waiting]]) -> "PaperMonthList":
        """A page as it stands."""
        return cls(
            data=[PaperMonthAnswer.of(one, waiting.get(one.month, [])) for one in page.data],
            has_more=page.has_more,
        )


class ClosingRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The month whose papers are wanted now."""

    month: _Month


class SeriesAnswer(msgspec.Struct, kw_only=True):
    """A series: every number from 1 to `last_number` is on one paper."""

    kind: Annotated[Kind, Meta(examples=["fee_invoice"])]
    year: Annotated[int, Meta(examples=[2026])]
    last_number: Annotated[int, Meta(examples=[412])]


class SeriesList(msgspec.Struct, kw_only=True):
    """Every series, the newest year first."""

    data: list[SeriesAnswer]
    has_more: bool = False

    @classmethod
    def of(cls, series: Sequence[Series]) -> "SeriesList":
        """As they stand."""
        return cls(
            data=[
                SeriesAnswer(kind=one.kind, year=one.year, last_number=one.last_number)
                for one in series
            ]
        )


class PartyAnswer(msgspec.Struct, kw_only=True):
    """A name and address as they were when the paper was issued."""

    name: Annotated[str, Meta(examples=["Marketplace GmbH"])]
    line1: Annotated[str | None, Meta(examples=["Torstraße 1"])]
    line2: Annotated[str | None, Meta(examples=[None])]
    postal_code: Annotated[str | None, Meta(examples=["10119"])]
    city: Annotated[str | None, Meta(examples=["Berlin"])]
    country: Annotated[str, Meta(examples=["DE"])]
    vat_number: Annotated[str | None, Meta(examples=["DE123456789"])]


class KindSumAnswer(msgspec.Struct, kw_only=True):
    """All of a statement's movements of one kind."""

    kind: Annotated[str, Meta(examples=["capture"])]
    description: Annotated[str, Meta(examples=["Sale"])]
    movements: Annotated[int, Meta(examples=[2])]
    amount: Annotated[int, Meta(examples=[12_000])]


class RateSumAnswer(msgspec.Struct, kw_only=True):
    """An invoice's fees under one rate of tax."""

    tax_basis_points: Annotated[int, Meta(examples=[1_900])]
    fee_net: Annotated[int, Meta(examples=[900])]
    fee_tax: Annotated[int, Meta(examples=[171])]


class PaperAnswer(msgspec.Struct, kw_only=True):
    """A paper as it was issued. A statement has balances and sums by kind; an invoice or credit note what
    its total is made of. A credit note's total is what is given back."""

    id: Annotated[str, Meta(examples=["ppr_01k9zc3v5m8q2r4t6w8y0abcde"])]
    kind: Annotated[Kind, Meta(examples=["fee_invoice"])]
    name: _Name
    seller_id: _SellerId
    currency: Annotated[str, Meta(examples=["eur"])]
    month: _Month
    issued_at: datetime
    opening: Annotated[int | None, Meta(examples=[None])]
    total: Annotated[int, Meta(examples=[1_071])]
    closing: Annotated[int | None, Meta(examples=[None])]
    fee_net: Annotated[int | None, Meta(examples=[900])]
    fee_tax: Annotated[int | None, Meta(examples=[171])]
    service_fee: Annotated[
        int | None, Meta(description="Paid by buyers and passed on.", examples=[0])
    ]
    postings: Annotated[int, Meta(description="How many it covers.", examples=[2])]
    issued_by: PartyAnswer
    issued_to: PartyAnswer
    by_kind: list[KindSumAnswer]
    by_rate: list[RateSumAnswer]

    @classmethod
    def of(cls, paper: Paper) -> "PaperAnswer":
        """As it was issued."""
        kept = {name: getattr(paper, name) for name in Paper.__struct_fields__ if name != "facts"}
        facts = paper.facts
        names = [name for name in PartyAnswer.__struct_fields__ if name != "name"]
        return cls(
            **kept,
            issued_by=PartyAnswer(
                name=facts.issuer.legal_name,
                **{name: getattr(facts.issuer, name) for name in names},
            ),
            issued_to=PartyAnswer(
                name=facts.seller.name, **{name: getattr(facts.seller, name) for name in names}
            ),
            by_kind=[
                KindSumAnswer(description=words_for(one.kind), **msgspec.structs.asdict(one))
                for one in facts.by_kind
            ],
            by_rate=[RateSumAnswer(**msgspec.structs.asdict(one)) for one in facts.by_rate],
        )


class PaperList(msgspec.Struct, kw_only=True):
    """Papers, the newest first."""

    data: list[PaperAnswer]
    has_more: bool

    @classmethod
    def of(cls, page: Page[Paper]) -> "PaperList":
        """A page as they were issued."""
        return cls(data=[PaperAnswer.of(one) for one in page.data], has_more=page.has_more)


class PaperLineAnswer(msgspec.Struct, kw_only=True):
    """A fee under one rate of tax; below zero: returned. `corrects` is the invoice that charged it."""

    id: Annotated[str, Meta(examples=["pst_01k9zc3v5m8q2r4t6w8y0abcde:1900"])]
    posting_id: Annotated[str, Meta(examples=["pst_01k9zc3v5m8q2r4t6w8y0abcde"])]
    order_id: Annotated[str, Meta(examples=["ord_01k9zc3v5m8q2r4t6w8y0abcde"])]
    tax_basis_points: Annotated[int, Meta(examples=[1_900])]
    amount: Annotated[int, Meta(examples=[1_071])]
    fee_net: Annotated[int, Meta(examples=[900])]
    fee_tax: Annotated[int, Meta(examples=[171])]
    service_fee: Annotated[int, Meta(examples=[0])]
    corrects: Annotated[str | None, Meta(examples=[None])]
    occurred_at: datetime


class PaperLineList(msgspec.Struct, kw_only=True):
    """What an invoice or credit note is the sum of."""

    data: list[PaperLineAnswer]
    has_more: bool

    @classmethod
    def of(cls, page: Page[PaperLine]) -> "PaperLineList":
        """A page as it was issued."""
        return cls(
            data=[PaperLineAnswer(**msgspec.structs.asdict(one)) for one in page.data],
            has_more=page.has_more,
        )
