"""The catalog: sellers offer listings, everybody reads them, orders are priced from them."""

from collections.abc import Sequence
from datetime import datetime

from marketplace.catalog.errors import ListingNotFound, SellerProfileMissing
from marketplace.catalog.listings import (
    COLUMNS,
    ListingChanges,
    ListingFilter,
    ListingRecord,
    NewListing,
    Offer,
    changed,
    check_new,
)
from marketplace.paging import Page, PageRequest
from payments.database import execute, row, rows, transaction
from payments.ids import new_id

_OWN = "SELECT id FROM sellers WHERE account_id = $1"


class Catalog:
    """Use cases of listings. Another seller's listing is one that does not exist."""

    async def create(self, account_id: str, new: NewListing, now: datetime) -> ListingRecord:
        """Offer something for sale, as the seller that the account is.

        Raises SellerProfileMissing, SellerCurrencyDiffers, StockRefused, AmountNotChargeable.
        """
        seller = await row("SELECT id, currency FROM sellers WHERE account_id = $1", account_id)
        if seller is None:
            raise SellerProfileMissing
        check_new(new, seller["currency"])
        made = await row(
            f"INSERT INTO listings ({COLUMNS}) "
            f"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 'active', $10, $10) RETURNING {COLUMNS}",
            new_id("lst"),
            seller["id"],
            new.kind,
            new.title,
            new.description,
            new.category,
            new.unit_amount,
            new.currency,
            new.stock_on_hand,
            now,
        )
        assert made is not None
        return ListingRecord(**made)

    async def update(
        self, account_id: str, listing_id: str, changes: ListingChanges, now: datetime
    ) -> ListingRecord:
        """Change one's own active listing; orders placed earlier keep what they were promised.

        Raises ListingNotFound, StockRefused, AmountNotChargeable.
        """
        async with transaction():
            listing = changed(await self._own_locked(account_id, listing_id), changes, now)
            await execute(
                "UPDATE listings SET title = $2, description = $3, category = $4, unit_amount = $5, "
                "stock_on_hand = $6, updated_at = $7 WHERE id = $1",
                listing.id,
                listing.title,
                listing.description,
                listing.category,
                listing.unit_amount,
                listing.stock_on_hand,
                now,
            )
        return listing

    async def archive(self, account_id: str, listing_id: str, now: datetime) -> None:
        """Take one's own listing off the market; orders that have it keep it. Raises ListingNotFound."""
        done = await execute(
            "UPDATE listings SET status = 'archived', updated_at = $3 "
            f"WHERE id = $2 AND status = 'active' AND seller_id = ({_OWN})",
            account_id,
            listing_id,
            now,
        )
        if not done:
            raise ListingNotFound(listing_id)

    async def find(self, listing_id: str) -> ListingRecord:
        """An active listing, for anybody. Raises ListingNotFound."""
        found = await row(
            f"SELECT {COLUMNS} FROM listings WHERE id = $1 AND status = 'active'", listing_id
        )
        if found is None:
            raise ListingNotFound(listing_id)
        return ListingRecord(**found)

    async def list_public(self, wanted: ListingFilter, page: PageRequest) -> Page[ListingRecord]:
        """What is for sale, the newest first; suspended sellers' listings are not shown."""
        found = await rows(
            f"SELECT {COLUMNS} FROM listings WHERE status = 'active' "
            "AND ($1::text IS NULL OR kind = $1) AND ($2::text IS NULL OR category = $2) "
            "AND ($3::text IS NULL OR seller_id = $3) AND ($4::text IS NULL OR title ILIKE $4) "
            "AND ($5::text IS NULL OR id < $5) "
            "AND NOT EXISTS (SELECT FROM sellers s WHERE s.id = seller_id "
            "AND s.suspended_at IS NOT NULL) ORDER BY id DESC LIMIT $6",
            wanted.kind,
            wanted.category,
            wanted.seller_id,
            None if wanted.text is None else _containing(wanted.text),
            page.starting_after,
            page.fetched,
        )
        return Page.cut([ListingRecord(**record) for record in found], page)

    async def list_own(self, account_id: str, page: PageRequest) -> Page[ListingRecord]:
        """Everything the account's seller ever listed, archived ones included, the newest first."""
        found = await rows(
            f"SELECT {COLUMNS} FROM listings WHERE seller_id = ({_OWN}) "
            "AND ($2::text IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
            account_id,
            page.starting_after,
            page.fetched,
        )
        return Page.cut([ListingRecord(**record) for record in found], page)

    async def offers(self, listing_ids: Sequence[str]) -> dict[str, Offer]:
        """The active ones among these listings, as an order prices them, by id; one query."""
        found = await rows(
            "SELECT l.id AS listing_id, l.seller_id, s.account_id AS owner_id, l.kind, l.title, "
            "l.category, l.unit_amount, l.currency FROM listings l JOIN sellers s ON s.id = l.seller_id "
            "WHERE l.id = ANY($1::text[]) AND l.status = 'active'",
            list(listing_ids),
        )
        return {record["listing_id"]: Offer(**record) for record in found}

    async def _own_locked(self, account_id: str, listing_id: str) -> ListingRecord:
        found = await row(
            f"SELECT {COLUMNS} FROM listings WHERE id = $2 AND status = 'active' "
            f"AND seller_id = ({_OWN}) FOR NO KEY UPDATE",
            account_id,
            listing_id,
        )
        if found is None:
            raise ListingNotFound(listing_id)
        return ListingRecord(**found)


def _containing(text: str) -> str:
    """A LIKE pattern that means the text itself, whatever characters it has."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
