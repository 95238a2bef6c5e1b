"""What a seller says of themselves for the tax authorities, and what of it is missing. Pure.

The list is DAC7's: Council Directive (EU) 2021/514, Annex V, section II.B (what is collected) and III.B.2
(what is reported). Nothing is checked against a register: only that it can be what it says it is.
"""

import re
from datetime import date
from typing import Any, Final, Literal

import msgspec

from marketplace.sellers.countries import COUNTRIES
from marketplace.tax.errors import TaxDetailsRefused
from marketplace.tax.texts import canonical_text

SellerKind = Literal["individual", "entity"]
TEXT_LIMIT: Final = 200
TINS_LIMIT: Final = 5
EU: Final = frozenset(
    {
        *("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU"),
        *("IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"),
    }
)
"""The member states: sellers who live there, have their seat there, or a tax number, are reported."""

_NUMBER: Final = re.compile(r"[0-9A-Z][0-9A-Z ./+*&-]{1,39}")
_VAT: Final = re.compile(r"[A-Z]{2}[0-9A-Z+*]{2,12}")
_IBAN: Final = re.compile(r"[A-Z]{2}[0-9]{2}[0-9A-Z]{11,30}")
_TEXTS: Final = (
    *("first_name", "last_name", "legal_name", "line1", "line2", "postal_code", "city"),
    *("birth_place", "account_holder"),
)
_INDIVIDUALS: Final = ("first_name", "last_name", "birth_date", "birth_place", "birth_country")
_ENTITIES: Final = ("legal_name", "registration_number")


class Tin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tax identification number and the country that issued it."""

    number: str
    issued_by: str


class TaxDetails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One seller's. Individuals have first and last name, entities a legal name; `country` is where they
    live or have their seat. `iban` is of the account they are paid out to, where they tell it."""

    seller_kind: SellerKind
    country: str
    first_name: str | None = None
    last_name: str | None = None
    legal_name: str | None = None
    line1: str | None = None
    line2: str | None = None
    postal_code: str | None = None
    city: str | None = None
    tins: tuple[Tin, ...] = ()
    vat_number: str | None = None
    registration_number: str | None = None
    birth_date: date | None = None
    birth_place: str | None = None
    birth_country: str | None = None
    iban: str | None = None
    account_holder: str | None = None

    @property
    def name(self) -> str:
        """As it is printed."""
        if self.seller_kind == "entity":
            return self.legal_name or ""
        return f"{self.first_name} {self.last_name}"

    def __repr__(self) -> str:
        # Personal data: never in a log or a traceback.
        return f"TaxDetails(seller_kind={self.seller_kind!r}, ...)"


def is_reportable(country: str, details: TaxDetails | None) -> bool:
    """Whether a member state must be told of them: where they live, and where a tax number of theirs was
    issued (Annex V, section II.D.1)."""
    issuers = () if details is None else (tin.issued_by for tin in details.tins)
    return country in EU or any(issuer in EU for issuer in issuers)


def checked(told: TaxDetails, today: date) -> TaxDetails:
    """The details with clean texts and numbers in capitals. Raises TaxDetailsRefused."""
    facts: dict[str, Any] = {name: getattr(told, name) for name in TaxDetails.__struct_fields__}
    for name in _TEXTS:
        if facts[name] is not None:
            facts[name] = canonical_text(facts[name], TEXT_LIMIT)
            _require(facts[name] is not None, name, "text")
    facts["registration_number"] = _number("registration_number", told.registration_number)
    facts["vat_number"] = _compact("vat_number", told.vat_number, _VAT)
    facts["iban"] = _iban(told.iban)
    facts["tins"] = _tins(told.tins)
    for name in ("country", "birth_country"):
        _require(facts[name] is None or facts[name] in COUNTRIES, name, "country")
    born = told.birth_date
    _require(born is None or date(1900, 1, 1) <= born < today, "birth_date", "birth_date")
    _require_kind(facts)
    return TaxDetails(**facts)


def missing(details: TaxDetails | None) -> tuple[str, ...]:
    """What a report of this seller should have and nobody has told.

    The place of birth stands in for a tax number that no country has issued; VAT and account numbers are
    reported where there are any.
    """
    if details is None:
        return ("tax_details",)
    needed = ["line1", "city"]
    if details.seller_kind == "individual":
        needed.append("birth_date")
        if not details.tins and details.birth_place is None:
            needed.append("tins")
    else:
        needed.append("registration_number")
        if not details.tins:
            needed.append("tins")
    return tuple(name for name in needed if not getattr(details, name))


def changed(before: TaxDetails | None, after: TaxDetails) -> list[str]:
    """The names of the fields that differ: what the audit log may know."""
    return [
        name
        for name in TaxDetails.__struct_fields__
        if before is None or getattr(before, name) != getattr(after, name)
    ]


def _require_kind(facts: dict[str, Any]) -> None:
    individual = facts["seller_kind"] == "individual"
    for name in ("first_name", "last_name") if individual else ("legal_name",):
        _require(
            facts[name] is not None,
            name,
            "needed_for_individuals" if individual else "needed_for_entities",
        )
    for name in _ENTITIES if individual else _INDIVIDUALS:
        _require(
            facts[name] is None, name, "for_entities_only" if individual else "for_individuals_only"
        )


def _tins(told: tuple[Tin, ...]) -> tuple[Tin, ...]:
    _require(len(told) <= TINS_LIMIT, "tins", "too_many")
    found = []
    for place, tin in enumerate(told):
        _require(tin.issued_by in COUNTRIES, f"tins[{place}].issued_by", "country")
        number = _number(f"tins[{place}].number", tin.number)
        found.append(Tin(number=number or "", issued_by=tin.issued_by))
    _require(len(set(found)) == len(found), "tins", "repeated")
    return tuple(found)


def _number(path: str, typed: str | None) -> str | None:
    if typed is None:
        return None
    number = " ".join(typed.upper().split())
    _require(_NUMBER.fullmatch(number) is not None, path, "number")
    return number


def _compact(path: Literal["vat_number"], typed: str | None, form: re.Pattern[str]) -> str | None:
    if typed is None:
        return None
    number = re.sub(r"[ .-]", "", typed.upper())
    _require(form.fullmatch(number) is not None, path, path)
    return number


def _iban(typed: str | None) -> str | None:
    """ISO 13616: the first four moved to the end, letters as two digits, modulo 97 is 1."""
    if typed is None:
        return None
    iban = re.sub(r"\s", "", typed.upper())
    fits = _IBAN.fullmatch(iban) is not None
    _require(
        fits and int("".join(str(int(one, 36)) for one in iban[4:] + iban[:4])) % 97 == 1,
        "iban",
        "iban",
    )
    return iban


def _require(holds: bool, path: str, why: Any) -> None:
    if not holds:
        raise TaxDetailsRefused(path, why)
