"""What a buyer changes before paying, and what they need to pay. Amounts are minor units."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from marketplace.api.schemas.wanted import ORDER_ID, WantedLine, told
from marketplace.orders.checkout import Wishes
from marketplace.orders.confirmation import Shown
from marketplace.orders.reading import PendingChange
from marketplace.orders.totals import Wanted
from payments.gateway import Address, Shipping
from payments.lifecycle import IntentForBuyer

_Text = Annotated[str, Meta(min_length=1, max_length=200)]


class AddressSchema(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A postal address; `country` is ISO 3166-1, two upper-case letters."""

    line1: Annotated[_Text, Meta(examples=["Torstraße 1"])]
    line2: _Text | None = None
    postal_code: Annotated[str, Meta(max_length=20, examples=["10119"])] | None = None
    city: Annotated[_Text, Meta(examples=["Berlin"])]
    state: _Text | None = None
    country: Annotated[str, Meta(min_length=2, max_length=2, examples=["DE"])]


class ShippingSchema(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Who gets the parcel, and where."""

    name: Annotated[_Text, Meta(examples=["Ada Example"])]
    phone: Annotated[str, Meta(max_length=40, examples=["+49 30 1234567"])] | None = None
    address: AddressSchema

    def told(self) -> Shipping:
        """In the words of payments."""
        facts = msgspec.structs.asdict(self.address)
        return Shipping(name=self.name, phone=self.phone, address=Address(**facts))


class OrderChange(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Another cart: what is absent stays as it is. Lines are priced anew, all of them."""

    lines: list[WantedLine] | UnsetType = UNSET
    shipping: Annotated[
        ShippingSchema | UnsetType | None,
        Meta(description="For products. Null takes the address away."),
    ] = UNSET

    def wanted(self) -> list[Wanted] | None:
        """The lines in the words of orders; None where they stay."""
        return None if isinstance(self.lines, UnsetType) else told(self.lines)

    def sent_to(self) -> Shipping | UnsetType | None:
        """The address in the words of payments; UNSET where it stays."""
        return self.shipping.told() if isinstance(self.shipping, ShippingSchema) else self.shipping


_Again = Annotated[
    bool, Meta(description="You know that you just bought the same, and want it once more.")
]
_SaveCard = Annotated[
    bool,
    Meta(description="Whether to keep the card for the next time. Absent: as you said before."),
]


class CheckoutRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Nothing has to be said to pay."""

    again: _Again = False
    save_card: _SaveCard | None = None

    def wishes(self) -> Wishes:
        """In the words of orders."""
        return Wishes(again=self.again, save_card=self.save_card)


class ConfirmationRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The total you showed the buyer. With one of their cards it is paid at once."""

    amount: Annotated[int, Meta(gt=0, examples=[6_000])]
    currency: Annotated[str, Meta(pattern="^[a-z]{3}$", examples=["eur"])] | None = None
    card_id: (
        Annotated[str, Meta(max_length=64, examples=["crd_01k9zc3v5m8q2r4t6w8y0abcde"])] | None
    ) = None
    again: _Again = False
    save_card: _SaveCard | None = None

    def wishes(self) -> Wishes:
        """In the words of orders."""
        return Wishes(again=self.again, save_card=self.save_card)

    def shown(self) -> Shown:
        """What the buyer saw."""
        return Shown(self.amount, self.currency)


class CheckoutAnswer(msgspec.Struct, kw_only=True):
    """What the buyer's browser needs to confirm at Stripe. The client secret is kept nowhere here.

    `requires_action` means that the bank wants to see the buyer: go on with `stripe.handleNextAction`.
    """

    order_id: Annotated[str, Meta(examples=[ORDER_ID])]
    payment_intent: Annotated[str, Meta(examples=["pi_3Q8..."])]
    client_secret: Annotated[str, Meta(examples=["pi_3Q8..._secret_..."])]
    publishable_key: Annotated[str, Meta(examples=["pk_test_..."])]
    amount: int
    currency: str
    status: Annotated[str, Meta(examples=["requires_payment_method"])]

    @classmethod
    def of(cls, order_id: str, intent: IntentForBuyer, publishable_key: str) -> "CheckoutAnswer":
        """For the order's buyer only."""
        return cls(
            order_id=order_id,
            payment_intent=intent.intent_id,
            client_secret=intent.client_secret,
            publishable_key=publishable_key,
            amount=intent.amount,
            currency=intent.currency,
            status=intent.status,
        )

    def __repr__(self) -> str:
        """Never shows the client secret."""
        return f"CheckoutAnswer({self.payment_intent})"


class PendingChangeAnswer(msgspec.Struct, kw_only=True):
    """Another cart that Stripe has not answered yet: until then the order is the old one."""

    version: Annotated[int, Meta(examples=[2])]
    total: int
    created_at: datetime

    @classmethod
    def of(cls, change: PendingChange) -> "PendingChangeAnswer":
        """As it was asked for."""
        return cls(version=change.version, total=change.total, created_at=change.created_at)
