"""The card that a checkout group keeps to pay its other orders with: let go of once nothing is left to pay.

It was given for one purchase, and stays only where the buyer said so. The group remembers when to look before
Stripe is asked to keep anything, so a card is let go of whatever got lost on the way.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from payments.database import execute, rows, value
from payments.errors import PaymentError

_LOOK: Final = timedelta(minutes=10)
_AFTER_A_NO: Final = timedelta(hours=1)

_log = structlog.get_logger("marketplace.orders.group_cards")


class KeptCards(Protocol):
    """What Stripe keeps of a buyer's cards."""

    async def refresh(self, buyer_id: str) -> None:
        """Read them again. Raises what payments raises."""
        ...

    async def let_go(self, buyer_id: str, card_id: str, now: datetime) -> None:
        """Take this one away, at Stripe too, and no other. Raises what payments raises."""
        ...


# A card that the browser gave for one of the group's payments: one that the buyer had before was named by its
# id, and confirmed with from the first.
_KEPT: Final = """
SELECT c.id FROM cards c JOIN checkout_groups g ON g.id = $1 AND g.buyer_id = c.buyer_id
WHERE c.removed_at IS NULL AND c.created_at >= g.created_at AND EXISTS (
    SELECT FROM payments p JOIN orders o ON o.id = p.order_id
    WHERE o.group_id = g.id AND p.payment_method_id = c.payment_method_id AND NOT EXISTS (
        SELECT FROM operations a WHERE a.subject = p.id AND a.kind = 'confirm_intent'
        AND a.parameters::jsonb ->> 'payment_method_id' = c.payment_method_id))
"""
_OPEN: Final = "EXISTS (SELECT FROM orders WHERE group_id = $1 AND status = 'checkout')"


class GroupCards:
    """The sweep that lets go of cards no group needs any more."""

    def __init__(self, cards: KeptCards) -> None:
        self._cards = cards

    async def let_go_due(self, now: datetime, limit: int = 50) -> int:
        """Look at groups that kept a card; answers how many. One that is still being paid is left alone."""
        claimed = now + _LOOK
        due = await rows(
            "UPDATE checkout_groups SET card_due_at = $2 WHERE id IN ("
            "  SELECT id FROM checkout_groups WHERE card_due_at <= $1 "
            "  ORDER BY card_due_at LIMIT $3 FOR UPDATE SKIP LOCKED) RETURNING id, buyer_id",
            now,
            claimed,
            limit,
        )
        for record in due:
            try:
                if await self._let_go(record["id"], record["buyer_id"], now):
                    await _look(record["id"], None, unless_changed_since=claimed)
            except PaymentError as error:
                _log.warning(
                    "a card that was kept for a checkout group is still kept",
                    group_id=record["id"],
                    outcome=type(error).__name__,
                )
                await _look(record["id"], now + _AFTER_A_NO, unless_changed_since=claimed)
        return len(due)

    async def _let_go(self, group_id: str, buyer_id: str, now: datetime) -> bool:
        """Whether the group is over, and keeps no card any more."""
        if await value(f"SELECT {_OPEN}", group_id):
            return False
        if not await value("SELECT card_wanted FROM checkout_groups WHERE id = $1", group_id):
            # A payment's card is Stripe's news, which may be late.
            await self._cards.refresh(buyer_id)
            for card_id in await _kept_for(group_id):
                await self._cards.let_go(buyer_id, card_id, now)
        return True


async def note_wish(group_id: str, keep: bool) -> None:
    """The buyer says whether the card that pays the group stays theirs to use."""
    await execute("UPDATE checkout_groups SET card_wanted = $2 WHERE id = $1", group_id, keep)


async def look_later(group_id: str, now: datetime) -> None:
    """A card is about to be kept for the group: look whether it is needed, from now on."""
    await execute(
        "UPDATE checkout_groups SET card_due_at = $2 WHERE id = $1", group_id, now + _LOOK
    )


async def look_now_if_over(group_id: str, now: datetime) -> None:
    """Let go of the group's card soon when none of its orders is in checkout any more."""
    await execute(
        "UPDATE checkout_groups SET card_due_at = $2 "
        f"WHERE id = $1 AND card_due_at IS NOT NULL AND NOT {_OPEN}",
        group_id,
        now,
    )


async def _kept_for(group_id: str) -> Sequence[str]:
    return [record["id"] for record in await rows(_KEPT, group_id)]


async def _look(group_id: str, at: datetime | None, *, unless_changed_since: datetime) -> None:
    """Look again then, or never; a buyer who began to pay meanwhile has set a time of their own."""
    await execute(
        "UPDATE checkout_groups SET card_due_at = $2 WHERE id = $1 AND card_due_at = $3",
        group_id,
        at,
        unless_changed_since,
    )
