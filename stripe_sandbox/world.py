"""The sandbox's memory: objects, the clock, and the events they cause.

Objects are plain dictionaries shaped as Stripe answers them. A key that starts with an underscore
is the sandbox's own: it never leaves, neither in an answer nor in an event.
"""

import secrets
import string
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from .errors import Json, missing_resource
from .previous import differences

API_VERSION = "2026-10-28.endive"
ALPHABET = string.ascii_letters + string.digits


@dataclass(slots=True)
class Cause:
    """The request an event was caused by."""

    request_id: str
    idempotency_key: str | None


@dataclass(slots=True)
class Stored:
    """One object, and the connected account it belongs to (None: the platform)."""

    body: Json
    account: str | None


@dataclass(slots=True)
class Emission:
    """An event on its way out. `scope` is `platform`, `accounts` (thin) or `connect`."""

    scope: str
    event_id: str
    body: Json


@dataclass(slots=True)
class World:
    """Everything this Stripe knows. Handlers are synchronous, so each of them is atomic.

    `on_event` is told of every emission, in order, and answers how many destinations it goes to.
    `moment` is the time it is while something happens that was due: a clock moved by ten days
    passes each of them.
    """

    on_event: Callable[[Emission], int] = lambda _emission: 0
    cause: Cause | None = None
    clock_offset_seconds: int = 0
    moment: int | None = None
    _objects: dict[str, dict[str, Stored]] = field(default_factory=dict)
    _owned: dict[tuple[str, str | None], dict[str, Stored]] = field(default_factory=dict)

    # ------------------------------------------------------------------------------ the clock

    def now(self) -> int:
        """Unix seconds by the virtual clock: real time plus what was advanced."""
        return int(self.instant()) if self.moment is None else self.moment

    def instant(self) -> float:
        """The virtual clock with its fractions."""
        return time.time() + self.clock_offset_seconds

    def timestamp(self, seconds: int | None = None) -> str:
        """RFC 3339, as v2 writes times."""
        moment = datetime.fromtimestamp(self.now() if seconds is None else seconds, UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")

    def advance(self, seconds: int) -> int:
        """Move the clock forward and let everything that time ends (holds, links) end."""
        self.clock_offset_seconds += seconds
        self.tick()
        return self.now()

    def tick(self) -> None:
        """Let everything whose time has come happen now."""
        for listener in CLOCK_LISTENERS:
            listener(self)

    # ---------------------------------------------------------------------------- the objects

    def mint(self, prefix: str, length: int = 24) -> str:
        """A new identifier that looks like Stripe's: `mint("pi")` is `pi_3Qx...`."""
        return f"{prefix}_{self.token(length)}"

    def token(self, length: int = 24) -> str:
        """Random letters and digits, for client secrets and link tokens."""
        return "".join(ALPHABET[byte % len(ALPHABET)] for byte in secrets.token_bytes(length))

    def put(self, obj: Json, *, account: str | None = None) -> Json:
        """Keep an object under its kind (`object`) and `id`; the same dictionary is kept.

        `account` is the connected account it belongs to. An object already kept keeps its owner.
        """
        stored = self._objects.get(obj["object"], {}).get(obj["id"])
        if stored is not None:
            stored.body = obj
        else:
            self._keep(Stored(obj, account))
        return obj

    def _keep(self, stored: Stored) -> None:
        kind, id = stored.body["object"], stored.body["id"]
        self._objects.setdefault(kind, {})[id] = stored
        self._owned.setdefault((kind, stored.account), {})[id] = stored

    def find(
        self,
        kind: str,
        id: str,
        *,
        account: str | None = None,
        param: str = "id",
        status: int = 404,
    ) -> Json:
        """The object, or `resource_missing`; one of another account is missing too."""
        stored = self._objects.get(kind, {}).get(id)
        if stored is None or stored.account != account:
            raise missing_resource(kind, id, param=param, status=status)
        return stored.body

    def find_any(self, kind: str, id: str) -> Json:
        """The object whoever it belongs to, or `resource_missing`."""
        found = self.peek(kind, id)
        if found is None:
            raise missing_resource(kind, id)
        return found

    def peek(self, kind: str, id: str) -> Json | None:
        """The object whoever it belongs to, or None."""
        stored = self._objects.get(kind, {}).get(id)
        return None if stored is None else stored.body

    def all(self, kind: str, *, account: str | None = None) -> list[Json]:
        """Every object of a kind that belongs to the platform (or the account), newest first."""
        kept = self._owned.get((kind, account), {})
        return [stored.body for stored in reversed(kept.values())]

    def owners(self, kind: str) -> set[str | None]:
        """Who owns objects of a kind: None is the platform."""
        return {account for (each, account) in self._owned if each == kind}

    def owner(self, kind: str, id: str) -> str | None:
        """The connected account an object belongs to; None is the platform. KeyError: unknown."""
        return self._objects[kind][id].account

    def account(self, id: str, *, param: str = "account", status: int = 400) -> Json:
        """The connected account (v2 shape, every field filled), or `resource_missing`.

        Its readiness: `["configuration"]["recipient"]["capabilities"]["stripe_balance"]
        ["stripe_transfers"]["status"]`, and `["closed"]`.
        """
        stored = self._objects.get("v2.core.account", {}).get(id)
        if stored is None:
            raise missing_resource("account", id, param=param, status=status)
        return stored.body

    def stored(self) -> list[Stored]:
        """Every object with its owner, oldest first within its kind."""
        return [stored for kind in self._objects.values() for stored in kind.values()]

    def restore(self, stored: list[Stored], clock_offset_seconds: int) -> None:
        """Know these objects, in this order, and nothing else."""
        self._objects, self._owned = {}, {}
        for each in stored:
            self._keep(each)
        self.clock_offset_seconds = clock_offset_seconds

    def reset(self) -> None:
        """Forget everything and set the clock right."""
        self._objects.clear()
        self._owned.clear()
        self.clock_offset_seconds = 0

    # ----------------------------------------------------------------------------- the events

    def emit(
        self,
        type: str,
        obj: Json,
        *,
        account: str | None = None,
        previous_attributes: Json | None = None,
    ) -> Json:
        """Record a snapshot event of the object as it is now and hand it to the deliveries.

        `account` is the connected account the event is about: it then goes to the connect
        destination and carries `account`. Of `previous_attributes` only what differs is told.
        """
        data: Json = {"object": public(obj)}
        if previous_attributes is not None:
            before = public(previous_attributes)
            data["previous_attributes"] = differences(before, data["object"])
        event: Json = {
            "id": self.mint("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": self.now(),
            "data": data,
            "livemode": False,
            "pending_webhooks": 0,
            "request": {
                "id": self.cause.request_id if self.cause else None,
                "idempotency_key": self.cause.idempotency_key if self.cause else None,
            },
            "type": type,
        }
        if account is not None:
            event["account"] = account
        self.put(event, account=account)
        scope = "platform" if account is None else "connect"
        event["pending_webhooks"] = self.on_event(Emission(scope, event["id"], event))
        return event

    def emit_thin(
        self,
        type: str,
        related_object_id: str | None,
        *,
        data: Json | None = None,
        context: str | None = None,
    ) -> Json:
        """Record a v2 event about an account; delivered is its notification, without data.

        A few events (`v2.core.account_link.returned`) name no related object: who they are about
        is in the data, which has to be fetched.
        """
        reason: Json | None = None
        if self.cause is not None:
            reason = {
                "type": "request",
                "request": {
                    "id": self.cause.request_id,
                    "idempotency_key": self.cause.idempotency_key or "",
                },
            }
        event: Json = {
            "id": self.mint("evt_test"),
            "object": "v2.core.event",
            "type": type,
            "livemode": False,
            "created": self.timestamp(),
            "context": context,
            "reason": reason,
        }
        if related_object_id is not None:
            event["related_object"] = {
                "id": related_object_id,
                "type": "v2.core.account",
                "url": f"/v2/core/accounts/{related_object_id}",
            }
        self.put({**event, "data": data or {}})
        self.on_event(Emission("accounts", event["id"], event))
        return event

    def emission(self, event_id: str) -> Emission:
        """A recorded event as it is delivered, or `resource_missing`."""
        snapshot = self.peek("event", event_id)
        if snapshot is not None:
            scope = "connect" if "account" in snapshot else "platform"
            return Emission(scope, event_id, snapshot)
        thin = self.find("v2.core.event", event_id)
        notification = {name: value for name, value in thin.items() if name != "data"}
        return Emission("accounts", event_id, notification)


CLOCK_LISTENERS: list[Callable[[World], None]] = []


def on_clock(listener: Callable[[World], None]) -> Callable[[World], None]:
    """Have a function called as time passes: when the clock is moved, and before every request."""
    CLOCK_LISTENERS.append(listener)
    return listener


def public(value: Any) -> Any:
    """A deep copy without the sandbox's own keys (those that start with an underscore)."""
    if isinstance(value, dict):
        return {k: public(v) for k, v in value.items() if not k.startswith("_")}
    if isinstance(value, list):
        return [public(item) for item in value]
    return value


def for_browser(value: Any) -> Any:
    """A copy without what Stripe never tells a publishable key: fingerprints of cards, by which a
    buyer could be recognised anywhere.
    """
    if isinstance(value, dict):
        return {k: for_browser(v) for k, v in value.items() if k != "fingerprint"}
    if isinstance(value, list):
        return [for_browser(item) for item in value]
    return value
