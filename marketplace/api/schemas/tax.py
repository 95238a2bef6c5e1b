"""Tax details as sellers tell them, and what is reported of a year. Amounts are minor units."""

from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from marketplace.paging import Page
from marketplace.tax.details import TEXT_LIMIT, TINS_LIMIT, SellerKind, TaxDetails, Tin, missing
from marketplace.tax.keeping import KeptDetails
from marketplace.tax.report_json import nested
from marketplace.tax.reports import SellerReport

_Text = Annotated[str, Meta(min_length=1, max_length=TEXT_LIMIT)]
_Code = Annotated[str, Meta(min_length=2, max_length=2)]
_Number = Annotated[str, Meta(min_length=1, max_length=60)]


class TinRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A tax identification number and who issued it."""

    number: Annotated[_Number, Meta(examples=["12 345 678 901"])]
    issued_by: Annotated[_Code, Meta(examples=["DE"])]


class TaxDetailsRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """All of them: what is left out is not known any more. Individuals have a first and a last name,
    entities a legal name."""

    seller_kind: Annotated[SellerKind, Meta(examples=["individual"])]
    country: Annotated[
        _Code, Meta(description="Where you live or have your seat.", examples=["DE"])
    ]
    first_name: Annotated[_Text | None, Meta(examples=["Ada"])] = None
    last_name: Annotated[_Text | None, Meta(examples=["Example"])] = None
    legal_name: Annotated[_Text | None, Meta(examples=[None])] = None
    line1: Annotated[_Text | None, Meta(examples=["Torstraße 1"])] = None
    line2: Annotated[_Text | None, Meta(examples=[None])] = None
    postal_code: Annotated[_Text | None, Meta(examples=["10119"])] = None
    city: Annotated[_Text | None, Meta(examples=["Berlin"])] = None
    tins: Annotated[tuple[TinRequest, ...], Meta(max_length=TINS_LIMIT)] = ()
    vat_number: Annotated[_Number | None, Meta(examples=["DE123456789"])] = None
    registration_number: Annotated[_Number | None, Meta(examples=[None])] = None
    birth_date: Annotated[date | None, Meta(examples=["1985-12-10"])] = None
    birth_place: Annotated[
        _Text | None,
        Meta(description="Where no country has given you a tax number.", examples=[None]),
    ] = None
    birth_country: Annotated[_Code | None, Meta(examples=[None])] = None
    iban: Annotated[
        _Number | None,
        Meta(
            description="Of the account you are paid out to.", examples=["DE89370400440532013000"]
        ),
    ] = None
    account_holder: Annotated[_Text | None, Meta(examples=[None])] = None

    def told(self) -> TaxDetails:
        """In the words of tax."""
        names = [name for name in TaxDetails.__struct_fields__ if name != "tins"]
        return TaxDetails(
            **{name: getattr(self, name) for name in names},
            tins=tuple(Tin(number=tin.number, issued_by=tin.issued_by) for tin in self.tins),
        )


class TinAnswer(msgspec.Struct, kw_only=True):
    """A tax identification number and who issued it."""

    number: Annotated[str, Meta(examples=["12 345 678 901"])]
    issued_by: Annotated[str, Meta(examples=["DE"])]


class IdentificationAnswer(msgspec.Struct, kw_only=True):
    """Who the seller is, as they said."""

    seller_kind: Annotated[SellerKind, Meta(examples=["individual"])]
    country: Annotated[str, Meta(examples=["DE"])]
    first_name: Annotated[str | None, Meta(examples=["Ada"])]
    last_name: Annotated[str | None, Meta(examples=["Example"])]
    legal_name: Annotated[str | None, Meta(examples=[None])]
    line1: Annotated[str | None, Meta(examples=["Torstraße 1"])]
    line2: Annotated[str | None, Meta(examples=[None])]
    postal_code: Annotated[str | None, Meta(examples=["10119"])]
    city: Annotated[str | None, Meta(examples=["Berlin"])]
    tins: list[TinAnswer]
    vat_number: Annotated[str | None, Meta(examples=["DE123456789"])]
    registration_number: Annotated[str | None, Meta(examples=[None])]
    birth_date: Annotated[date | None, Meta(examples=["1985-12-10"])]
    birth_place: Annotated[str | None, Meta(examples=[None])]
    birth_country: Annotated[str | None, Meta(examples=[None])]


class TaxDetailsAnswer(msgspec.Struct, kw_only=True):
    """What is known of a seller, and what a report should have and nobody told (`missing`)."""

    seller_id: Annotated[str, Meta(examples=["sel_01k9zc3v5m8q2r4t6w8y0abcde"])]
    identification: IdentificationAnswer | None
    iban: Annotated[str | None, Meta(examples=["DE89370400440532013000"])]
    account_holder: Annotated[str | None, Meta(examples=[None])]
    missing: Annotated[list[str], Meta(examples=[["birth_date"]])]
    updated_by: Annotated[str | None, Meta(examples=["acc_01k9zc3v5m8q2r4t6w8y0abcde"])]
    updated_at: datetime | None

    @classmethod
    def of(cls, kept: KeptDetails) -> "TaxDetailsAnswer":
        """As they were told last."""
        details = kept.details
        return cls(
            seller_id=kept.seller_id,
            identification=None
            if details is None
            else msgspec.convert(details, IdentificationAnswer, from_attributes=True),
            iban=None if details is None else details.iban,
            account_holder=None if details is None else details.account_holder,
            missing=list(missing(details)),
            updated_by=kept.updated_by,
            updated_at=kept.updated_at,
        )


class FinancialAccountAnswer(msgspec.Struct, kw_only=True):
    """Where the seller is paid: the bank's number if they told it, and Stripe's account."""

    identifier: Annotated[str | None, Meta(examples=["DE89370400440532013000"])]
    holder: Annotated[str | None, Meta(examples=[None])]
    connected_account: Annotated[str | None, Meta(examples=["acct_1Q8..."])]


class QuarterAnswer(msgspec.Struct, kw_only=True):
    """One quarter, UTC."""

    quarter: Annotated[int, Meta(examples=[4])]
    activities: Annotated[int, Meta(description="Sales not refunded whole.", examples=[2])]
    consideration: Annotated[int, Meta(description="Net of fees.", examples=[10_200])]
    fees: Annotated[int, Meta(description="Kept by the platform.", examples=[1_800])]
    service_fees: Annotated[int, Meta(description="Paid by buyers on top.", examples=[0])]
    taxes: Annotated[int, Meta(description="Withheld: none are.", examples=[0])]


class ActivityAnswer(msgspec.Struct, kw_only=True):
    """An activity in one currency, and its four quarters."""

    activity: Annotated[
        Literal["personal_services", "sale_of_goods"], Meta(examples=["personal_services"])
    ]
    currency: Annotated[str, Meta(examples=["eur"])]
    activities: Annotated[int, Meta(examples=[2])]
    consideration: Annotated[int, Meta(examples=[10_200])]
    fees: Annotated[int, Meta(examples=[1_800])]
    quarters: list[QuarterAnswer]


class TaxReportAnswer(msgspec.Struct, kw_only=True):
    """What is reported of a seller's year, as it was known at `as_of`.

    `excluded`: too little was sold to be reported; null where that depends on a rate of exchange.
    """

    seller_id: Annotated[str, Meta(examples=["sel_01k9zc3v5m8q2r4t6w8y0abcde"])]
    shop: Annotated[str, Meta(examples=["Coach Ada"])]
    year: Annotated[int, Meta(examples=[2026])]
    as_of: datetime
    country: Annotated[str, Meta(examples=["DE"])]
    reportable: Annotated[bool, Meta(examples=[True])]
    excluded: Annotated[bool | None, Meta(examples=[False])]
    missing: Annotated[list[str], Meta(examples=[[]])]
    identification: IdentificationAnswer | None
    financial_account: FinancialAccountAnswer
    activities: list[ActivityAnswer]

    @classmethod
    def of(cls, report: SellerReport) -> "TaxReportAnswer":
        """As the books have it."""
        return msgspec.convert(nested(report), cls)


class TaxReportList(msgspec.Struct, kw_only=True):
    """Sellers who sold anything in the year, by id."""

    data: list[TaxReportAnswer]
    has_more: bool

    @classmethod
    def of(cls, page: Page[SellerReport]) -> "TaxReportList":
        """A page as the books have it."""
        return cls(data=[TaxReportAnswer.of(one) for one in page.data], has_more=page.has_more)
