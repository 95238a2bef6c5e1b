"""Signatures of what we deliver to sellers' programs: Standard Webhooks (standardwebhooks.com). Pure.

The receiver computes HMAC-SHA256 over `{webhook-id}.{webhook-timestamp}.{body}` with the base64-decoded part
of its secret after `whsec_`, and looks for it in `webhook-signature`: a list, so that two secrets are good
while one is being rolled.
"""

import base64
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final

_PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = 32


def new_secret() -> str:
    """A signing secret of 256 random bits."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signed_headers(
    message_id: str, sent_at: datetime, body: bytes, signing_secrets: Sequence[str]
) -> dict[str, str]:
    """The three headers of one delivery. `message_id` is the same for every try of it."""
    seconds = str(int(sent_at.timestamp()))
    content = f"{message_id}.{seconds}.".encode() + body
    return {
        "webhook-id": message_id,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(_signature(content, one) for one in signing_secrets),
    }


def _signature(content: bytes, secret: str) -> str:
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, content, "sha256")).decode()
