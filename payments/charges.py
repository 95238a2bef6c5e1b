"""What an order asks of payments, and what its buyer is handed."""

import msgspec

from payments.gateway import CaptureMethod, IntentSnapshot, Shipping


class DestinationCharge(msgspec.Struct, frozen=True, kw_only=True):
    """What an order wants paid: the platform charges, the seller's account receives, the fee comes back.

    With a `customer_id` the buyer's saved cards can pay it, and `save_card` keeps the card that does.
    """

    order_id: str
    seller_id: str
    generation: int
    amount: int
    currency: str
    application_fee: int
    destination: str
    capture_method: CaptureMethod
    receipt_email: str
    description: str
    customer_id: str | None = None
    save_card: bool = False
    shipping: Shipping | None = None


class IntentForBuyer(msgspec.Struct, frozen=True, kw_only=True):
    """What the order's buyer needs to pay at Stripe. Passed on at once, stored and logged nowhere."""

    intent_id: str
    client_secret: str
    status: str
    amount: int
    currency: str

    @classmethod
    def of(cls, snapshot: IntentSnapshot) -> "IntentForBuyer":
        """As Stripe just showed it."""
        return cls(
            intent_id=snapshot.id,
            client_secret=snapshot.client_secret,
            status=snapshot.status,
            amount=snapshot.amount,
            currency=snapshot.currency,
        )

    def __repr__(self) -> str:
        """Never shows the client secret."""
        return f"IntentForBuyer({self.intent_id}, {self.status})"
