"""What sellers may say of themselves, and what of it is missing."""

from datetime import date
from typing import Any

import msgspec
import pytest

from marketplace.tax.details import TaxDetails, Tin, changed, checked, missing
from marketplace.tax.errors import TaxDetailsRefused
from marketplace.tax.figures import ActivityFigures, QuarterFigures
from marketplace.tax.reports import excluded

TODAY = date(2026, 11, 21)
ADA: dict[str, Any] = {
    "seller_kind": "individual",
    "country": "DE",
    "first_name": "Ada",
    "last_name": "Example",
    "line1": "Torstraße 1",
    "city": "Berlin",
    "birth_date": date(1985, 12, 10),
    "tins": (Tin(number="12 345 678 901", issued_by="DE"),),
}
LTD: dict[str, Any] = {
    "seller_kind": "entity",
    "country": "IE",
    "legal_name": "Mats Ltd",
    "line1": "1 Quay",
    "city": "Dublin",
    "registration_number": "123456",
    "tins": (Tin(number="1234567t", issued_by="IE"),),
}


def told(facts: dict[str, Any], **changes: Any) -> TaxDetails:
    return checked(TaxDetails(**facts | changes), TODAY)


def test_details_are_kept_in_one_form() -> None:
    kept = told(
        LTD,
        legal_name="  Mats   Ltd ",
        vat_number="ie 1234567-t",
        iban="DE89 3704 0044 0532 0130 00",
    )
    assert (kept.legal_name, kept.vat_number, kept.tins[0].number) == (
        "Mats Ltd",
        "IE1234567T",
        "1234567T",
    )
    assert kept.iban == "DE89370400440532013000"
    assert missing(kept) == missing(told(ADA)) == ()


@pytest.mark.parametrize(
    ("facts", "changes", "path", "why"),
    [
        (ADA, {"first_name": None}, "first_name", "needed_for_individuals"),
        (ADA, {"legal_name": "Ada Ltd"}, "legal_name", "for_entities_only"),
        (LTD, {"legal_name": None}, "legal_name", "needed_for_entities"),
        (LTD, {"birth_date": date(1990, 1, 1)}, "birth_date", "for_individuals_only"),
        (ADA, {"birth_date": TODAY}, "birth_date", "birth_date"),
        (ADA, {"birth_date": date(1899, 12, 31)}, "birth_date", "birth_date"),
        (ADA, {"country": "XX"}, "country", "country"),
        (ADA, {"birth_country": "de"}, "birth_country", "country"),
        (ADA, {"city": "Ber\u202elin"}, "city", "text"),
        (ADA, {"vat_number": "123"}, "vat_number", "vat_number"),
        (ADA, {"iban": "DE89370400440532013001"}, "iban", "iban"),
        (ADA, {"tins": (Tin(number="1", issued_by="DE"),)}, "tins[0].number", "number"),
        (ADA, {"tins": (Tin(number="123", issued_by="ZZ"),)}, "tins[0].issued_by", "country"),
        (ADA, {"tins": ADA["tins"] * 2}, "tins", "repeated"),
        (ADA, {"tins": ADA["tins"] * 6}, "tins", "too_many"),
    ],
)
def test_what_cannot_be_is_refused_without_repeating_it(
    facts: dict[str, Any], changes: dict[str, Any], path: str, why: str
) -> None:
    with pytest.raises(TaxDetailsRefused) as refused:
        told(facts, **changes)
    assert (refused.value.path, refused.value.why) == (path, why)
    assert refused.value.args == (path, why)


def test_what_is_missing_is_named() -> None:
    assert missing(None) == ("tax_details",)
    bare = told(ADA, line1=None, birth_date=None, tins=())
    assert missing(bare) == ("line1", "birth_date", "tins")
    assert missing(told(ADA, tins=(), birth_place="Berlin")) == ()
    assert missing(told(LTD, registration_number=None, tins=())) == ("registration_number", "tins")
    assert "Ada" not in repr(told(ADA))
    assert changed(told(ADA), told(ADA, city="Bonn")) == ["city"]


def _sold(consideration: int, activities: int, **changes: Any) -> ActivityFigures:
    quarter = QuarterFigures(
        quarter=1, activities=activities, consideration=consideration, fees=0, service_fees=0
    )
    goods = ActivityFigures(activity="sale_of_goods", currency="eur", quarters=(quarter,))
    return msgspec.structs.replace(goods, **changes)


@pytest.mark.parametrize(
    ("activities", "answer"),
    [
        ([_sold(200_000, 29)], True),
        ([_sold(200_001, 29)], False),
        ([_sold(100, 30)], False),
        ([_sold(100, 1), _sold(100, 1, activity="personal_services")], False),
        ([_sold(100, 1), _sold(100, 1, currency="usd")], None),
        ([_sold(200_001, 1), _sold(100, 1, currency="usd")], False),
        ([_sold(100, 15), _sold(100, 15, currency="usd")], False),
    ],
)
def test_small_sellers_of_goods_are_hinted_at(
    activities: list[ActivityFigures], answer: bool | None
) -> None:
    assert excluded(activities) is answer
