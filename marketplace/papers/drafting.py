"""Papers before they have numbers: what the covered postings come to, seller by seller. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

import msgspec

from marketplace.books.words import place_of
from marketplace.papers.covering import FeeHistory, FeePosting, Moved
from marketplace.papers.splitting import TaxPart, Working, moved

Kind = Literal["statement", "fee_invoice", "credit_note"]
KINDS: Final[tuple[Kind, ...]] = ("statement", "fee_invoice", "credit_note")


class KindLine(msgspec.Struct, frozen=True, kw_only=True):
    """A statement's sum of one kind of movement."""

    kind: str
    movements: int
    amount: int


class RateLine(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice's sum under one rate of tax; a credit note's is what is given back."""

    tax_basis_points: int
    fee_net: int
    fee_tax: int


class FeeLine(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a fee posting under one rate. `corrects` is the invoice it takes back from."""

    posting: FeePosting
    part: TaxPart
    corrects: str | None = None


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A paper without its number. Minor units; an invoice has no balances, a statement no fee."""

    kind: Kind
    seller_id: str
    currency: str
    total: int
    postings: int
    opening: int | None = None
    by_kind: tuple[KindLine, ...] = ()
    by_rate: tuple[RateLine, ...] = ()
    lines: tuple[FeeLine, ...] = ()
    service_fee: int = 0

    @property
    def key(self) -> tuple[str, str, str]:
        """What there is one paper of a month for."""
        return (self.seller_id, self.currency, self.kind)


def statements(found: Iterable[Moved], openings: Mapping[tuple[str, str], int]) -> list[Draft]:
    """A statement for each seller and currency in which anything moved."""
    accounts: dict[tuple[str, str], list[Moved]] = defaultdict(list)
    for one in found:
        accounts[one.seller_id, one.currency].append(one)
    return [
        Draft(
            kind="statement",
            seller_id=seller_id,
            currency=currency,
            opening=openings[seller_id, currency],
            total=sum(one.amount for one in sums),
            postings=sum(one.movements for one in sums),
            by_kind=tuple(
                KindLine(kind=one.kind, movements=one.movements, amount=one.amount)
                for one in sorted(sums, key=lambda one: place_of(one.kind))
            ),
        )
        for (seller_id, currency), sums in accounts.items()
    ]


def fee_papers(
    found: Sequence[FeePosting],
    histories: Mapping[str, FeeHistory],
    workings: Mapping[str, Working],
) -> list[Draft]:
    """Invoices of the fees taken, with what was returned of those very fees; and credit notes of what was
    returned of fees that an earlier invoice charged."""
    payments: dict[str, list[FeePosting]] = defaultdict(list)
    for posting in found:
        payments[posting.payment_id].append(posting)
    papers: dict[tuple[str, str, Kind], list[FeeLine]] = defaultdict(list)
    for payment_id, postings in payments.items():
        history = histories[payment_id]
        together = _is_invoiced_together(postings)
        kept = history.kept
        for posting in postings:
            credited = posting.amount < 0 and not together
            kind: Kind = "credit_note" if credited else "fee_invoice"
            parts = moved(workings[payment_id], kept, kept + posting.amount, posting.currency)
            kept += posting.amount
            papers[posting.seller_id, posting.currency, kind] += [
                FeeLine(
                    posting=posting,
                    part=part,
                    corrects=history.invoice_id if credited else None,
                )
                for part in parts
            ]
    return [_fee_paper(*key, tuple(lines)) for key, lines in papers.items()]


def _is_invoiced_together(postings: Sequence[FeePosting]) -> bool:
    """Whether what was returned was also charged now: then the invoice shows both."""
    return postings[0].amount > 0 and sum(posting.amount for posting in postings) >= 0


def _fee_paper(seller_id: str, currency: str, kind: Kind, lines: tuple[FeeLine, ...]) -> Draft:
    # What a credit note gives back is above zero on it.
    sign = -1 if kind == "credit_note" else 1
    rates: dict[int, tuple[int, int]] = {}
    for line in lines:
        net, tax = rates.get(line.part.tax_basis_points, (0, 0))
        rates[line.part.tax_basis_points] = (net + line.part.fee_net, tax + line.part.fee_tax)
    return Draft(
        kind=kind,
        seller_id=seller_id,
        currency=currency,
        total=sign * sum(line.part.amount for line in lines),
        postings=len({line.posting.id for line in lines}),
        by_rate=tuple(
            RateLine(tax_basis_points=rate, fee_net=sign * net, fee_tax=sign * tax)
            for rate, (net, tax) in sorted(rates.items())
        ),
        lines=lines,
        service_fee=sign * sum(line.part.service_fee for line in lines),
    )
