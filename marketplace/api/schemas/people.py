"""What people send and are answered."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from marketplace.people.accounts import Account
from marketplace.people.api_keys import ApiKey

_TOKEN = "lnk_01k9zc3v5m8q2r4t6w8y0abcde.the-43-characters-that-are-in-the-e-mail-only"


class SignUp(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A new account."""

    email: Annotated[str, Meta(max_length=254, examples=["ada@example.com"])]
    password: Annotated[
        str,
        Meta(
            max_length=1024,
            description="8 to 128 characters, better 15 or more.",
            examples=["seven-otters-sing-at-dawn"],
        ),
    ]
    display_name: Annotated[str, Meta(max_length=480, examples=["Ada Lovelace"])]


class SignIn(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An e-mail address and its password."""

    email: Annotated[str, Meta(max_length=254, examples=["ada@example.com"])]
    password: Annotated[str, Meta(max_length=1024, examples=["seven-otters-sing-at-dawn"])]


class PasswordChange(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The password that holds now, and the one that shall."""

    current_password: Annotated[str, Meta(max_length=1024, examples=["seven-otters-sing-at-dawn"])]
    new_password: Annotated[str, Meta(max_length=1024, examples=["eight-herons-dance-at-dusk"])]


class PasswordReset(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Whose password was forgotten."""

    email: Annotated[str, Meta(max_length=254, examples=["ada@example.com"])]


class NewPassword(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What the mailed link carries after `#token=`, and the password that shall hold."""

    token: Annotated[str, Meta(max_length=200, examples=[_TOKEN])]
    password: Annotated[str, Meta(max_length=1024, examples=["eight-herons-dance-at-dusk"])]


class EmailProof(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What the mailed link carries after `#token=`."""

    token: Annotated[str, Meta(max_length=200, examples=[_TOKEN])]


class LinkAskedAnswer(msgspec.Struct, kw_only=True):
    """A link is mailed, and opens something for so long; the same for an address that nobody has."""

    link_lasts_seconds: Annotated[int, Meta(examples=[3600])]


class NewApiKey(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A key for a program, with no more scopes than it needs."""

    name: Annotated[str, Meta(max_length=480, examples=["Order export"])]
    scopes: Annotated[
        list[Annotated[str, Meta(max_length=64)]],
        Meta(min_length=1, max_length=32, examples=[["orders:read"]]),
    ]
    expires_at: Annotated[
        Annotated[datetime, Meta(tz=True)] | None,
        Meta(
            description="At most a year away; absent: until it is revoked.",
        ),
    ] = None


_ProvedAt = Annotated[
    datetime | None,
    Meta(description="When a link mailed to the address was followed; null: not yet."),
]


class AccountAnswer(msgspec.Struct, kw_only=True):
    """An account as its owner and admins see it."""

    id: Annotated[str, Meta(examples=["acc_01k9zc3v5m8q2r4t6w8y0abcde"])]
    email: Annotated[str, Meta(examples=["ada@example.com"])]
    display_name: Annotated[str, Meta(examples=["Ada Lovelace"])]
    is_admin: bool
    created_at: datetime
    email_proved_at: _ProvedAt

    @classmethod
    def of(cls, account: Account) -> "AccountAnswer":
        """As `account` stands."""
        return cls(**{name: getattr(account, name) for name in cls.__struct_fields__})


class AccountList(msgspec.Struct, kw_only=True):
    """Accounts, the newest first."""

    data: list[AccountAnswer]
    has_more: bool


class SignedInAnswer(msgspec.Struct, kw_only=True):
    """The session is in the cookie; `csrf_token` goes into X-CSRF-Token with everything that changes
    something."""

    account: AccountAnswer
    csrf_token: str
    expires_at: datetime


class MeAnswer(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Who the caller is, how they showed it, and what they may do."""

    id: Annotated[str, Meta(examples=["acc_01k9zc3v5m8q2r4t6w8y0abcde"])]
    email: Annotated[str, Meta(examples=["ada@example.com"])]
    display_name: Annotated[str, Meta(examples=["Ada Lovelace"])]
    is_admin: bool
    email_proved_at: _ProvedAt
    via: Annotated[str, Meta(examples=["session"])]
    scopes: list[str]
    csrf_token: Annotated[
        str | None, Meta(description="For a session only: what X-CSRF-Token must be.")
    ] = None


class ApiKeyAnswer(msgspec.Struct, kw_only=True):
    """A key without its token."""

    id: Annotated[str, Meta(examples=["key_01k9zc3v5m8q2r4t6w8y0abcde"])]
    name: Annotated[str, Meta(examples=["Order export"])]
    preview: Annotated[str, Meta(examples=["mk_test_x7Qa"])]
    scopes: Annotated[list[str], Meta(examples=[["orders:read"]])]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None

    @classmethod
    def of(cls, key: ApiKey) -> "ApiKeyAnswer":
        """As `key` stands."""
        return cls(**{name: getattr(key, name) for name in cls.__struct_fields__})


class IssuedApiKeyAnswer(msgspec.Struct, kw_only=True):
    """A new key. `token` is shown this once: store it now."""

    api_key: ApiKeyAnswer
    token: Annotated[str, Meta(examples=["mk_test_..."])]


class ApiKeyList(msgspec.Struct, kw_only=True):
    """The keys that were not revoked, newest first; at most fifty of them work at a time."""

    data: list[ApiKeyAnswer]
    has_more: bool


class SignedOutAnswer(msgspec.Struct, kw_only=True):
    """How many sessions were ended."""

    ended: int
