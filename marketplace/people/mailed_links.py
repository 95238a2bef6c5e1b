"""Links that are mailed: each opens one thing, once, to whoever reads the mail, and for a while only.

What a link carries is 256 random bits, made at the moment when its mail is written (`minted`). It is in that
mail and nowhere else: not in the outbox, which says only which link it is, and here as its SHA-256. A mail
that is sent again carries new bits, and the old ones stay good: nobody knows which of the two arrived.

The account's row is locked before its links are: of two uses, or of a use and a newer link, one is first.
"""

import secrets
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from marketplace.people.errors import LinkOver
from marketplace.people.tokens import hashed
from payments.database import execute, require_transaction, row, rows
from payments.ids import id_floor, new_id

Purpose = Literal["password_reset", "email_proof"]

LASTS_SECONDS: Final[Mapping[Purpose, int]] = {
    "password_reset": 3600,
    # Read at leisure: it opens nothing to anybody but the reader's own address.
    "email_proof": 3 * 24 * 3600,
}
"""From when it was asked for, however long the mail takes."""
_SECRET_BYTES: Final = 32
_KEPT: Final = timedelta(days=30)
_OPEN: Final = "used_at IS NULL AND ended_at IS NULL AND expires_at > "
_HAS_NEWER: Final = (
    "EXISTS (SELECT FROM mailed_links n WHERE n.account_id = mailed_links.account_id "
    "AND n.purpose = mailed_links.purpose "
    "AND (n.created_at, n.id) > (mailed_links.created_at, mailed_links.id))"
)


class FollowedLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link that somebody holds, with what is known of its account."""

    id: str
    account_id: str
    email: str
    display_name: str
    is_used: bool


def end_of(purpose: Purpose, now: datetime) -> datetime:
    """When a link that is asked for now opens nothing any more."""
    return now + timedelta(seconds=LASTS_SECONDS[purpose])


async def ask_link(email: str, purpose: Purpose, now: datetime) -> None:
    """Note that a link was asked for, for an address that may be nobody's: as quick for any."""
    await _insert(email, purpose, None, now)


async def open_link(account_id: str, email: str, purpose: Purpose, now: datetime) -> str:
    """A link for a known account, in the place of its older ones; answers its id.

    Raises NoTransaction.
    """
    require_transaction()
    await lock_accounts([account_id])
    link_id = await _insert(email, purpose, account_id, now)
    await end_older([account_id], purpose, now)
    return link_id


async def minted(link_ids: Collection[str], now: datetime) -> dict[str, str]:
    """What the mails of these links carry, by link, made now; of those only that still open something."""
    if not link_ids:
        return {}
    made = {link_id: f"{link_id}.{secrets.token_urlsafe(_SECRET_BYTES)}" for link_id in link_ids}
    found = await rows(
        "WITH held AS (SELECT id FROM mailed_links "
        f"    WHERE id = ANY($1::text[]) AND {_OPEN} $3 ORDER BY id FOR UPDATE) "
        "UPDATE mailed_links l SET token_hashes = l.token_hashes || ARRAY[made.hash]::varchar[] "
        "FROM held JOIN unnest($1::text[], $2::text[]) AS made(id, hash) ON made.id = held.id "
        "WHERE l.id = held.id RETURNING l.id",
        list(made),
        [hashed(token) for token in made.values()],
        now,
    )
    return {each["id"]: made[each["id"]] for each in found}


async def follow(token: str, purpose: Purpose, now: datetime) -> FollowedLink:
    """Whose link it is. One that was used is found too, and says so.

    Raises LinkOver when it never was one, is over, or its account is not used any more.
    """
    found = await row(
        "SELECT l.id, l.account_id, l.email, a.display_name, l.used_at IS NOT NULL AS is_used "
        "FROM mailed_links l JOIN accounts a ON a.id = l.account_id AND a.email = l.email "
        "WHERE l.id = $1 AND l.purpose = $2 AND $3 = ANY(l.token_hashes) AND l.ended_at IS NULL "
        "AND l.expires_at > $4 AND a.disabled_at IS NULL",
        token.partition(".")[0],
        purpose,
        hashed(token),
        now,
    )
    if found is None:
        raise LinkOver
    return FollowedLink(**found)


async def use(link: FollowedLink, now: datetime) -> None:
    """Use it up; the account is locked from here on. Raises LinkOver for who comes second."""
    require_transaction()
    await lock_accounts([link.account_id])
    used = await execute(
        f"UPDATE mailed_links SET used_at = $2 WHERE id = $1 AND {_OPEN} $2", link.id, now
    )
    if not used:
        raise LinkOver


async def lock_accounts(account_ids: Collection[str]) -> None:
    """Hold these accounts until the transaction ends: always before their links."""
    await execute(
        "SELECT 1 FROM accounts WHERE id = ANY($1::text[]) ORDER BY id FOR NO KEY UPDATE",
        list(account_ids),
    )


async def end_links(account_id: str, purpose: Purpose, now: datetime) -> None:
    """End every open link of the account that is for this. The account is locked."""
    await _end([account_id], purpose, now)


async def end_older(account_ids: Collection[str], purpose: Purpose, now: datetime) -> None:
    """Let the newest link of each account be the only one. The accounts are locked."""
    await _end(account_ids, purpose, now, which=_HAS_NEWER)


async def sweep(now: datetime, limit: int) -> int:
    """Delete up to `limit` links that were asked for a month ago; answers how many."""
    return await execute(
        "DELETE FROM mailed_links WHERE id IN ("
        "SELECT id FROM mailed_links WHERE id < $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)",
        f"lnk_{id_floor(now - _KEPT)}",
        limit,
    )


async def _insert(email: str, purpose: Purpose, account_id: str | None, now: datetime) -> str:
    link_id = new_id("lnk")
    await execute(
        "INSERT INTO mailed_links "
        "(id, purpose, email, account_id, token_hashes, created_at, expires_at) "
        "VALUES ($1, $2, $3, $4, '{}', $5, $6)",
        link_id,
        purpose,
        email,
        account_id,
        now,
        end_of(purpose, now),
    )
    return link_id


async def _end(
    account_ids: Collection[str], purpose: Purpose, now: datetime, *, which: str = "true"
) -> None:
    await execute(
        "UPDATE mailed_links SET ended_at = $3 WHERE id IN (SELECT id FROM mailed_links "
        f"WHERE account_id = ANY($1::text[]) AND purpose = $2 AND {_OPEN} $3 AND {which} "
        "ORDER BY id FOR UPDATE)",
        list(account_ids),
        purpose,
        now,
    )
