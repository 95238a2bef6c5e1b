"""What can go wrong with tax details. Classes carry data, never the personal data itself, and no HTTP."""

from datetime import datetime
from typing import Literal

TaxFault = Literal[
    "text",
    "country",
    "number",
    "vat_number",
    "iban",
    "birth_date",
    "needed_for_individuals",
    "needed_for_entities",
    "for_individuals_only",
    "for_entities_only",
    "repeated",
    "too_many",
]


class TaxError(Exception):
    """Root of everything about tax raises."""


class TaxDetailsRefused(TaxError):
    """The details cannot be these: which field, and a stable word that says why; never what it was."""

    def __init__(self, path: str, why: TaxFault) -> None:
        self.path, self.why = path, why
        super().__init__(path, why)


class TaxYearRefused(TaxError):
    """There is no report of such a year: it has not begun, or is none."""

    def __init__(self, year: str) -> None:
        self.year = year
        super().__init__(year)


class AsOfRefused(TaxError):
    """Figures of a moment that has not come, or a change that ends before it begins."""

    def __init__(self, as_of: datetime) -> None:
        self.as_of = as_of
        super().__init__(as_of)
