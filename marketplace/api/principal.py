"""Who is calling: the person behind a session cookie or an API key."""

import enum
from datetime import datetime

import msgspec


class Via(enum.StrEnum):
    """How the caller showed who they are."""

    SESSION = "session"
    API_KEY = "api_key"


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """The caller of a route that is not open to anyone.

    `scopes` is None for a session, which may do whatever its person may; a program may do what its key says,
    `api_key_id`.
    """

    account_id: str
    email: str
    display_name: str
    is_admin: bool
    email_proved_at: datetime | None
    scopes: frozenset[str] | None
    via: Via
    api_key_id: str | None = None

    def may(self, scope: str) -> bool:
        """Whether this caller has `scope`; a session has all that its person's roles give."""
        return self.scopes is None or scope in self.scopes
