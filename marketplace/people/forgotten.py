"""Forgotten passwords: a link is asked for by an address, mailed if it is somebody's, and followed once.

Who asks learns nothing about the address: the request only counts the try and notes what was asked, the same
three statements for any. Whose address it is, the worker finds out (`mail_asked`).
"""

from datetime import datetime

from marketplace.messages.outbox import Told, tell_all
from marketplace.oversight.audit import record
from marketplace.people import mailed_links
from marketplace.people.accounts import prove_email, replace_password
from marketplace.people.emails import canonical_email
from marketplace.people.errors import LinkOver
from marketplace.people.hashing import Hashing
from marketplace.people.limits import PeopleLimits, forget, sign_in_bucket, take
from marketplace.people.mailed_links import FollowedLink
from marketplace.people.passwords import canonical_password, require_acceptable
from marketplace.people.sessions import revoke_sessions
from marketplace.people.telling import tell_password_changed
from marketplace.people.tokens import hashed
from payments.database import execute, rows, transaction
from payments.events import Clock


class ForgottenPasswords:
    """The use cases of who cannot sign in any more."""

    def __init__(self, clock: Clock, limits: PeopleLimits, hashing: Hashing) -> None:
        self._clock, self._limits, self._hashing = clock, limits, hashing

    async def ask(self, *, email: str, address: str) -> None:
        """Have a link mailed to `email`, if it is an account's. `address` is the network's it comes from.

        Raises EmailRefused for what nobody's address can be, TooManyTries.
        """
        now, asked = self._clock(), canonical_email(email)
        await take(f"reset-from:{address}", self._limits.reset_per_address, now)
        await take(f"reset:{hashed(asked)}", self._limits.reset_per_email, now)
        await mailed_links.ask_link(asked, "password_reset", now)

    async def choose(self, *, token: str, password: str, address: str) -> None:
        """Follow the link: this password holds from now on, and every session is over. API keys stay.

        Raises LinkOver, PasswordRefused (the link stays good), TooManyTries, HashingBusy.
        """
        now = self._clock()
        await take(f"link-from:{address}", self._limits.link_per_address, now)
        link = await mailed_links.follow(token, "password_reset", now)
        if link.is_used:
            raise LinkOver
        chosen = canonical_password(password)
        require_acceptable(chosen, email=link.email, display_name=link.display_name)
        await _set_password(link, await self._hashing.hash(chosen), now)

    async def mail_asked(self, now: datetime, limit: int) -> int:
        """Look at links that were asked for: tell those whose address it is, forget the others."""
        async with transaction():
            asked = await rows(_ASKED, now, limit)
            found = {each["id"]: each["account_id"] for each in asked if each["account_id"]}
            await execute(
                "DELETE FROM mailed_links WHERE id = ANY($1::text[])",
                [each["id"] for each in asked if each["id"] not in found],
            )
            if found:
                await _tell_asked(found, now)
        return len(asked)


# An address that is nobody's, and a link that nobody looked at in time, have no account.
_ASKED = """
SELECT l.id, a.id AS account_id FROM mailed_links l
LEFT JOIN accounts a ON a.email = l.email AND a.disabled_at IS NULL AND l.expires_at > $1
WHERE l.account_id IS NULL ORDER BY l.id LIMIT $2 FOR UPDATE OF l SKIP LOCKED
"""


async def _tell_asked(found: dict[str, str], now: datetime) -> None:
    await mailed_links.lock_accounts(set(found.values()))
    await execute(
        "UPDATE mailed_links l SET account_id = f.account_id "
        "FROM unnest($1::text[], $2::text[]) AS f(id, account_id) WHERE l.id = f.id",
        list(found),
        list(found.values()),
    )
    await mailed_links.end_older(set(found.values()), "password_reset", now)
    still_open = await rows(
        "SELECT id, account_id, expires_at FROM mailed_links "
        "WHERE id = ANY($1::text[]) AND ended_at IS NULL",
        list(found),
    )
    await tell_all(
        [
            Told(
                account_id=link["account_id"],
                kind="password_reset_asked",
                subject_id=link["id"],
                cause=f"link:{link['id']}",
                facts={"expires_at": link["expires_at"]},
            )
            for link in still_open
        ],
        now,
    )


async def _set_password(link: FollowedLink, password_hash: str, now: datetime) -> None:
    async with transaction():
        await mailed_links.use(link, now)
        await replace_password(link.account_id, password_hash)
        await prove_email(link.account_id, now)
        await revoke_sessions(link.account_id, now)
        await record(
            actor=link.account_id, action="password.reset", subject=link.account_id, now=now
        )
        await tell_password_changed(link.account_id, cause=f"link:{link.id}:used", now=now)
    # Whoever guessed before does not keep the owner out.
    await forget(sign_in_bucket(link.email))
