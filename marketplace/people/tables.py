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
    # When a link that was mailed to the address was followed; null: nobody has shown that they read it.
    email_proved_at = Timestamptz(default=None, null=True)

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


class MailedLink(Table, tablename="mailed_links"):
    """A link that opens something once to whoever reads the mail: a new password, the proof of an address.

    What it carries is made while the mail is written and is nowhere but there: here is its SHA-256.
    """

    id = Varchar(length=40, primary_key=True, default=None)
    purpose = Varchar(length=20, default=None)
    # As it was asked for, which may be anything; the worker finds out whose it is.
    email = Varchar(length=254, default=None)
    account_id = Varchar(length=40, default=None, null=True)
    # One for each try to send the mail: more than one of them may have arrived.
    token_hashes = Array(base_column=Varchar(), default=None)
    created_at = Timestamptz(default=None)
    expires_at = Timestamptz(default=None)
    used_at = Timestamptz(default=None, null=True)
    # When a newer one, or another new password, took its place.
    ended_at = Timestamptz(default=None, null=True)

    mailed_links_purpose_known = Check("purpose IN ('password_reset', 'email_proof')")


class Limit(Table, tablename="limits"):
    """Counted tries in a window of time (sign-ins, sign-ups, payments), shared by all processes."""

    bucket = Varchar(length=160, primary_key=True, default=None)
    window_started_at = Timestamptz(default=None)
    used = Integer(default=None)
