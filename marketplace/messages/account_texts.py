"""What people read about their own account: the links that open it, and what was done with it. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from marketplace.messages.kinds import Kind
from marketplace.messages.templates import Text

RESET: Final = "/password-reset"
PROOF: Final = "/email-proof"

_ONLY_HERE: Final = "The link is in the e-mail only: we do not keep it."

PERSON: Final[Mapping[Kind, Text]] = MappingProxyType(
    {
        "email_proof_asked": Text(
            "Is this your e-mail address?",
            (
                "Somebody, you we hope, has made an account with the address {email}.",
                "Follow the link to tell us that it is yours. It works until {expires_at}.",
                "If you made no account, do nothing.",
            ),
            _ONLY_HERE,
            PROOF,
            secret=True,
        ),
        "password_reset_asked": Text(
            "Choose a new password",
            (
                "Somebody, you we hope, wants to choose a new password for your account.",
                "The link works once, until {expires_at}.",
                "If it was not you, do nothing: your password stays as it is.",
            ),
            _ONLY_HERE,
            RESET,
            secret=True,
        ),
        "password_changed": Text(
            "Your password was changed",
            (
                "Your account has a new password since {changed_at}.",
                "Every other sign-in of yours has ended.",
                "API keys of yours that go on working: {api_keys}.",
            ),
            "If it was not you, choose a new password at once, and revoke the API keys you do not know.",
            RESET,
        ),
    }
)
