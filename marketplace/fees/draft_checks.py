"""What a draft of a fee schedule must be before it is kept, and before anybody is asked to approve it."""

from collections.abc import Collection, Sequence
from datetime import datetime

from marketplace.fees.checking import problems_of
from marketplace.fees.draft_records import DraftContent, DraftRecord
from marketplace.fees.linting import Finding, compare, lint
from marketplace.fees.schedule import FeeRule, MalformedSchedule, Problem, Schedule
from payments.database import rows


async def check(content: DraftContent, now: datetime) -> None:
    """Raise MalformedSchedule with everything that is wrong with a draft that is looked at `now`."""
    problems = problems_of(content.rules)
    problems += await _unknown_sellers(content.rules)
    start, end = content.effective_from, content.effective_to
    if start is not None and start < now:
        problems.append(Problem("effective_from", "in_the_past"))
    if end is not None and end <= now:
        problems.append(Problem("effective_to", "in_the_past"))
    if start is not None and end is not None and end <= start:
        problems.append(Problem("effective_to", "not_after_effective_from"))
    if problems:
        raise MalformedSchedule(*problems)


async def _unknown_sellers(rules: Sequence[FeeRule]) -> list[Problem]:
    named = {seller_id for rule in rules for seller_id in rule.when.seller_ids}
    if not named:
        return []
    found = await rows("SELECT id FROM sellers WHERE id = ANY($1::text[])", sorted(named))
    unknown = named - {one["id"] for one in found}
    return [
        Problem(f"rules[{at}].when.seller_ids[{place}]", "seller_unknown", rule.id)
        for at, rule in enumerate(rules)
        for place, seller_id in enumerate(rule.when.seller_ids)
        if seller_id in unknown
    ]


def require_alive(draft: DraftRecord, now: datetime) -> None:
    """Rules that can never match say something that is not so. Raises MalformedSchedule."""
    places = {rule.id: at for at, rule in enumerate(draft.rules)}
    dead = [
        Problem(f"rules[{places[one.rule_id]}].when", "never_matches", one.rule_id)
        for one in lint(draft.rules, draft.in_effect(now))
        if one.what == "never_matches"
    ]
    if dead:
        raise MalformedSchedule(*dead)


def findings_of(
    before: Schedule, draft: DraftRecord, now: datetime, currencies: Collection[str]
) -> list[Finding]:
    """What is the matter with a draft's rules, and what they move of those in force `before` them.

    `currencies` are the sellers'.
    """
    span = draft.in_effect(now)
    return lint(draft.rules, span, currencies) + compare(before, draft.rules, span)


async def sellers_currencies() -> frozenset[str]:
    """Every currency that somebody sells in."""
    return frozenset(one["currency"] for one in await rows("SELECT DISTINCT currency FROM sellers"))
