"""What can go wrong with papers. Classes carry data, not sentences, and no HTTP."""

from typing import Literal

MonthFault = Literal[
    "no_issuer",
    "not_over",
    "before_first",
    "earlier_month_open",
    "books_not_sealed",
    "no_movement",
    "cannot_be_computed",
]
IssuerFault = Literal["text", "country", "month_fixed", "month_to_come"]


class PapersError(Exception):
    """Root of everything papers raise."""


class PaperNotFound(PapersError):
    """No such paper, or it is somebody else's: nobody learns which."""

    def __init__(self, paper_id: str) -> None:
        self.paper_id = paper_id
        super().__init__(paper_id)


class PaperMonthRefused(PapersError):
    """Nothing can be issued of this month now: a stable word that says why."""

    def __init__(self, month: str, why: MonthFault) -> None:
        self.month, self.why = month, why
        super().__init__(month, why)


class IssuerRefused(PapersError):
    """The issuer cannot be this: which field, and a stable word that says why."""

    def __init__(self, path: str, why: IssuerFault) -> None:
        self.path, self.why = path, why
        super().__init__(path, why)
