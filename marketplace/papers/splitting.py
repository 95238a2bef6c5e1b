"""What a fee is made of on an invoice: net and tax for each rate, and the buyer's service fee in it. Pure.

Whatever part of a payment's fee is kept is divided by the working of the fee in one way only, so what a
posting adds or takes away is the difference between two such divisions: charges and returns in any order add
up to the working exactly, and every line to its posting.
"""

import msgspec

from marketplace.books.fees.assessing import PaymentFacts, captured_working
from marketplace.fees.rules import FeeQuote, read_quote
from marketplace.fees.schedule import MalformedSchedule, Schedule
from payments.currencies import currency as find_currency
from payments.money import cumulative_share, whole_share


class TaxPart(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a fee under one rate of tax. Minor units; below zero for what was returned."""

    tax_basis_points: int
    fee_net: int
    fee_tax: int
    service_fee: int = 0

    @property
    def amount(self) -> int:
        """All of it."""
        return self.fee_net + self.fee_tax + self.service_fee


Working = tuple[TaxPart, ...]
"""A fee by rates of tax, the lowest first; the first has the service fee."""
_UNKNOWN: Working = (TaxPart(tax_basis_points=0, fee_net=1, fee_tax=0),)
"""Where nobody can say how a fee came about, all of it is net, without tax."""


def working_of(facts: PaymentFacts, schedule: Schedule | None) -> Working:
    """How the fee of what was captured is divided; of an order's fee where nobody knows which lines were."""
    try:
        placed = read_quote(facts.fee_working)
        known = None if schedule is None else captured_working(facts, placed, schedule)
    except (msgspec.DecodeError, MalformedSchedule, KeyError, ValueError):
        return _UNKNOWN
    return by_rate(known or placed)


def by_rate(quote: FeeQuote) -> Working:
    """The parts of a fee added up by their rate of tax."""
    sums: dict[int, tuple[int, int]] = {}
    for part in quote.parts:
        net, tax = sums.get(part.tax_basis_points, (0, 0))
        sums[part.tax_basis_points] = (net + part.fee_net, tax + part.fee_tax)
    parts = [
        TaxPart(
            tax_basis_points=rate,
            fee_net=net,
            fee_tax=tax,
            service_fee=quote.service_fee if place == 0 else 0,
        )
        for place, (rate, (net, tax)) in enumerate(sorted(sums.items()))
    ]
    return tuple(parts) if sum(part.amount for part in parts) > 0 else _UNKNOWN


def moved(working: Working, before: int, after: int, currency: str) -> Working:
    """What is charged, part by part, where the fee kept goes from `before` to `after`; adds up exactly."""
    held, holds = (divided(working, kept, currency) for kept in (before, after))
    parts = tuple(
        TaxPart(
            tax_basis_points=new.tax_basis_points,
            fee_net=new.fee_net - old.fee_net,
            fee_tax=new.fee_tax - old.fee_tax,
            service_fee=new.service_fee - old.service_fee,
        )
        for old, new in zip(held, holds, strict=True)
    )
    told = tuple(part for part in parts if part.fee_net or part.fee_tax or part.service_fee)
    return told or parts[:1]


def divided(working: Working, kept: int, currency: str) -> Working:
    """`kept` of a fee by its working: shares of its parts, which add up to it exactly."""
    whole = sum(part.amount for part in working)
    reached, given = 0, 0
    parts = []
    for part in working:
        amounts = []
        for amount in (part.service_fee, part.fee_net, part.fee_tax):
            reached += amount
            share = _share(kept, reached, whole, currency)
            amounts.append(share - given)
            given = share
        service_fee, fee_net, fee_tax = amounts
        parts.append(
            TaxPart(
                tax_basis_points=part.tax_basis_points,
                fee_net=fee_net,
                fee_tax=fee_tax,
                service_fee=service_fee,
            )
        )
    return tuple(parts)


def _share(kept: int, part: int, whole: int, currency: str) -> int:
    """In whole steps of the currency, where the fee kept is."""
    if kept < 0:
        return -_share(-kept, part, whole, currency)
    if kept % find_currency(currency).step:
        return cumulative_share(kept, part, whole)
    return whole_share(kept, part, whole, currency)
