"""What can go wrong with people. Classes carry data, not sentences, and no HTTP.

PeopleError
|-- EmailRefused            not an address we can write to
|-- NameRefused             empty, too long, or with invisible characters
|-- PasswordRefused         `why`: too_short, too_long, too_common, names_you
|-- EmailTaken
|-- CredentialsWrong        e-mail or password: nobody learns which
|-- TooManyTries            wait `retry_after_seconds`
|-- HashingBusy             more passwords are being checked than we have room for
|-- NotSignedIn             `why`: missing, malformed, unknown, ended, revoked, expired, two_credentials
|-- AccountNotFound
|-- LinkOver                a mailed link that opens nothing: nobody learns why
|-- EmailProvedAlready
|-- ApiKeyNotFound          no such key, or somebody else's: the same answer
|-- TooManyApiKeys
|-- ScopeRefused            unknown, or more than the person may do
`-- ExpiryRefused           a key's end that is past or too far away
"""

from typing import Any


class PeopleError(Exception):
    """Root of everything people raise."""

    def __init__(self, *details: Any) -> None:
        super().__init__(*details)


class EmailRefused(PeopleError):
    """Not an e-mail address we can write to. The address is not kept: it may be a password typed
    into the wrong field."""


class NameRefused(PeopleError):
    """A display name that is empty, longer than `limit`, or holds invisible characters."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(limit)


class PasswordRefused(PeopleError):
    """A password nobody should have. `limit` is the number of characters concerned, if any."""

    def __init__(self, why: str, *, limit: int | None = None) -> None:
        self.why, self.limit = why, limit
        super().__init__(why, limit)


class EmailTaken(PeopleError):
    """An account with this e-mail exists."""


class CredentialsWrong(PeopleError):
    """E-mail and password do not belong together; nobody learns which of the two was wrong."""


class TooManyTries(PeopleError):
    """The same thing was tried too often: wait `retry_after_seconds`."""

    def __init__(self, retry_after_seconds: int) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(retry_after_seconds)


class HashingBusy(PeopleError):
    """More passwords wait to be checked than there is room for."""


class NotSignedIn(PeopleError):
    """No usable credentials came with the request; `why` tells the owner, without their value."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


class AccountNotFound(PeopleError):
    """No such account."""

    def __init__(self, account_id: str) -> None:
        self.account_id = account_id
        super().__init__(account_id)


class LinkOver(PeopleError):
    """A mailed link that never was one, was used, is too old, or had a newer one take its place. What it
    carried is not kept here."""


class EmailProvedAlready(PeopleError):
    """Somebody has shown already that they read what is mailed to the account's address."""


class ApiKeyNotFound(PeopleError):
    """No such key, or it is somebody else's: nobody learns which."""

    def __init__(self, api_key_id: str) -> None:
        self.api_key_id = api_key_id
        super().__init__(api_key_id)


class TooManyApiKeys(PeopleError):
    """The account has `limit` usable keys already."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(limit)


class ScopeRefused(PeopleError):
    """A scope that does not exist, or that this person cannot give; `allowed` are those they can."""

    def __init__(self, scope: str, *, allowed: tuple[str, ...]) -> None:
        self.scope, self.allowed = scope, allowed
        super().__init__(scope)


class ExpiryRefused(PeopleError):
    """A key must end in the future, at most `limit_days` away."""

    def __init__(self, limit_days: int) -> None:
        self.limit_days = limit_days
        super().__init__(limit_days)
