"""Accounts: one per e-mail address, found by it or by id."""

from datetime import datetime

import asyncpg
import msgspec

from marketplace.people.errors import AccountNotFound, CredentialsWrong, EmailTaken
from payments.database import execute, row
from payments.ids import new_id

COLUMNS = "id, email, display_name, is_admin, created_at, email_proved_at"


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A person, without the password's hash."""

    id: str
    email: str
    display_name: str
    is_admin: bool
    created_at: datetime
    email_proved_at: datetime | None = None

    @classmethod
    def of(cls, found: asyncpg.Record) -> "Account":
        """The account in a row."""
        return cls(**{name: found[name] for name in cls.__struct_fields__})


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """What a sign-in is checked against."""

    account: Account
    password_hash: str


async def add_account(
    *, email: str, display_name: str, password_hash: str, is_admin: bool, now: datetime
) -> Account:
    """Store a new account. Raises EmailTaken, also when two come at the same moment."""
    added = await row(
        f"""
        INSERT INTO accounts (id, email, display_name, password_hash, is_admin, created_at)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (email) DO NOTHING RETURNING {COLUMNS}
        """,
        new_id("acc"),
        email,
        display_name,
        password_hash,
        is_admin,
        now,
    )
    if added is None:
        raise EmailTaken
    return Account.of(added)


async def find_credentials(email: str) -> Credentials | None:
    """The credentials of the usable account with this canonical e-mail, or None."""
    return _credentials(
        await row(
            f"SELECT {COLUMNS}, password_hash FROM accounts"
            " WHERE email = $1 AND disabled_at IS NULL",
            email,
        )
    )


async def require_credentials(account_id: str) -> Credentials:
    """The credentials of a usable account. Raises AccountNotFound."""
    found = _credentials(
        await row(
            f"SELECT {COLUMNS}, password_hash FROM accounts WHERE id = $1 AND disabled_at IS NULL",
            account_id,
        )
    )
    if found is None:
        raise AccountNotFound(account_id)
    return found


async def store_password(account_id: str, password_hash: str, *, instead_of: str) -> bool:
    """Replace the hash, unless it was replaced meanwhile; answers whether it was."""
    changed = await execute(
        "UPDATE accounts SET password_hash = $2 WHERE id = $1 AND password_hash = $3",
        account_id,
        password_hash,
        instead_of,
    )
    return changed == 1


async def hold_password(credentials: Credentials) -> None:
    """Let nobody replace the password until the transaction ends. Raises CredentialsWrong if somebody has."""
    held = await execute(
        "SELECT 1 FROM accounts WHERE id = $1 AND password_hash = $2 FOR SHARE",
        credentials.account.id,
        credentials.password_hash,
    )
    if not held:
        raise CredentialsWrong


async def replace_password(account_id: str, password_hash: str) -> None:
    """Give the account another hash, whatever it had: for who followed a mailed link. It is locked."""
    await execute("UPDATE accounts SET password_hash = $2 WHERE id = $1", account_id, password_hash)


async def prove_email(account_id: str, now: datetime) -> None:
    """Note that the account's address is read by its person; the first time is kept."""
    await execute(
        "UPDATE accounts SET email_proved_at = $2 WHERE id = $1 AND email_proved_at IS NULL",
        account_id,
        now,
    )


def _credentials(found: asyncpg.Record | None) -> Credentials | None:
    if found is None:
        return None
    return Credentials(account=Account.of(found), password_hash=found["password_hash"])
