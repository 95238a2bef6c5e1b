"""Saved cards and their setups as rows: facts, and who may pay with them."""

from datetime import datetime

import msgspec

from payments.database import execute, row, value
from payments.errors import CardNotFound


class CardRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A buyer's saved card: what may be kept, and what people recognise it by."""

    id: str
    buyer_id: str
    payment_method_id: str
    brand: str | None
    last4: str | None
    expiry_month: int | None
    expiry_year: int | None
    fingerprint: str | None
    is_default: bool
    created_at: datetime
    removed_at: datetime | None

    def expired(self, now: datetime) -> bool:
        """Whether its last month is over. Banks may still say yes: it is a hint, not a rule."""
        if self.expiry_year is None or self.expiry_month is None:
            return False
        return (self.expiry_year, self.expiry_month) < (now.year, now.month)


class SetupRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A card being saved without a payment. `status` is Stripe's word, and `planned` before it answered."""

    id: str
    buyer_id: str
    stripe_setup_id: str | None
    status: str
    created_at: datetime
    updated_at: datetime


CARD_COLUMNS = ", ".join(CardRecord.__struct_fields__)
SETUP_COLUMNS = ", ".join(SetupRecord.__struct_fields__)


async def find_card(buyer_id: str, card_id: str) -> CardRecord:
    """The buyer's own card that was not removed. Raises CardNotFound for any other."""
    found = await row(
        f"SELECT {CARD_COLUMNS} FROM cards WHERE id = $1 AND buyer_id = $2 AND removed_at IS NULL",
        card_id,
        buyer_id,
    )
    if found is None:
        raise CardNotFound(card_id)
    return CardRecord(**found)


async def require_card_of_customer(payment_method_id: str, customer_id: str | None) -> None:
    """Raise CardNotFound unless the PaymentMethod is a saved card of that Customer's buyer."""
    found = await value(
        "SELECT 1 FROM cards c JOIN buyer_customers b ON b.buyer_id = c.buyer_id "
        "WHERE c.payment_method_id = $1 AND b.customer_id = $2 AND c.removed_at IS NULL",
        payment_method_id,
        customer_id,
    )
    if found is None:
        raise CardNotFound(payment_method_id)


async def ask_to_refresh(customer_id: str, now: datetime) -> None:
    """Have Stripe's list of this Customer's cards read soon."""
    await execute(
        "UPDATE buyer_customers SET refresh_at = $2 WHERE customer_id = $1", customer_id, now
    )
