"""From what a buyer asks for to exact lines and a total. Pure; amounts are minor units.

Prices come from listings only: a buyer names listings and quantities.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec

from marketplace.catalog.listings import Kind, Offer
from marketplace.orders.errors import (
    ListingNotOffered,
    ListingRepeated,
    MixedCapture,
    NoLines,
    OwnListing,
    QuantityRefused,
    SeveralCurrencies,
    SeveralSellers,
    TooManyLines,
)
from payments.currencies import check_chargeable

CaptureMethod = Literal["automatic", "manual"]

LINES_LIMIT: Final = 50
QUANTITY_LIMIT: Final = 999
CAPTURE_METHODS: Final[dict[Kind, CaptureMethod]] = {
    # A session is a promise of time: paid when booked. A product is paid when it is ready to go.
    "session": "automatic",
    "product": "manual",
}


class Wanted(msgspec.Struct, frozen=True):
    """One line of what a buyer asks for."""

    listing_id: str
    quantity: int


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an order: `amount` is `unit_amount` times `quantity`, exactly.

    `quantity_prepared` is how many were captured, None before that.
    """

    position: int
    listing_id: str
    kind: Kind
    title: str
    category: str
    unit_amount: int
    quantity: int
    amount: int
    quantity_prepared: int | None = None
    quantity_refunded: int = 0


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """What one order comes to."""

    seller_id: str
    currency: str
    capture_method: CaptureMethod
    lines: tuple[Line, ...]
    total: int


def check_wanted(wanted: Sequence[Wanted]) -> None:
    """Refuse what no listing could make right.

    Raises NoLines, TooManyLines, QuantityRefused or ListingRepeated.
    """
    if not wanted:
        raise NoLines
    if len(wanted) > LINES_LIMIT:
        raise TooManyLines(len(wanted), LINES_LIMIT)
    seen: set[str] = set()
    for line in wanted:
        if not 1 <= line.quantity <= QUANTITY_LIMIT:
            raise QuantityRefused(line.listing_id, line.quantity, QUANTITY_LIMIT)
        if line.listing_id in seen:
            raise ListingRepeated(line.listing_id)
        seen.add(line.listing_id)


def total_up(wanted: Sequence[Wanted], offers: Mapping[str, Offer], *, buyer_id: str) -> Totals:
    """Price `wanted` by `offers` (by listing id) for the account `buyer_id`.

    Raises the kinds of LinesRefused, and CurrencyUnknown or AmountNotChargeable for a total that
    Stripe would not take.
    """
    check_wanted(wanted)
    lines = tuple(
        _line(position, line, _offered(line, offers)) for position, line in enumerate(wanted)
    )
    first = _one_of_a_kind([offers[line.listing_id] for line in wanted], buyer_id)
    total = sum(line.amount for line in lines)
    check_chargeable(total, first.currency)
    return Totals(
        seller_id=first.seller_id,
        currency=first.currency,
        capture_method=CAPTURE_METHODS[first.kind],
        lines=lines,
        total=total,
    )


def split_up(wanted: Sequence[Wanted], offers: Mapping[str, Offer]) -> list[list[Wanted]]:
    """A cart as the orders it takes: one for each seller, currency and way to capture, in its order.

    Raises ListingNotOffered.
    """
    parts: dict[tuple[str, str, CaptureMethod], list[Wanted]] = {}
    for line in wanted:
        offer = _offered(line, offers)
        part = (offer.seller_id, offer.currency, CAPTURE_METHODS[offer.kind])
        parts.setdefault(part, []).append(line)
    return list(parts.values())


def _offered(line: Wanted, offers: Mapping[str, Offer]) -> Offer:
    try:
        return offers[line.listing_id]
    except KeyError:
        raise ListingNotOffered(line.listing_id) from None


def _one_of_a_kind(offers: Sequence[Offer], buyer_id: str) -> Offer:
    """The first offer, once it is certain that the others agree with it."""
    first = offers[0]
    sellers = tuple(sorted({offer.seller_id for offer in offers}))
    if len(sellers) > 1:
        raise SeveralSellers(sellers)
    if first.owner_id == buyer_id:
        raise OwnListing(first.seller_id)
    currencies = tuple(sorted({offer.currency for offer in offers}))
    if len(currencies) > 1:
        raise SeveralCurrencies(currencies)
    if len({CAPTURE_METHODS[offer.kind] for offer in offers}) > 1:
        raise MixedCapture
    return first


def _line(position: int, wanted: Wanted, offer: Offer) -> Line:
    return Line(
        position=position,
        listing_id=offer.listing_id,
        kind=offer.kind,
        title=offer.title,
        category=offer.category,
        unit_amount=offer.unit_amount,
        quantity=wanted.quantity,
        amount=offer.unit_amount * wanted.quantity,
    )
