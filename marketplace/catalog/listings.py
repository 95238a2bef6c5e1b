"""A listing as the code reads it, and what may be said about a new one. Pure."""

from datetime import datetime
from typing import Literal

import msgspec

from marketplace.catalog.errors import SellerCurrencyDiffers, StockRefused
from payments.currencies import check_chargeable

Kind = Literal["session", "product"]


class ListingRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Something for sale. `unit_amount` is in minor units of `currency`; sessions have no stock."""

    id: str
    seller_id: str
    kind: Kind
    title: str
    description: str
    category: str
    unit_amount: int
    currency: str
    stock_on_hand: int | None
    stock_reserved: int
    status: Literal["active", "archived"]
    created_at: datetime
    updated_at: datetime

    @property
    def available(self) -> int | None:
        """How many can be bought now; None where nothing is counted."""
        return None if self.stock_on_hand is None else self.stock_on_hand - self.stock_reserved


COLUMNS = ", ".join(ListingRecord.__struct_fields__)


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A listing as it is offered now. `owner_id` is the account of its seller."""

    listing_id: str
    seller_id: str
    owner_id: str
    kind: Kind
    title: str
    category: str
    unit_amount: int
    currency: str


class NewListing(msgspec.Struct, frozen=True, kw_only=True):
    """What a seller wants to offer."""

    kind: Kind
    title: str
    description: str
    category: str
    unit_amount: int
    currency: str
    stock_on_hand: int | None


class ListingChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What a seller wants to change; None leaves a fact as it is. Kind and currency never change."""

    title: str | None = None
    description: str | None = None
    category: str | None = None
    unit_amount: int | None = None
    stock_on_hand: int | None = None


class ListingFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which listings to show; None means any. `text` is looked for in titles, whatever the case."""

    kind: Kind | None = None
    category: str | None = None
    seller_id: str | None = None
    text: str | None = None


def check_new(new: NewListing, seller_currency: str) -> None:
    """Refuse a listing that could never be charged or counted.

    Raises SellerCurrencyDiffers, StockRefused, AmountNotChargeable or CurrencyUnknown.
    """
    if new.currency != seller_currency:
        raise SellerCurrencyDiffers(new.currency, seller_currency)
    check_chargeable(new.unit_amount, new.currency)
    if new.kind == "session" and new.stock_on_hand is not None:
        raise StockRefused("session_has_no_stock")
    if new.kind == "product" and new.stock_on_hand is None:
        raise StockRefused("product_needs_stock")


def changed(listing: ListingRecord, changes: ListingChanges, now: datetime) -> ListingRecord:
    """The listing after `changes`. Raises StockRefused, AmountNotChargeable."""
    given = {
        name: fact for name, fact in msgspec.structs.asdict(changes).items() if fact is not None
    }
    if changes.unit_amount is not None:
        check_chargeable(changes.unit_amount, listing.currency)
    if changes.stock_on_hand is not None:
        if listing.stock_on_hand is None:
            raise StockRefused("session_has_no_stock")
        if changes.stock_on_hand < listing.stock_reserved:
            raise StockRefused("below_reserved")
    return msgspec.structs.replace(listing, **given, updated_at=now)
