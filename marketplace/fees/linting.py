"""What a schedule says without meaning to: rules that never match, overlaps, edits that silently widen. Pure.

Gaps cannot exist: the last rule matches everything (and may be left with nothing). Each finding names its
rules and shows an order of one line that proves it; the answers are exact, because conditions are sets and
ranges (regions.py).
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Final, Literal

import msgspec

from marketplace.fees.regions import (
    ANY_TIME,
    Example,
    Region,
    Search,
    Span,
    TooManyRegions,
    region_of,
)
from marketplace.fees.rules import FeeInputs, PricedLine, quote
from marketplace.fees.schedule import AMOUNTS, FeeRule, Schedule
from payments.currencies import CURRENCIES, MAXIMUM_CHARGE

What = Literal[
    "never_matches",
    "overlap",
    "currency_not_named",
    "exception",
    "widened",
    "narrowed",
    "repriced",
    "undecided",
]
Weight = Literal["error", "warning", "note"]

_WEIGHTS: Final[dict[What, Weight]] = {
    # Every order it could match is another rule's, or there is none.
    "never_matches": "error",
    # Both match some orders, and each has some of its own: the earlier one wins.
    "overlap": "warning",
    # It names amounts, but none of a currency that it matches: they are zero there, a cap is none.
    "currency_not_named": "warning",
    # The earlier rule lies within the later one.
    "exception": "note",
    # Orders that were another rule's are this one's now, or the other way round.
    "widened": "warning",
    "narrowed": "warning",
    # The same rule, or a new one where another was, charges something else.
    "repriced": "note",
    "undecided": "warning",
}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something an author should look at.

    `rule_id` is the rule it is about, `other_rule_ids` those it meets. `silent` says that the rule's own
    conditions were not touched by the edit. `paths` are the amounts it does not say. `fee_before` and
    `fee_after` are of `example`, minor units.
    """

    what: What
    weight: Weight
    rule_id: str
    other_rule_ids: tuple[str, ...] = ()
    example: Example | None = None
    silent: bool = False
    paths: tuple[str, ...] = ()
    fee_before: int | None = None
    fee_after: int | None = None


def lint(
    rules: Sequence[FeeRule], in_effect: Span = ANY_TIME, currencies: Collection[str] = ()
) -> list[Finding]:
    """What is the matter with rules that are in effect for a span of time; the worst first.

    `currencies` are those that sellers have, beside the ones that the rules name.
    """
    regions = _regions(rules, in_effect)
    found: list[Finding] = []
    for position, rule in enumerate(rules[:-1]):
        found += _decided(rule.id, _never_matches(rules, regions, position))
    dead = {finding.rule_id for finding in found if finding.what == "never_matches"}
    for position, rule in enumerate(rules[:-1]):
        if rule.id not in dead:
            found += _decided(rule.id, _overlaps(rules, regions, position, dead))
    known = sorted({code for rule in rules for code in named_by(rule)}.union(currencies))
    for position, rule in enumerate(rules):
        if rule.id not in dead:
            found += _decided(rule.id, _not_named(rule, regions, position, known))
    return _sorted(found)


def compare(
    before: Schedule, after: Sequence[FeeRule], in_effect: Span = ANY_TIME
) -> list[Finding]:
    """What an edit moves from one rule to another, and what it makes dearer or cheaper.

    `in_effect` is when the edited rules will be.
    """
    edit = _Edit(before, tuple(after), in_effect)
    found: list[Finding] = []
    for position, rule in enumerate(after):
        found += _decided(rule.id, edit.moves_to(position))
    return _sorted(found)


def _never_matches(
    rules: Sequence[FeeRule], regions: Sequence[Region], position: int
) -> Iterator[Finding]:
    mine, earlier = regions[position], regions[:position]
    if Search().find(mine, earlier) is not None:
        return
    met = tuple(rules[at].id for at, region in enumerate(earlier) if region.meets(mine))
    example = None if mine.empty else mine.example()
    yield _finding("never_matches", rules[position].id, met, example)


def _overlaps(
    rules: Sequence[FeeRule], regions: Sequence[Region], position: int, dead: set[str]
) -> Iterator[Finding]:
    """Where a rule takes orders that a later one would match; the last rule matches all, and says nothing."""
    mine, search = regions[position], Search()
    earlier = [region for region in regions[:position] if region.meets(mine)]
    for later in range(position + 1, len(rules) - 1):
        if rules[later].id in dead or not mine.meets(regions[later]):
            continue
        example = search.find(mine & regions[later], earlier)
        if example is not None:
            within = not mine.minus(regions[later])
            what: What = "exception" if within else "overlap"
            yield _finding(what, rules[position].id, (rules[later].id,), example)


def _not_named(
    rule: FeeRule, regions: Sequence[Region], position: int, known: Sequence[str]
) -> Iterator[Finding]:
    """Amounts that the rule says of some currencies, and not of all that it matches."""
    search, paths, shown = Search(), [], None
    earlier = [region for region in regions[:position] if region.meets(regions[position])]
    for code in known:
        missing = [name for name in AMOUNTS if (said := getattr(rule, name)) and code not in said]
        if not missing:
            continue
        example = search.find(regions[position] & Region(currencies=frozenset({code})), earlier)
        if example is not None:
            shown = shown or example
            paths += [f"{name}.{code}" for name in missing]
    if paths:
        finding = _finding("currency_not_named", rule.id, (), shown)
        yield msgspec.structs.replace(finding, paths=tuple(paths))


class _Edit:
    """Two versions of the rules, and the orders that fall to another rule in the second."""

    def __init__(self, before: Schedule, after: tuple[FeeRule, ...], in_effect: Span) -> None:
        self._before, self._after = before, after
        self._old = _regions(before.rules, in_effect)
        self._new = _regions(after, in_effect)
        self._before_old, self._before_new = _meeting(self._old), _meeting(self._new)
        self._old_rules = {rule.id: rule for rule in before.rules}
        self._new_rules = {rule.id: rule for rule in after}
        self._schedule = Schedule(id="edited", version=before.version, rules=after)

    def moves_to(self, position: int) -> Iterator[Finding]:
        """What comes to the rule at `position` of the edited rules from another one, or changes its price."""
        to, mine, search = self._after[position], self._new[position], Search()
        for at, came_from in enumerate(self._before.rules):
            if came_from.id == to.id and came_from.terms == to.terms:
                continue
            if not mine.meets(self._old[at]):
                continue
            earlier = [*self._before_old[at], *self._before_new[position]]
            example = search.find(self._old[at] & mine, earlier)
            if example is not None:
                if came_from.terms != to.terms and not self._differs(example):
                    pieces = _pieces(self._old[at] & mine, came_from, to)
                    example = self._differing(pieces, earlier) or example
                yield from self._told(came_from, to, example)

    def _differing(self, pieces: Iterator[Region], earlier: Sequence[Region]) -> Example | None:
        """An order in one of the pieces that costs something else after the edit."""
        search = Search()
        for piece in pieces:
            try:
                example = search.find(piece, earlier)
            except TooManyRegions:
                return None
            if example is not None and self._differs(example):
                return example
        return None

    def _differs(self, example: Example) -> bool:
        before, after = self._fees_of(example)
        return before != after

    def _fees_of(self, example: Example) -> tuple[int, int]:
        """The fee of an order under both versions."""
        inputs = inputs_of(example)
        return quote(self._before, inputs).fee, quote(self._schedule, inputs).fee

    def _told(self, came_from: FeeRule, to: FeeRule, example: Example) -> Iterator[Finding]:
        if came_from.id == to.id:
            yield self._priced("repriced", to.id, (), example, silent=False)
            return
        if to.id in self._old_rules:
            silent = self._old_rules[to.id].when == to.when
            yield self._priced("widened", to.id, (came_from.id,), example, silent)
        if came_from.id in self._new_rules:
            silent = self._new_rules[came_from.id].when == came_from.when
            yield self._priced("narrowed", came_from.id, (to.id,), example, silent)
        elif to.id not in self._old_rules and came_from.terms != to.terms:
            # One rule went and a new one came in its place, at another price.
            yield self._priced("repriced", to.id, (came_from.id,), example, silent=False)

    def _priced(
        self, what: What, rule_id: str, others: tuple[str, ...], example: Example, silent: bool
    ) -> Finding:
        fee_before, fee_after = self._fees_of(example)
        return msgspec.structs.replace(
            _finding(what, rule_id, others, example),
            silent=silent,
            fee_before=fee_before,
            fee_after=fee_after,
        )


def named_by(rule: FeeRule) -> set[str]:
    """Every currency that a rule says something of."""
    return set(rule.when.currencies).union(*(getattr(rule, name) for name in AMOUNTS))


def _pieces(region: Region, *rules: FeeRule) -> Iterator[Region]:
    """Where rules may charge differently: in each currency small and large amounts, and those of tiers."""
    for code in sorted(set[str]().union(*(named_by(rule) for rule in rules))):
        step = CURRENCIES[code].step
        starts = {0, *(tier.amount_from for rule in rules for tier in rule.tiers.get(code, ()))}
        spans = [Span(start + step, start + 200 * step) for start in sorted(starts)]
        for span in (*spans, Span(MAXIMUM_CHARGE - 200 * step, MAXIMUM_CHARGE + 1), None):
            piece = Region(currencies=frozenset({code}))
            if span is not None:
                piece = msgspec.structs.replace(piece, amounts=span)
            yield region & piece


def inputs_of(example: Example) -> FeeInputs:
    """The example as an order of one line, to be priced."""
    line = PricedLine(
        listing_id="any-listing",
        category=example.category,
        kind=example.kind,
        amount=example.amount,
    )
    return FeeInputs(
        seller_id=example.seller_id,
        currency=example.currency,
        lines=(line,),
        placed_at=example.placed_at,
    )


def _regions(rules: Sequence[FeeRule], in_effect: Span) -> list[Region]:
    whole = Region(times=in_effect)
    return [region_of(rule.when) & whole for rule in rules]


def _meeting(regions: Sequence[Region]) -> list[list[Region]]:
    """For each region those before it that have orders in common with it."""
    return [
        [earlier for earlier in regions[:at] if earlier.meets(region)]
        for at, region in enumerate(regions)
    ]


def _finding(what: What, rule_id: str, others: tuple[str, ...], example: Example | None) -> Finding:
    return Finding(
        what=what, weight=_WEIGHTS[what], rule_id=rule_id, other_rule_ids=others, example=example
    )


def _decided(rule_id: str, findings: Iterator[Finding]) -> list[Finding]:
    try:
        return list(findings)
    except TooManyRegions:
        return [_finding("undecided", rule_id, (), None)]


def _sorted(found: Sequence[Finding]) -> list[Finding]:
    order = list(_WEIGHTS)
    return sorted(found, key=lambda finding: order.index(finding.what))
