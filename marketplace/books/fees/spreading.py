"""How the money of one payment is spread over the categories and the rules of its order. Pure.

Weights, not amounts: each posting is divided by them on its own, to the unit. What was captured, refunded and
paid to Stripe follows what the lines came to; a fee follows what the rules charged for them.
"""

from collections.abc import Iterable

import msgspec

from marketplace.fees.rules import FeeQuote
from payments.money import cumulative_share


class Spread(msgspec.Struct, frozen=True):
    """Keys, each once, beside their weights: of amounts, and of fees. Both sum to more than nothing."""

    keys: tuple[str, ...]
    amounts: tuple[int, ...]
    fees: tuple[int, ...]


def by_rule(quote: FeeQuote) -> Spread:
    """Over the rules that made the fee, with the buyer's service fee where its rule asked for it."""
    return _spread((part.rule_id, part.amount, part.fee + part.service_fee) for part in quote.parts)


def by_category(quote: FeeQuote) -> Spread:
    """Over the lines' categories: the fee of a rule is divided among its lines by what they came to."""
    lines = {line.listing_id: line for line in quote.inputs.lines}
    weights: list[tuple[str, int, int]] = []
    for part in quote.parts:
        charged, before, shared = part.fee + part.service_fee, 0, 0
        for listing_id in part.listing_ids:
            line = lines[listing_id]
            before += line.amount
            share = cumulative_share(charged, before, part.amount) - shared
            shared += share
            weights.append((line.category, line.amount, share))
    return _spread(weights)


def whole(key: str) -> Spread:
    """All of it under one key."""
    return Spread((key,), (1,), (1,))


def _spread(weights: Iterable[tuple[str, int, int]]) -> Spread:
    sums: dict[str, tuple[int, int]] = {}
    for key, amount, fee in weights:
        of_amounts, of_fees = sums.get(key, (0, 0))
        sums[key] = (of_amounts + amount, of_fees + fee)
    amounts = tuple(amount for amount, _ in sums.values())
    fees = tuple(fee for _, fee in sums.values())
    return Spread(tuple(sums), amounts, fees if sum(fees) else amounts)
