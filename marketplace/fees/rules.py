"""The application fee of an order, computed from a schedule. Pure; integers only.

A rule is chosen for each line (the first that matches its seller, category, kind, currency, and the
order's amount and time). Lines that fall to the same rule are one *part*, priced together (pricing.py).
The order's fee is the exact sum of its parts' fees and of the buyer's service fee, so a fixed part is taken
once for each rule and not for each line. The seller gets the remainder of what the buyer pays.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from marketplace.catalog.listings import Kind
from marketplace.fees.pricing import FeePart, price
from marketplace.fees.schedule import Conditions, FeeRule, MalformedSchedule, Problem, Schedule
from payments.money import whole_share

WORKING_FORMAT: Final = 2
"""1 knew no units, tiers, tax, credits and service fee; it is read as one without any of them."""


class PricedLine(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules look at in one line of an order. Minor units."""

    listing_id: str
    category: str
    kind: Kind
    amount: int
    quantity: int = 1


class Agreed(msgspec.Struct, frozen=True, kw_only=True):
    """What the buyer agreed to: the service fee on top of lines that came to `amount`."""

    amount: int
    service_fee: int


class FeeInputs(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the fee depends on besides the schedule; kept with the quote.

    `placed_at` is when the cart was priced (None: long ago, before any date window); `credit` is how much
    the seller's credits may take off; `agreed` is given when only a part of the order is captured.
    """

    seller_id: str
    currency: str
    lines: tuple[PricedLine, ...]
    placed_at: datetime | None = None
    credit: int = 0
    agreed: Agreed | None = None

    @property
    def total(self) -> int:
        """What the lines come to, without the service fee."""
        return sum(line.amount for line in self.lines)


class FeeQuote(msgspec.Struct, frozen=True, kw_only=True):
    """A fee and how it came about: enough to compute it again and compare.

    The buyer pays `total`: the lines and the `service_fee`. Of it the platform keeps `fee`, which is
    `fee_net + fee_tax + service_fee`, and the seller has `seller_amount`. `credit` is what was taken off.
    """

    schedule_id: str
    schedule_version: int
    inputs: FeeInputs
    parts: tuple[FeePart, ...]
    total: int
    fee: int
    seller_amount: int
    fee_net: int = 0
    fee_tax: int = 0
    credit: int = 0
    service_fee: int = 0
    format: int = 1

    @property
    def rule_ids(self) -> tuple[str, ...]:
        """The rules that made the fee, by the position of their first line."""
        return tuple(part.rule_id for part in self.parts)


def quote(schedule: Schedule, inputs: FeeInputs) -> FeeQuote:
    """The application fee of an order under `schedule`. Deterministic: the same answer for ever.

    Raises MalformedSchedule when no rule matches, which `check_rules` makes impossible, and CurrencyUnknown.
    """
    parts = _parts(schedule.rules, inputs)
    service_fee = _service_fee(parts, inputs)
    fee = sum(part.fee for part in parts) + service_fee
    total = inputs.total + service_fee
    return FeeQuote(
        schedule_id=schedule.id,
        schedule_version=schedule.version,
        inputs=inputs,
        parts=parts,
        total=total,
        fee=fee,
        seller_amount=total - fee,
        fee_net=sum(part.fee_net for part in parts),
        fee_tax=sum(part.fee_tax for part in parts),
        credit=sum(part.credit for part in parts),
        service_fee=service_fee,
        format=WORKING_FORMAT,
    )


def quote_captured(
    schedule: Schedule, placed: FeeQuote, captured: Sequence[PricedLine]
) -> FeeQuote:
    """The fee when only `captured` of an order is: as if that had been ordered, at the order's time.

    The order's own credit lessens it first. The service fee is not decided again but scaled: the share of
    what the buyer agreed to, so that never more is captured than was authorized.
    """
    agreed = Agreed(amount=placed.inputs.total, service_fee=placed.service_fee)
    inputs = msgspec.structs.replace(
        placed.inputs, lines=tuple(captured), credit=placed.credit, agreed=agreed
    )
    return quote(schedule, inputs)


def read_quote(text: str | bytes) -> FeeQuote:
    """The working as it was kept, of any format."""
    kept = msgspec.json.decode(text, type=FeeQuote)
    if kept.format != 1:
        return kept
    parts = tuple(
        msgspec.structs.replace(
            part, gross=part.after_cap, within_amount=part.fee, fee_net=part.fee
        )
        for part in kept.parts
    )
    return msgspec.structs.replace(kept, parts=parts, fee_net=kept.fee)


def holds(when: Conditions, line: PricedLine, inputs: FeeInputs, total: int) -> bool:
    """Whether a rule with these conditions applies to the line of an order that comes to `total`."""
    return (
        (not when.seller_ids or inputs.seller_id in when.seller_ids)
        and (not when.categories or line.category in when.categories)
        and (not when.kinds or line.kind in when.kinds)
        and (not when.currencies or inputs.currency in when.currencies)
        and (when.amount_from is None or total >= when.amount_from)
        and (when.amount_below is None or total < when.amount_below)
        and _within(when, inputs.placed_at)
    )


def _within(when: Conditions, placed_at: datetime | None) -> bool:
    if when.placed_from is None and when.placed_before is None:
        return True
    if placed_at is None:
        return False
    return (when.placed_from is None or placed_at >= when.placed_from) and (
        when.placed_before is None or placed_at < when.placed_before
    )


def _parts(rules: Sequence[FeeRule], inputs: FeeInputs) -> tuple[FeePart, ...]:
    chosen: dict[str, tuple[FeeRule, list[PricedLine]]] = {}
    total = inputs.total
    for line in inputs.lines:
        rule = _first_match(rules, line, inputs, total)
        chosen.setdefault(rule.id, (rule, []))[1].append(line)
    parts = []
    credit = inputs.credit
    for rule, lines in chosen.values():
        part = price(
            rule,
            currency=inputs.currency,
            amount=sum(line.amount for line in lines),
            units=sum(line.quantity for line in lines),
            credit=credit,
            listing_ids=tuple(line.listing_id for line in lines),
        )
        credit -= part.credit
        parts.append(part)
    return tuple(parts)


def _service_fee(parts: Sequence[FeePart], inputs: FeeInputs) -> int:
    agreed = inputs.agreed
    if agreed is None:
        return sum(part.service_fee for part in parts)
    return whole_share(agreed.service_fee, inputs.total, agreed.amount, inputs.currency)


def _first_match(
    rules: Sequence[FeeRule], line: PricedLine, inputs: FeeInputs, total: int
) -> FeeRule:
    for rule in rules:
        if holds(rule.when, line, inputs, total):
            return rule
    raise MalformedSchedule(Problem("rules", "no_catch_all"))
