"""People as admins look them up."""

from marketplace.paging import Page, PageRequest
from marketplace.people.accounts import COLUMNS, Account
from marketplace.people.emails import canonical_email
from marketplace.people.errors import AccountNotFound
from payments.database import row, rows


async def list_accounts(
    page: PageRequest, *, email: str | None = None, is_admin: bool | None = None
) -> Page[Account]:
    """Accounts, the newest first. Raises EmailRefused for what is no address."""
    found = await rows(
        f"SELECT {COLUMNS} FROM accounts WHERE ($1::text IS NULL OR email = $1) "
        "AND ($2::bool IS NULL OR is_admin = $2) AND ($3::text IS NULL OR id < $3) "
        "ORDER BY id DESC LIMIT $4",
        None if email is None else canonical_email(email),
        is_admin,
        page.starting_after,
        page.fetched,
    )
    return Page.cut([Account.of(record) for record in found], page)


async def find_account(account_id: str) -> Account:
    """One account, also one that was disabled. Raises AccountNotFound."""
    found = await row(f"SELECT {COLUMNS} FROM accounts WHERE id = $1", account_id)
    if found is None:
        raise AccountNotFound(account_id)
    return Account.of(found)
