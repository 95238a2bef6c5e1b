"""What can go wrong in the catalog. Classes carry data, not sentences, and no HTTP.

CatalogError
|-- ListingNotFound            no such listing, archived, or somebody else's: the same answer
|-- SellerProfileMissing       only an account with a seller profile may list
|-- SellerCurrencyDiffers      a listing is priced in its seller's currency
|-- StockRefused               stock where there is none, none where it belongs, or too little
`-- OutOfStock                 less is available than was asked for
"""

from typing import Any


class CatalogError(Exception):
    """Root of everything the catalog raises."""

    def __init__(self, *details: Any) -> None:
        super().__init__(*details)


class ListingNotFound(CatalogError):
    """No such listing, or not one this person may see or change."""

    def __init__(self, listing_id: str) -> None:
        self.listing_id = listing_id
        super().__init__(listing_id)


class SellerProfileMissing(CatalogError):
    """The account has no seller profile yet."""


class SellerCurrencyDiffers(CatalogError):
    """The listing's currency is not its seller's: a seller is paid in one currency."""

    def __init__(self, currency: str, sellers: str) -> None:
        self.currency, self.sellers = currency, sellers
        super().__init__(currency, sellers)


class StockRefused(CatalogError):
    """`why` is `session_has_no_stock`, `product_needs_stock` or `below_reserved`."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


class OutOfStock(CatalogError):
    """Fewer than asked for are left: `available` of `listing_id`."""

    def __init__(self, listing_id: str, available: int) -> None:
        self.listing_id, self.available = listing_id, available
        super().__init__(listing_id, available)
