"""An order's history as those it concerns may read it: the steps that the trail tells them, by role."""

from collections.abc import Sequence

import msgspec

import marketplace.orders.trail_words as words
from marketplace.orders.records import Actor, OrderRecord
from marketplace.orders.steps import PLATFORM, STRIPE, StepRecord
from marketplace.orders.trail_entries import Audience


def audience_of(order: OrderRecord, actor: Actor) -> Audience:
    """As whom somebody reads an order that they may see."""
    if actor.is_admin:
        return Audience.ADMIN
    return Audience.SELLER if actor.account_id == order.owner_id else Audience.BUYER


def readable(
    order: OrderRecord, steps: Sequence[StepRecord], audience: Audience
) -> list[StepRecord]:
    """The steps this audience may know of; who is behind them by name only for admins."""
    if audience is Audience.ADMIN:
        return list(steps)
    hidden = words.OF_THE_BUYER if audience is Audience.SELLER else words.OF_THE_SELLER
    return [
        msgspec.structs.replace(one, actor=_role(one.actor, order), reason=_reason(one, audience))
        for one in steps
        if one.step not in hidden
    ]


def _role(actor: str, order: OrderRecord) -> str:
    """Who somebody is in this order; people who are neither of its parties are admins."""
    known = {order.buyer_id: "buyer", order.owner_id: "seller"}
    return known.get(actor, actor if actor in (PLATFORM, STRIPE) else "admin")


def _reason(step: StepRecord, audience: Audience) -> str | None:
    """Ids are told with what they name; why a seller cannot be paid is theirs to know."""
    if step.step in words.REASON_IS_AN_ID:
        return None
    if audience is Audience.BUYER and step.step == "preparation_refused":
        return None
    return step.reason
