"""Tables of people. Secrets are stored only as hashes."""

from piccolo.columns import Array, Boolean, Integer, Timestamptz, Varchar
from piccolo.constraints import Check
from piccolo.table import Table


class Account(Table, tablename="accounts"):
    """A person who signs in. Everyone can buy; a seller profile or the admin role adds to it."""

    id = Varchar(length=40, primary_key=True, default=None)
    # Lower case; compared as it is stored.
    email = Varchar(length=254, default=None, unique=True)
    display_name = Varchar(length=120, default=None)
    password_hash = Varchar(length=255, default=None)
    is_admin = Boolean(default=None)
    created_at = Timestamptz(default=None)
    disabled_at = Timestamptz(default=None, null=True)

    accounts_email_lower_case = Check("email = lower(email)")


class Session(Table, tablename="sessions"):
    """A browser's sign-in: the cookie's SHA-256 and its CSRF token's."""

    token_hash = Varchar(length=64, primary_key=True, default=None)
    account_id = Varchar(length=40, default=None, index=True)
    csrf_hash = Varchar(length=64, default=None)
    created_at = Timestamptz(default=None)
    last_seen_at = Timestamptz(default=None)
    expires_at = Timestamptz(default=None)
    revoked_at = Timestamptz(default=None, null=True)


class ApiKey(Table, tablename="api_keys"):
    """A program's key: shown once, stored as SHA-256, limited by scopes and expiry."""

    id = Varchar(length=40, primary_key=True, default=None)
    account_id = Varchar(length=40, default=None, index=True)
    name = Varchar(length=120, default=None)
    # The first characters, to recognise a key in a list.
    preview = Varchar(length=16, default=None)
    token_hash = Varchar(length=64, default=None, unique=True)
    scopes = Array(base_column=Varchar(), default=None)
    created_at = Timestamptz(default=None)
    expires_at = Timestamptz(default=None, null=True)
    last_used_at = Timestamptz(default=None, null=True)
    revoked_at = Timestamptz(default=None, null=True)


class Limit(Table, tablename="limits"):
    """Counted tries in a window of time (sign-ins, sign-ups, payments), shared by all processes."""

    bucket = Varchar(length=160, primary_key=True, default=None)
    window_started_at = Timestamptz(default=None)
    used = Integer(default=None)
