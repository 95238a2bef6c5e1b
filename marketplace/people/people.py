"""What people do here: sign up, sign in and out, change their password."""

from typing import TypedDict

import msgspec

from marketplace.oversight.audit import record
from marketplace.people.accounts import (
    Account,
    Credentials,
    add_account,
    find_credentials,
    hold_password,
    require_credentials,
    store_password,
)
from marketplace.people.api_keys import ApiKeys, KeyOwner
from marketplace.people.email_proofs import EmailProofs, mail_proof
from marketplace.people.emails import canonical_email
from marketplace.people.errors import CredentialsWrong, EmailRefused, PasswordRefused
from marketplace.people.forgotten import ForgottenPasswords
from marketplace.people.hashing import Hashing
from marketplace.people.limits import PeopleLimits, forget, sign_in_bucket, take
from marketplace.people.mailed_links import end_links
from marketplace.people.names import canonical_name
from marketplace.people.passwords import canonical_password, require_acceptable
from marketplace.people.sessions import (
    OpenedSession,
    account_of_session,
    open_session,
    revoke_session,
    revoke_sessions,
)
from marketplace.people.telling import tell_password_changed
from payments.database import transaction
from payments.events import Clock
from payments.ids import new_id


class _Draft(TypedDict):
    email: str
    display_name: str
    password_hash: str


class People:
    """The use cases around a person; `api_keys` are those around their programs, `forgotten` and
    `email_proofs` those with links that are mailed."""

    def __init__(
        self, clock: Clock, *, live: bool = False, limits: PeopleLimits | None = None
    ) -> None:
        self._clock = clock
        self._limits = limits or PeopleLimits()
        self._hashing = Hashing()
        self.api_keys = ApiKeys(live=live)
        self.forgotten = ForgottenPasswords(clock, self._limits, self._hashing)
        self.email_proofs = EmailProofs(clock, self._limits)

    async def sign_up(
        self, *, email: str, password: str, display_name: str, address: str
    ) -> Account:
        """Make an account, and have it mailed a link that proves its e-mail.

        `address` is the network address it comes from.

        Raises EmailRefused, NameRefused, PasswordRefused, EmailTaken, TooManyTries, HashingBusy.
        """
        now = self._clock()
        await take(f"sign-up:{address}", self._limits.sign_up_per_address, now)
        draft = await self._draft(email, password, display_name)
        async with transaction():
            account = await add_account(**draft, is_admin=False, now=now)
            await mail_proof(account, now)
        return account

    async def create_admin(self, email: str, password: str, display_name: str) -> Account:
        """Make an admin's account: for the command line, never over HTTP.

        Raises EmailRefused, NameRefused, PasswordRefused, EmailTaken.
        """
        now = self._clock()
        draft = await self._draft(email, password, display_name)
        async with transaction():
            admin = await add_account(**draft, is_admin=True, now=now)
            await record(actor="command-line", action="admin.created", subject=admin.id, now=now)
        return admin

    async def sign_in(
        self, *, email: str, password: str, address: str, replacing: str | None = None
    ) -> tuple[Account, OpenedSession]:
        """Begin a session, ending the one whose token is `replacing`.

        Raises CredentialsWrong after the same time for an unknown e-mail, TooManyTries, HashingBusy.
        """
        now = self._clock()
        known = _canonical_or_none(email)
        tries = sign_in_bucket(known or email)
        await take(f"sign-in-from:{address}", self._limits.sign_in_per_address, now)
        await take(tries, self._limits.sign_in_per_email, now)
        credentials = await find_credentials(known) if known else None
        verified = await self._verified(credentials, password)
        account = verified.account
        await forget(tries)
        async with transaction():
            # Who replaced the password meanwhile has ended every session: this one must not outlive that.
            await hold_password(verified)
            if replacing is not None:
                await revoke_session(replacing, now)
            return account, await open_session(account, now)

    async def sign_out(self, token: str) -> None:
        """End the session with this token."""
        await revoke_session(token, self._clock())

    async def sign_out_everywhere(self, account_id: str) -> int:
        """End every session of the account; answers how many. API keys stay."""
        return await revoke_sessions(account_id, self._clock())

    async def account_of_session(self, token: str) -> Account:
        """Who the session's token belongs to. Raises NotSignedIn."""
        return await account_of_session(token, self._clock())

    async def owner_of_api_key(self, token: str) -> KeyOwner:
        """Whose key this is, and what it may do. Raises NotSignedIn."""
        return await self.api_keys.owner_of(token, self._clock())

    async def change_password(
        self, account_id: str, *, current: str, new: str, session_token: str | None
    ) -> None:
        """Replace the password and end every other session, and links to choose one. API keys stay.

        Raises CredentialsWrong, PasswordRefused, TooManyTries, HashingBusy, AccountNotFound.
        """
        now = self._clock()
        await take(f"password:{account_id}", self._limits.password_per_account, now)
        credentials = await require_credentials(account_id)
        account = (await self._verified(credentials, current)).account
        chosen = canonical_password(new)
        require_acceptable(chosen, email=account.email, display_name=account.display_name)
        password_hash = await self._hashing.hash(chosen)
        async with transaction():
            before = credentials.password_hash
            if not await store_password(account_id, password_hash, instead_of=before):
                raise CredentialsWrong
            await revoke_sessions(account_id, now, but=session_token)
            await end_links(account_id, "password_reset", now)
            await tell_password_changed(account_id, cause=new_id("pwd"), now=now)
            await record(actor=account_id, action="password.changed", subject=account_id, now=now)

    def close(self) -> None:
        """Let the threads that check passwords end."""
        self._hashing.close()

    async def _draft(self, email: str, password: str, display_name: str) -> "_Draft":
        """Judge and hash first: no transaction waits for a password."""
        address, name = canonical_email(email), canonical_name(display_name)
        chosen = canonical_password(password)
        require_acceptable(chosen, email=address, display_name=name)
        hash_ = await self._hashing.hash(chosen)
        return _Draft(email=address, display_name=name, password_hash=hash_)

    async def _verified(self, credentials: Credentials | None, password: str) -> Credentials:
        """The credentials as they stand, if the password is theirs. Raises CredentialsWrong, HashingBusy."""
        try:
            typed = canonical_password(password)
        except PasswordRefused:
            raise CredentialsWrong from None  # no account can have it
        stored = credentials.password_hash if credentials else None
        if not await self._hashing.matches(stored, typed) or credentials is None:
            raise CredentialsWrong
        if self._hashing.is_outdated(credentials.password_hash):
            renewed, before = await self._hashing.hash(typed), credentials.password_hash
            if await store_password(credentials.account.id, renewed, instead_of=before):
                return msgspec.structs.replace(credentials, password_hash=renewed)
        return credentials


def _canonical_or_none(email: str) -> str | None:
    """Anything may be typed into a sign-in; what is no address belongs to nobody."""
    try:
        return canonical_email(email)
    except EmailRefused:
        return None
