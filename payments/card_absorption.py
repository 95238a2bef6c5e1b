"""Stripe's list of a buyer's cards, taken in whole: what is new, what changed, what is gone."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from payments.card_gateway import CardSnapshot
from payments.database import execute, execute_many
from payments.ids import new_id

_UPSERT = (
    "INSERT INTO cards (id, buyer_id, payment_method_id, brand, last4, expiry_month, expiry_year, "
    "fingerprint, is_default, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, false, $9) "
    "ON CONFLICT (payment_method_id) DO UPDATE SET brand = excluded.brand, last4 = excluded.last4, "
    "expiry_month = excluded.expiry_month, expiry_year = excluded.expiry_year, "
    "fingerprint = excluded.fingerprint, "
    # What was removed after the list was asked for is only shown because the list is older.
    "removed_at = CASE WHEN cards.removed_at < $10 THEN NULL ELSE cards.removed_at END "
    "WHERE cards.buyer_id = excluded.buyer_id"
)


async def absorb_cards(
    buyer_id: str, listed: Sequence[CardSnapshot], asked_at: datetime, now: datetime
) -> None:
    """Merge the list that was asked for at `asked_at`. The buyer's row is locked.

    A card that was saved since then is not missing from it, and one that was removed since then is not back.
    """
    await execute_many(
        _UPSERT,
        [
            (
                new_id("crd"),
                buyer_id,
                card.payment_method_id,
                card.brand,
                card.last4,
                card.expiry_month,
                card.expiry_year,
                card.fingerprint,
                # Ids of one millisecond do not sort: the order of the list is kept in the times.
                now + timedelta(microseconds=position),
                asked_at,
            )
            for position, card in enumerate(reversed(listed))
        ],
    )
    await execute(
        "UPDATE cards SET removed_at = $4, is_default = false WHERE buyer_id = $1 "
        "AND removed_at IS NULL AND created_at < $3 AND payment_method_id <> ALL($2)",
        buyer_id,
        [card.payment_method_id for card in listed],
        asked_at,
        now,
    )
    await promote(buyer_id)


async def choose_default(buyer_id: str, card_id: str) -> None:
    """This card and no other. The buyer's row is locked."""
    await execute(
        "UPDATE cards SET is_default = false WHERE buyer_id = $1 AND is_default AND id <> $2",
        buyer_id,
        card_id,
    )
    await execute("UPDATE cards SET is_default = true WHERE id = $1", card_id)


async def promote(buyer_id: str) -> None:
    """Where no card is the default, the newest one becomes it."""
    await execute(
        "UPDATE cards SET is_default = true WHERE id = (SELECT id FROM cards WHERE buyer_id = $1 "
        "AND removed_at IS NULL ORDER BY created_at DESC, id DESC LIMIT 1) AND NOT EXISTS "
        "(SELECT 1 FROM cards WHERE buyer_id = $1 AND removed_at IS NULL AND is_default)",
        buyer_id,
    )
