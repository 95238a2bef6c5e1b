"""What the schedule asks for on what was captured, and what is odd about a payment's fee.

Needs no database: everything it looks at is handed in.
"""

from typing import Any, Final, Literal, get_args

import msgspec

from marketplace.books.fees.figures import FeeFigures
from marketplace.books.fees.spreading import Spread, by_category, by_rule, whole
from marketplace.fees.rules import FeeQuote, quote_captured, read_quote
from marketplace.fees.schedule import MalformedSchedule, Schedule
from marketplace.orders.prepared import marked, priced
from marketplace.orders.totals import Line
from payments.money import BASIS_POINTS, whole_share

AnomalyCode = Literal[
    "fee_differs",
    "fee_unexplained",
    "rate_out_of_band",
    "fee_without_transfer",
    "transfer_skipped",
    "fee_returned_without_refund",
    "negative_margin",
]
CODES: Final[tuple[str, ...]] = get_args(AnomalyCode)

_LEEWAY: Final = 2
"""A rate is out of the band below the half of the lowest rate of the schedule, and above twice the highest:
fixed parts, floors, caps and credits may move it, but hardly so far."""


class PaymentFacts(FeeFigures, frozen=True, kw_only=True):
    """What is known of a payment and its order. `asked_amount` and `asked_fee` are what Stripe was asked for;
    `disputed` is what buyers' banks hold of it."""

    gross: int
    service_fee: int
    asked_amount: int
    asked_fee: int
    transfer_id: str | None
    disputed: int
    fee_working: str
    lines: tuple[Line, ...]


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """What the fee should be (None: nobody can say), and how the payment is spread."""

    expected: int | None
    categories: Spread
    rules: Spread


class Anomaly(msgspec.Struct, frozen=True):
    """Something about a fee that somebody should look at; `facts` say why."""

    code: AnomalyCode
    facts: dict[str, Any]


class Band(msgspec.Struct, frozen=True):
    """Effective rates that nobody wonders about, in basis points."""

    lowest: int
    highest: int


def explain(facts: PaymentFacts, schedule: Schedule | None) -> Explained:
    """The fee by the schedule the order was placed under, on what was captured of it.

    Where somebody captured a part elsewhere nobody said of which lines: the order's fee in proportion.
    """
    try:
        placed = read_quote(facts.fee_working)
        known = None if schedule is None else captured_working(facts, placed, schedule)
        spread_by = known or placed
        return Explained(
            expected=_expected(facts, known, schedule),
            categories=by_category(spread_by),
            rules=by_rule(spread_by),
        )
    except (msgspec.DecodeError, MalformedSchedule, KeyError, ValueError):
        # Not ours to stop at: the payment is shown, and flagged.
        return Explained(expected=None, categories=whole("unknown"), rules=whole("unknown"))


def anomalies(
    facts: PaymentFacts, expected: int | None, schedule: Schedule | None
) -> list[Anomaly]:
    """Everything odd about it, each code once."""
    found: list[Anomaly] = []
    taken, rate = facts.fee_taken, facts.effective_rate_basis_points
    if expected is None:
        found.append(Anomaly("fee_unexplained", {"taken": taken}))
    elif taken != expected:
        found.append(Anomaly("fee_differs", {"taken": taken, "expected": expected}))
    if schedule is not None and rate is not None:
        usual = band(schedule)
        if not usual.lowest <= rate <= usual.highest:
            about = {"rate_basis_points": rate, "lowest": usual.lowest, "highest": usual.highest}
            found.append(Anomaly("rate_out_of_band", about))
    if facts.transfer_id is None and facts.captured:
        found.append(Anomaly("transfer_skipped", {"captured": facts.captured}))
        if taken:
            found.append(Anomaly("fee_without_transfer", {"taken": taken}))
    if facts.fee_returned and not facts.refunded and not facts.disputed:
        found.append(Anomaly("fee_returned_without_refund", {"returned": facts.fee_returned}))
    if facts.net < 0:
        about = {"taken": taken, "returned": facts.fee_returned, "cost": facts.processing_cost}
        found.append(Anomaly("negative_margin", {"net": facts.net, **about}))
    return found


def band(schedule: Schedule) -> Band:
    """The effective rates that the schedule's rules may lead to, with leeway."""
    rates = [
        (rate, rule.service_basis_points, rule.tax_basis_points)
        for rule in schedule.rules
        for rate in (
            rule.basis_points,
            *(tier.basis_points for tiers in rule.tiers.values() for tier in tiers),
        )
    ]
    if not rates:
        return Band(0, BASIS_POINTS)
    highest = max(
        rate * (BASIS_POINTS + tax) // BASIS_POINTS + service for rate, service, tax in rates
    )
    return Band(min(rate for rate, _, _ in rates) // _LEEWAY, min(highest * _LEEWAY, BASIS_POINTS))


def captured_working(facts: PaymentFacts, placed: FeeQuote, schedule: Schedule) -> FeeQuote | None:
    """The working of what was captured; None where nobody knows which lines were, or of which cart."""
    if facts.asked_amount != facts.gross:
        return None
    if facts.captured == facts.gross:
        return quote_captured(schedule, placed, placed.inputs.lines)
    quantities = marked(facts.lines)
    if quantities is None:
        return None
    lines = priced(facts.lines, quantities)
    amount = sum(line.amount for line in lines)
    service = whole_share(
        facts.service_fee, amount, facts.gross - facts.service_fee, facts.currency
    )
    if not lines or amount + service != facts.captured:
        return None
    return quote_captured(schedule, placed, lines)


def _expected(facts: PaymentFacts, known: FeeQuote | None, schedule: Schedule | None) -> int | None:
    if schedule is None:
        return None
    if known is not None:
        return known.fee
    part = min(facts.captured, facts.asked_amount)
    return whole_share(facts.asked_fee, part, facts.asked_amount, facts.currency)
