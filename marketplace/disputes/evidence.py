"""The evidence of a dispute, built from what the platform knows of the order. Pure.

The fields are Stripe's (docs.stripe.com/disputes/categories): what was sold, to whom, that it was sent or
held, what was written, and what was agreed about refunds. People edit it before it is submitted.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from marketplace.orders.totals import Line
from payments.dispute_evidence import LONGEST_TOGETHER
from payments.money import whole_share, written

_CONVERSATION_LONGEST: Final = 60_000
"""Characters kept of the conversation, its end first: Stripe takes 150,000 of everything together."""


class Said(msgspec.Struct, frozen=True):
    """One message of the order's conversation."""

    author: str
    body: str
    written_at: datetime


class Happened(msgspec.Struct, frozen=True):
    """One step of the order's history."""

    step: str
    occurred_at: datetime


class EvidenceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the pack is built from."""

    order_id: str
    total: int
    captured: int
    currency: str
    placed_at: datetime
    buyer_name: str
    buyer_email: str
    seller_name: str
    lines: Sequence[Line]
    service_fee: int = 0
    history: Sequence[Happened] = ()
    conversation: Sequence[Said] = ()
    carrier: str | None = None
    tracking_number: str | None = None
    shipped_at: datetime | None = None
    shipping_address: str | None = None
    session_at: datetime | None = None
    cancellation_terms: str | None = None
    refunded: int = 0


def build(facts: EvidenceFacts) -> dict[str, str]:
    """The evidence fields with text in them; nothing is claimed that is not known."""
    candidates = {
        "product_description": _product(facts),
        "customer_name": facts.buyer_name,
        "customer_email_address": facts.buyer_email,
        "shipping_carrier": facts.carrier,
        "shipping_tracking_number": facts.tracking_number,
        "shipping_date": _day(facts.shipped_at),
        "shipping_address": facts.shipping_address,
        "service_date": _day(facts.session_at),
        "cancellation_policy_disclosure": facts.cancellation_terms,
        "uncategorized_text": _account(facts),
    }
    return {field: text for field, text in candidates.items() if text}


def merged(built: Mapping[str, str], edited: Mapping[str, str]) -> dict[str, str]:
    """The built pack with what people wrote over it; an empty text takes a field out."""
    return {field: text for field, text in {**built, **edited}.items() if text.strip()}


def _product(facts: EvidenceFacts) -> str:
    # What was left out was never paid for: it would be a false word to the bank.
    sold = [
        (line.quantity if line.quantity_prepared is None else line.quantity_prepared, line)
        for line in facts.lines
    ]
    lines = [
        f"{count} x {line.title} ({line.category}) at {written(line.unit_amount, facts.currency)}"
        for count, line in sold
        if count
    ]
    service_fee = _service_fee(facts, sum(count * line.unit_amount for count, line in sold))
    if service_fee:
        lines.append(f"Service fee of the platform: {written(service_fee, facts.currency)}")
    return f"Sold by {facts.seller_name}:\n" + "\n".join(lines)


def _service_fee(facts: EvidenceFacts, sold: int) -> int:
    """What the buyer paid on top of lines that came to `sold`: its share where a part was left out."""
    return whole_share(facts.service_fee, sold, facts.total - facts.service_fee, facts.currency)


def _account(facts: EvidenceFacts) -> str:
    told = [
        f"Order {facts.order_id}, placed {_moment(facts.placed_at)}, "
        f"total {written(facts.total, facts.currency)}.",
    ]
    if facts.captured < facts.total:
        told.append(f"Paid: {written(facts.captured, facts.currency)}; the rest was left out.")
    if facts.refunded:
        told.append(f"Refunded already: {written(facts.refunded, facts.currency)}.")
    if facts.history:
        told.append("What happened:")
        told += [f"{_moment(one.occurred_at)} {one.step}" for one in facts.history]
    conversation = _conversation(facts.conversation)
    if conversation:
        told += ["What buyer and seller wrote:", conversation]
    return "\n".join(told)[: LONGEST_TOGETHER // 2]


def _conversation(said: Sequence[Said]) -> str:
    whole = "\n".join(f"{_moment(one.written_at)} {one.author}: {one.body}" for one in said)
    return whole[-_CONVERSATION_LONGEST:]


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def _day(moment: datetime | None) -> str | None:
    return None if moment is None else moment.strftime("%Y-%m-%d")
