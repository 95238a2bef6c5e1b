"""Idempotency keys as Stripe keeps them.

v1: the first answer of a request that began executing is kept, success or failure, 500 included,
for 24 hours, and given again with `Idempotent-Replayed: true`. What was refused before executing
(validation, 401, 429, a conflict) is not kept. v2: only success is kept, for 30 days; a repeat of
a failed request executes again. Both: other parameters under a used key are refused, and a key
whose first request still runs answers 409. Source: docs.stripe.com/api/idempotent_requests.
"""

import hashlib
from dataclasses import dataclass, field

import msgspec

from .errors import Json, StripeError

KEPT_SECONDS_V1 = 24 * 3600
KEPT_SECONDS_V2 = 30 * 24 * 3600
LONGEST_KEY = 255


@dataclass(slots=True, frozen=True)
class Slot:
    """Where a key is kept: connected account, API generation and the key itself."""

    account: str | None
    v2: bool
    key: str


@dataclass(slots=True)
class Kept:
    """A first answer, and the fingerprint of the request it answered."""

    fingerprint: str
    status: int
    body: bytes
    request_id: str
    created: int


@dataclass(slots=True)
class IdempotencyKeys:
    """First answers by key, and the keys whose first request is running now."""

    kept: dict[Slot, Kept] = field(default_factory=dict)
    running: dict[Slot, str] = field(default_factory=dict)

    def begin(self, slot: Slot, fingerprint: str, now: int) -> Kept | None:
        """The answer to give again, or None after marking the key as running.

        Raises 400 `idempotency_error` for other parameters, 409 while the first request runs.
        """
        if len(slot.key) > LONGEST_KEY:
            raise StripeError(
                400,
                f"The idempotency key can have up to {LONGEST_KEY} characters.",
                type="idempotency_error",
                executed=False,
            )
        kept = self.kept.get(slot)
        if kept is not None and now - kept.created >= _kept_seconds(slot):
            del self.kept[slot]
            kept = None
        first = kept.fingerprint if kept else self.running.get(slot)
        if first is not None and first != fingerprint:
            raise _mismatch(slot.key, first, fingerprint)
        if kept is None and slot in self.running:
            raise in_use(slot.key)
        if kept is None:
            self.running[slot] = fingerprint
        return kept

    def conclude(
        self, slot: Slot, *, status: int, body: bytes, request_id: str, executed: bool, now: int
    ) -> None:
        """Keep the first answer if Stripe would; the key no longer runs."""
        fingerprint = self.running.pop(slot, None)
        keeps = status < 400 if slot.v2 else executed
        if fingerprint is not None and keeps:
            self.kept[slot] = Kept(fingerprint, status, body, request_id, now)

    def reset(self) -> None:
        """Forget every key that is not running."""
        self.kept.clear()


def fingerprint_of(method: str, path: str, params: Json) -> str:
    """What must be equal for two requests to be the same: the path, a space, and a digest."""
    encoded = msgspec.json.encode([method, path, params], order="deterministic")
    return f"{path} {hashlib.sha256(encoded).hexdigest()}"


def _kept_seconds(slot: Slot) -> int:
    return KEPT_SECONDS_V2 if slot.v2 else KEPT_SECONDS_V1


def _mismatch(key: str, first: str, now: str) -> StripeError:
    path, first_path = now.rpartition(" ")[0], first.rpartition(" ")[0]
    if path != first_path:
        only = f"for the same endpoint they were first used for ('{path}' vs '{first_path}')"
    else:
        only = "with the same parameters they were first used with"
    return StripeError(
        400,
        f"Keys for idempotent requests can only be used {only}. Try using a key other than "
        f"'{key}' if you meant to execute a different request.",
        type="idempotency_error",
        executed=False,
    )


def in_use(key: str) -> StripeError:
    """The 409 of a key whose first request has not been answered yet."""
    return StripeError(
        409,
        "There is currently another in-progress request using this Idempotent Key (that probably "
        f"means you submitted twice, and the other request is still going through): {key}.",
        type="idempotency_error",
        code="idempotency_key_in_use",
        executed=False,
    )
