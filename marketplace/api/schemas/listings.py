"""What sellers say about listings, and what everybody is told."""

from datetime import datetime
from typing import Annotated, Literal, Self

import msgspec
from msgspec import UNSET, Meta, UnsetType

from marketplace.catalog.listings import Kind, ListingChanges, ListingRecord, NewListing

_Title = Annotated[
    str, Meta(min_length=1, max_length=160, pattern=r"\S", examples=["Breathing, one to one"])
]
_Description = Annotated[str, Meta(max_length=10_000, examples=["Fifty minutes, by video."])]
_Category = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=60,
        pattern=r"^[a-z0-9-]+(?!\n)$",
        description="Lower-case letters, digits and hyphens.",
        examples=["coaching"],
    ),
]
_UnitAmount = Annotated[
    int, Meta(gt=0, description="Price of one, in minor units.", examples=[6_000])
]
_Stock = Annotated[
    int, Meta(ge=0, le=1_000_000, description="How many there are; products only.", examples=[12])
]
_Currency = Annotated[
    str, Meta(min_length=3, max_length=3, description="The seller's.", examples=["eur"])
]


class ListingOffer(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Something to sell. A session is captured at checkout, a product when you have prepared it."""

    kind: Annotated[Kind, Meta(examples=["session"])]
    title: _Title
    description: _Description = ""
    category: _Category
    unit_amount: _UnitAmount
    currency: _Currency
    stock_on_hand: _Stock | None = None

    def told(self) -> NewListing:
        """In the words of the catalog."""
        return NewListing(**msgspec.structs.asdict(self))


class ListingPatch(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is to change; what is absent stays. Orders placed earlier keep what they were promised."""

    title: _Title | UnsetType = UNSET
    description: _Description | UnsetType = UNSET
    category: _Category | UnsetType = UNSET
    unit_amount: _UnitAmount | UnsetType = UNSET
    stock_on_hand: _Stock | UnsetType = UNSET

    def told(self) -> ListingChanges:
        """In the words of the catalog."""
        given = msgspec.structs.asdict(self)
        return ListingChanges(**{name: fact for name, fact in given.items() if fact is not UNSET})


class ListingAnswer(msgspec.Struct, kw_only=True):
    """A listing as everybody sees it. `available` is null where nothing is counted."""

    id: Annotated[str, Meta(examples=["lst_01k9zc3v5m8q2r4t6w8y0abcde"])]
    seller_id: str
    kind: Kind
    title: str
    description: str
    category: str
    unit_amount: int
    currency: str
    available: int | None
    status: Literal["active", "archived"]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, listing: ListingRecord) -> Self:
        """As `listing` stands."""
        return cls(**{name: getattr(listing, name) for name in cls.__struct_fields__})


class ListingList(msgspec.Struct, kw_only=True):
    """Listings, the newest first."""

    data: list[ListingAnswer]
    has_more: bool


class OwnListingAnswer(ListingAnswer, kw_only=True):
    """A listing as its seller sees it: with all its stock, and what of it is set aside."""

    stock_on_hand: int | None
    stock_reserved: int


class OwnListingList(msgspec.Struct, kw_only=True):
    """Everything you ever listed, the newest first."""

    data: list[OwnListingAnswer]
    has_more: bool
