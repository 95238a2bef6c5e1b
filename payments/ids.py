"""Typed ids: a prefix that says what it is, then 26 characters that sort by time."""

import secrets
import time
from datetime import datetime
from typing import NewType

OrderId = NewType("OrderId", str)
SellerId = NewType("SellerId", str)
PaymentId = NewType("PaymentId", str)
RefundId = NewType("RefundId", str)
OperationId = NewType("OperationId", str)

IntentId = NewType("IntentId", str)
"""Stripe's PaymentIntent id, `pi_...`."""
ConnectedAccountId = NewType("ConnectedAccountId", str)
"""Stripe's account id, `acct_...`."""
IdempotencyKey = NewType("IdempotencyKey", str)
"""A sentence that names one request to Stripe, for instance `order:ord_...:g1:pi:create`."""

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_RANDOM_BITS = 80


def new_id(prefix: str) -> str:
    """Mint an id such as `ord_01k...`: 48 bits of milliseconds, then 80 random bits (the shape of a ULID).

    Ids made later sort later, to the millisecond; they are never the only defence of an object.
    """
    number = (time.time_ns() // 1_000_000) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
    characters = [_CROCKFORD[(number >> shift) & 31] for shift in range(125, -1, -5)]
    return f"{prefix}_{''.join(characters)}"


def id_floor(moment: datetime) -> str:
    """The characters that follow the prefix of every id minted at `moment` or later: `'ord_' || floor`."""
    milliseconds = int(moment.timestamp() * 1000) if moment.timestamp() > 0 else 0
    number = milliseconds << _RANDOM_BITS
    return "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(125, 75, -5))
