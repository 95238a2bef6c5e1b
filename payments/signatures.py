"""Whether Stripe signed a delivery: HMAC-SHA256 over the raw body, before anything is parsed.

The scheme (docs.stripe.com/webhooks#verify-manually): `Stripe-Signature:
t=<unix>,v1=<hex>,v1=<hex>,...` where each `v1` is the HMAC of `<t>.<body>` under one live secret.
Other schemes (`v0`) are decoys. The SDK's verifier accepts times far in the future and fails on
non-ASCII signatures; this one does neither. Pure: the time is passed in.
"""

import hmac
from collections.abc import Sequence
from datetime import datetime

from payments.errors import SignatureRefused

TOLERANCE_SECONDS = 300
"""How far the signature's time may be from ours, in either direction."""
LONGEST_HEADER = 4096
_UNIX_DIGITS = 12


def verify(body: bytes, header: str | None, secrets: Sequence[str], now: datetime) -> None:
    """Return when one of `secrets` signed `body` within 300 s of `now`, or raise SignatureRefused.

    Several secrets are several live ones while an endpoint's secret is being rolled. An empty
    secret refuses everything: anybody could sign with it.
    """
    if not secrets or not all(secrets):
        raise SignatureRefused("no_secret")
    signed_at, signatures = _parts(header)
    apart = int(now.timestamp()) - int(signed_at)
    if apart > TOLERANCE_SECONDS:
        raise SignatureRefused("stale")
    if apart < -TOLERANCE_SECONDS:
        raise SignatureRefused("from_the_future")
    message = signed_at.encode() + b"." + body
    expected = [hmac.digest(secret.encode(), message, "sha256").hex() for secret in secrets]
    # Every pair is compared, so that the time taken does not tell which secret is live.
    matches = [hmac.compare_digest(ours, theirs) for ours in expected for theirs in signatures]
    if True not in matches:
        raise SignatureRefused("no_match")


def _parts(header: str | None) -> tuple[str, list[str]]:
    """The time as it was written, and every `v1` signature."""
    if not header:
        raise SignatureRefused("missing")
    if len(header) > LONGEST_HEADER or not header.isascii():
        raise SignatureRefused("malformed")
    named = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in named if name == "t"]
    signatures = [value for name, _, value in named if name == "v1"]
    if len(times) != 1 or not times[0].isdigit() or len(times[0]) > _UNIX_DIGITS:
        raise SignatureRefused("malformed")
    if not signatures:
        raise SignatureRefused("no_v1")
    return times[0], signatures
