"""The sums of fees against a recount of every posting, row by row, that shares no SQL with them.

The program counts its sums in SQL, and so does the rule that checks them (F2). Here each posting is read and
added up in Python, by the words of docs/decisions/0029: what the database would get wrong in the same way
twice, this does not. What still waits to be folded in is left out on both sides.
"""

import time
from array import array
from collections.abc import Callable, Iterator
from typing import Any, Final

import asyncpg
import msgspec

FIGURES: Final = (
    "payments",
    "captured",
    "refunded",
    "fee_taken",
    "fee_returned",
    "processing_cost",
)
_FIGURE_AND_SIGN: Final = {
    "capture": (FIGURES.index("captured"), 1),
    "application_fee": (FIGURES.index("fee_taken"), 1),
    "processing_cost": (FIGURES.index("processing_cost"), 1),
    "refund": (FIGURES.index("refunded"), 1),
    "refund_failure": (FIGURES.index("refunded"), -1),
    "fee_refund": (FIGURES.index("fee_returned"), 1),
}
_BY_FEES: Final = ("application_fee", "fee_refund")
_TOLD_EVERY: Final = 1_000_000
_FETCHED: Final = 10_000
# A payment of one category and one rule comes without its weights: nothing of it is divided.
_POSTINGS: Final = """
SELECT p.kind, p.amount, p.currency, p.seller_id, to_char(p.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD'),
    p.kind = 'capture' AND p.cause = p.payment_id || ':captured:' || p.amount,
    r.categories[1], r.rule_ids[1],
    c.categories, c.category_amounts, c.category_fees, u.rule_ids, u.rule_amounts, u.rule_fees
FROM postings p LEFT JOIN fee_reviews r ON r.payment_id = p.payment_id
LEFT JOIN LATERAL (SELECT r.categories, r.category_amounts, r.category_fees) AS c
    ON cardinality(r.categories) > 1
LEFT JOIN LATERAL (SELECT r.rule_ids, r.rule_amounts, r.rule_fees) AS u ON cardinality(r.rule_ids) > 1
WHERE p.payment_id IS NOT NULL AND p.kind = ANY($1)
    AND NOT EXISTS (SELECT FROM fee_movements w WHERE w.posting_id = p.id)
"""
_KEPT: Final = f"""
SELECT dimension, grain, key, currency, to_char(starts_on, 'YYYY-MM-DD'), {", ".join(FIGURES)}
FROM fee_totals
"""

Place = tuple[str, str, str, str, str]
"""Dimension, grain, key, currency and the first day, as `fee_totals` names its rows."""


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """What a recount came to. `different` are the places whose figures are not the same on both sides."""

    postings: int
    sums: int
    different: list[Place]
    seconds: float


class Counted:
    """Sums per day of sellers, categories and rules, which grow posting by posting; the rest at the end."""

    def __init__(self) -> None:
        self._places: dict[Place, int] = {}
        self._figures = array("q")

    def add(self, posting: Any) -> None:
        """Add one row of `_POSTINGS`."""
        kind, amount, currency, seller, day, first, category, rule = posting[:8]
        figure, sign = _FIGURE_AND_SIGN[kind]
        parts = [("seller", seller, amount)]
        for dimension, only, weighed in (("category", category, 8), ("rule", rule, 11)):
            if posting[weighed] is None:
                parts.append((dimension, only, amount))
                continue
            weights = posting[weighed + (2 if kind in _BY_FEES else 1)]
            shares = zip(posting[weighed], _divided(amount, weights), strict=True)
            parts += [(dimension, key, share) for key, share in shares]
        figures = self._figures
        for dimension, key, part in parts:
            at = self._at((dimension, "day", key, currency, day))
            figures[at + figure] += sign * part
            figures[at] += first

    def add_up(self) -> None:
        """Everything is what all sellers have, a month what its days have; once, after the last posting."""
        for (dimension, grain, _, currency, day), at in list(self._places.items()):
            if dimension == "seller":
                self._add(at, ("all", grain, "", currency, day))
        for (dimension, _, key, currency, day), at in list(self._places.items()):
            self._add(at, (dimension, "month", key, currency, day[:7] + "-01"))

    def take(self, place: Place) -> tuple[int, ...] | None:
        """What was counted there; what nobody takes is `left`."""
        at = self._places.pop(place, None)
        return None if at is None else tuple(self._figures[at : at + len(FIGURES)])

    @property
    def left(self) -> list[Place]:
        """Where something was counted that nobody took."""
        return list(self._places)

    def _add(self, of: int, to: Place) -> None:
        at = self._at(to)
        for figure in range(len(FIGURES)):
            self._figures[at + figure] += self._figures[of + figure]

    def _at(self, place: Place) -> int:
        found = self._places.get(place)
        if found is None:
            found = self._places[place] = len(self._figures)
            self._figures.extend([0] * len(FIGURES))
        return found


async def compare(connection: asyncpg.Connection, say: Callable[[str], None]) -> Compared:
    """Read every posting and every sum in one snapshot; `say` is told how far it is."""
    began, counted = time.perf_counter(), Counted()
    read, compared = 0, 0
    different: list[Place] = []
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        postings = connection.cursor(_POSTINGS, list(_FIGURE_AND_SIGN), prefetch=_FETCHED)
        async for posting in postings:
            counted.add(posting)
            read += 1
            if read % _TOLD_EVERY == 0:
                say(f"counted {read:,} postings in {time.perf_counter() - began:.0f} s")
        counted.add_up()
        async for row in connection.cursor(_KEPT, prefetch=_FETCHED):
            place: Place = (row[0], row[1], row[2], row[3], row[4])
            if counted.take(place) != tuple(row[5:]):
                different.append(place)
            compared += 1
    different += counted.left
    return Compared(
        postings=read,
        sums=compared,
        different=different,
        seconds=time.perf_counter() - began,
    )


def _divided(amount: int, weights: list[int]) -> Iterator[int]:
    """Differences of cumulative shares, each rounded down: they add up to the amount."""
    given = before = 0
    for weight in weights:
        before += weight
        share = amount * before // sum(weights)
        yield share - given
        given = share
