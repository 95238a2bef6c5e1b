"""The `Stripe-Signature` header of a delivery."""

import hashlib
import hmac
from collections.abc import Sequence


def signature_header(body: bytes, secrets: Sequence[str], timestamp: int) -> str:
    """`t=<unix>,v1=<hex>,...`: HMAC-SHA256 of `t.body` keyed by each literal `whsec_` secret."""
    signed = str(timestamp).encode() + b"." + body
    digests = [hmac.new(s.encode(), signed, hashlib.sha256).hexdigest() for s in secrets]
    return ",".join([f"t={timestamp}", *(f"v1={digest}" for digest in digests)])
