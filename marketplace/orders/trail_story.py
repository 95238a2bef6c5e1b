"""The trail of an order, put together from what was written down about it. Pure: rows in, a story out."""

from datetime import datetime
from typing import Any

import msgspec

from marketplace.orders.trail_entries import Audience, Material, Part, TrailEntry
from marketplace.orders.trail_parts import parts


def story(material: Material, audience: Audience) -> list[TrailEntry]:
    """What this audience may know, in the order in which it happened; the same rows, the same story."""
    told = [part for part in parts(material, audience) if audience in part.seen_by]
    return [_shown(part, audience) for part in sorted(told, key=_place)]


def _place(part: Part) -> tuple[datetime, int, int, int, datetime, str]:
    """By the second, as exact as Stripe's stamps are; within it by chapter; then always the same way."""
    entry = part.entry
    named = f"{entry.event}:{sorted(entry.ids.items())}:{sorted(entry.stripe_ids.items())}"
    second = (part.placed_at or entry.at).replace(microsecond=0)
    return second, part.chapter, part.turn, part.position, entry.at, named


def _shown(part: Part, audience: Audience) -> TrailEntry:
    entry = part.entry
    if audience not in part.stripe_ids_seen_by:
        entry = msgspec.structs.replace(entry, stripe_ids={})
    if audience is Audience.ADMIN:
        facts = {**entry.facts, **part.private}
        entry = msgspec.structs.replace(entry, facts=_known(facts))
    else:
        entry = msgspec.structs.replace(entry, facts=_known(entry.facts))
    return msgspec.structs.replace(
        entry, ids=_known(entry.ids), stripe_ids=_known(entry.stripe_ids)
    )


def _known(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: fact for name, fact in facts.items() if fact is not None}
