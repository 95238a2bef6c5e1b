"""Sellers as admins look through them: with the state of their connected account beside each."""

from typing import Any

import msgspec

from connect.capability import AccountState
from marketplace.paging import Page, PageRequest
from marketplace.sellers.profile import COLUMNS, Approval, SellerProfile
from payments.database import rows


class SellerFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which sellers to list; None leaves a fact open."""

    approval: Approval | None = None
    state: AccountState | None = None
    suspended: bool | None = None
    account_id: str | None = None
    name: str | None = None
    """Words of the display name, in any case."""


class ListedSeller(msgspec.Struct, frozen=True, kw_only=True):
    """A seller, and where their account stood when it was last read."""

    profile: SellerProfile
    state: AccountState
    connected_account_id: str | None


_LISTED = ", ".join(f"s.{name.strip()}" for name in COLUMNS.split(","))


async def list_sellers(wanted: SellerFilter, page: PageRequest) -> Page[ListedSeller]:
    """Sellers, the newest first, in one query."""
    found = await rows(
        f"SELECT {_LISTED}, coalesce(a.state, 'not_started') AS state, a.account_id AS opened "
        "FROM sellers s LEFT JOIN connected_accounts a ON a.seller_id = s.id "
        "WHERE ($1::text IS NULL OR s.approval = $1) "
        "AND ($2::text IS NULL OR coalesce(a.state, 'not_started') = $2) "
        "AND ($3::bool IS NULL OR (s.suspended_at IS NOT NULL) = $3) "
        "AND ($4::text IS NULL OR s.id < $4) AND ($6::text IS NULL OR s.account_id = $6) "
        "AND ($7::text IS NULL OR strpos(lower(s.display_name), lower($7)) > 0) "
        "ORDER BY s.id DESC LIMIT $5",
        wanted.approval,
        wanted.state,
        wanted.suspended,
        page.starting_after,
        page.fetched,
        wanted.account_id,
        wanted.name,
    )
    return Page.cut([_listed(dict(record)) for record in found], page)


def _listed(record: dict[str, Any]) -> ListedSeller:
    state, opened = record.pop("state"), record.pop("opened")
    return ListedSeller(
        profile=SellerProfile(**record),
        state=AccountState(state),
        connected_account_id=opened,
    )
