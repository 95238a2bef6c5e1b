"""The `Stripe-Signature` header of a delivery."""

import hashlib
import hmac
from collections.abc import Sequence


def signature_header(body: bytes, secrets: Sequence[str], timestamp: int) -> str:
    """`t=<unix>,v1=<hex>,...,v0=<hex>`: `v1` is the HMAC-SHA256 of `t.body` keyed by each literal
    `whsec_` secret; `v0` means nothing and is sent with test events, as Stripe does, so that
    nobody accepts a scheme they do not know.
    """
    signed = str(timestamp).encode() + b"." + body
    digests = [hmac.new(s.encode(), signed, hashlib.sha256).hexdigest() for s in secrets]
    decoy = hashlib.sha256(signed).hexdigest()
    return ",".join([f"t={timestamp}", *(f"v1={digest}" for digest in digests), f"v0={decoy}"])
