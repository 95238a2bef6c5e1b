"""The inbox: a verified event is stored once, answered 200, and worked on afterwards.

An event is a nudge. Its payload is never believed: it names an object, the object is read at Stripe, and
what was read is absorbed. So repeated, reordered and late events end in the same state, and lost ones are
made good by the sweep over payments. Nothing is acknowledged and dropped: an event about an object we do
not know yet waits and is tried again for three days, as long as Stripe itself would retry.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec
import structlog

from payments.database import execute, row, rows, transaction
from payments.errors import PaymentError, PaymentNotFound
from payments.events import Clock
from payments.ids import IntentId
from payments.lifecycle import Payments

Door = Literal["platform", "accounts", "connect"]
LEASE = timedelta(seconds=60)
"""A claimed event that is not concluded by then (its process died) is due again."""
GIVE_UP_AFTER = timedelta(hours=72)
FIRST_RETRY_SECONDS = 5
LAST_RETRY_SECONDS = 3600

_log = structlog.get_logger("payments.inbox")


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One stored event: what it nudges us to look at."""

    event_id: str
    account: str | None
    door: str
    type: str
    object_id: str | None
    livemode: bool
    payload: str
    attempts: int
    received_at: datetime
    # When a person had it worked on again.
    replayed_at: datetime | None = None

    @property
    def tried_since(self) -> datetime:
        """From when on its time to succeed counts."""
        return self.replayed_at or self.received_at


class EventsGivenUp(msgspec.Struct, frozen=True, kw_only=True):
    """A fact: events that could not be worked on for three days; `note` is what went wrong the last time."""

    event_ids: tuple[str, ...]
    type: str
    note: str
    occurred_at: datetime


AnnounceGivenUp = Callable[[EventsGivenUp], Awaitable[None]]
"""Takes the fact in, inside the transaction that made it true."""

Handler = Callable[[Sequence[Notice]], Awaitable[None]]
"""Works on due notices about one object; raises when it could not."""

_COLUMNS = ", ".join(Notice.__struct_fields__)


class Inbox:
    """Works on stored events, one read of Stripe for all due events about one object."""

    def __init__(
        self,
        payments: Payments,
        *,
        live: bool,
        clock: Clock,
        announce: AnnounceGivenUp | None = None,
    ) -> None:
        self._payments = payments
        self._live = live
        self._clock = clock
        self._announce = announce or _tell_nobody
        self._families: list[tuple[str, Handler]] = []

    def register(self, type_prefix: str, handler: Handler) -> None:
        """Say who works on events whose type starts with `type_prefix` and that are not a payment's."""
        self._families.append((type_prefix, handler))

    def has_use_for(self, door: str, type: str) -> bool:
        """Whether anybody here works on such events; others are stored, and ignored."""
        if any(type.startswith(prefix) for prefix, _ in self._families):
            return True
        return door == "platform" and type.startswith(_PAYMENT_FAMILIES)

    async def process_due(self, now: datetime, limit: int = 100) -> int:
        """Claim and work on due events; answers how many were claimed.

        Events about the same object are worked on together. A failing one is put off with growing pauses
        and never holds up the others.
        """
        notices = await self._claim(now, limit)
        groups: dict[tuple[str, str | None], list[Notice]] = {}
        for notice in notices:
            groups.setdefault(self._object(notice), []).append(notice)
        for group in groups.values():
            await self._work(group)
        return len(notices)

    async def _claim(self, now: datetime, limit: int) -> list[Notice]:
        claimed = await rows(
            "UPDATE stripe_events SET attempts = attempts + 1, due_at = $2 WHERE event_id IN ("
            "  SELECT event_id FROM stripe_events WHERE due_at <= $1 "
            f"  ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED) RETURNING {_COLUMNS}",
            now,
            now + LEASE,
            limit,
        )
        return [Notice(**record) for record in claimed]

    async def _work(self, group: Sequence[Notice]) -> None:
        if group[0].livemode != self._live:
            # Live Connect endpoints are sent test events too; test events never move live money.
            await self._conclude(group, "ignored", "the other mode (live or test)")
            return
        try:
            handled = await self._handle(group)
        except PaymentNotFound:
            await self._put_off(group, "waiting", "no such payment yet")
        except PaymentError as error:
            await self._put_off(group, "due", f"{type(error).__name__}: {error}")
        except Exception as error:  # noqa: BLE001 - one poisoned event must not stop the others
            _log.exception("event could not be worked on", type=group[0].type)
            await self._put_off(group, "due", type(error).__name__)
        else:
            await self._conclude(group, "done" if handled else "ignored", None)

    async def _handle(self, group: Sequence[Notice]) -> bool:
        """Work on the group; False when nobody here has use for such events."""
        first = group[0]
        family = self._family(first)
        if family is not None:
            await family[1](group)
            return True
        pointer = _payment_pointer(first) if first.door == "platform" else None
        if pointer is None:
            return False
        order_id, intent_id = await _locate(pointer)
        await self._payments.refresh_intent(order_id, intent_id)
        return True

    def _family(self, notice: Notice) -> tuple[str, Handler] | None:
        """Who works on such events instead of payments: the longest prefix that fits."""
        fitting = [family for family in self._families if notice.type.startswith(family[0])]
        return max(fitting, key=lambda family: len(family[0]), default=None)

    def _object(self, notice: Notice) -> tuple[str, str | None]:
        """What groups notices: the payment they lead to, else the object they name."""
        family = self._family(notice)
        if family is not None:
            return family[0], f"{notice.account or ''}:{notice.object_id}"
        pointer = _payment_pointer(notice) if notice.door == "platform" else None
        if pointer is not None:
            return "payment", pointer.intent_id or pointer.charge_id or pointer.fee_id
        return notice.type, notice.object_id

    async def _conclude(self, group: Sequence[Notice], state: str, note: str | None) -> None:
        await execute(
            "UPDATE stripe_events SET state = $2, note = $3, due_at = NULL, concluded_at = $4 "
            "WHERE event_id = ANY($1)",
            [notice.event_id for notice in group],
            state,
            note,
            self._clock(),
        )

    async def _put_off(self, group: Sequence[Notice], state: str, note: str) -> None:
        now = self._clock()
        late = [n for n in group if now - n.tried_since >= GIVE_UP_AFTER]
        if late:
            await self._give_up(late, note, now)
        open_ids = [n.event_id for n in group if n not in late]
        pause = min(
            FIRST_RETRY_SECONDS * 2 ** min(max(n.attempts for n in group) - 1, 12),
            LAST_RETRY_SECONDS,
        )
        await execute(
            "UPDATE stripe_events SET state = $2, note = $3, due_at = $4 WHERE event_id = ANY($1)",
            open_ids,
            state,
            note,
            now + timedelta(seconds=pause),
        )

    async def _give_up(self, late: Sequence[Notice], note: str, now: datetime) -> None:
        ids = tuple(notice.event_id for notice in late)
        _log.error("events given up", events=list(ids), note=note, alarm=True)
        async with transaction():
            await self._conclude(late, "dead", note)
            await self._announce(
                EventsGivenUp(event_ids=ids, type=late[0].type, note=note, occurred_at=now)
            )


async def replay(event_ids: Sequence[str], now: datetime) -> int:
    """Make events due again, whatever became of them, with their full time; answers how many there are."""
    return await execute(
        "UPDATE stripe_events SET state = 'due', due_at = $2, concluded_at = NULL, attempts = 0, "
        "replayed_at = $2 WHERE event_id = ANY($1)",
        list(event_ids),
        now,
    )


async def _tell_nobody(_: EventsGivenUp) -> None:
    """For a program in which nobody listens."""


class _Pointer(msgspec.Struct, frozen=True, kw_only=True):
    """How an event's object leads to a payment of ours."""

    intent_id: str | None = None
    charge_id: str | None = None
    fee_id: str | None = None
    order_id: str | None = None
    payment_id: str | None = None


class _Object(msgspec.Struct):
    """The few fields of an event's object that lead to a payment; its state is not among them."""

    id: str = ""
    object: str = ""
    payment_intent: str | None = None
    charge: str | None = None
    fee: str | None = None
    source_transaction: str | None = None
    originating_transaction: str | None = None
    metadata: dict[str, str] | None = None


class _Data(msgspec.Struct):
    object: _Object


class _Payload(msgspec.Struct):
    data: _Data


_PAYMENT_FAMILIES = ("payment_intent.", "charge.", "refund.", "transfer.", "application_fee.")


def _payment_pointer(notice: Notice) -> _Pointer | None:
    """Where to look; None when the event is not about a payment, or not about one this program made."""
    if not notice.type.startswith(_PAYMENT_FAMILIES):
        return None
    try:
        found = msgspec.json.decode(notice.payload, type=_Payload).data.object
    except msgspec.MsgspecError:
        return None
    metadata = found.metadata or {}
    if found.object in ("payment_intent", "charge") and "payment_id" not in metadata:
        return None  # another program's money on the same Stripe account
    pointer = _Pointer(
        intent_id=found.id if found.object == "payment_intent" else found.payment_intent,
        charge_id=_charge_of(found),
        fee_id=found.fee,
        order_id=metadata.get("order_id"),
        payment_id=metadata.get("payment_id"),
    )
    return pointer if pointer.intent_id or pointer.charge_id or pointer.fee_id else None


def _charge_of(found: _Object) -> str | None:
    """The platform's charge behind an object; a fee's own `charge` is the seller's side of it."""
    match found.object:
        case "charge":
            return found.id
        case "application_fee":
            return found.originating_transaction
        case "transfer":
            return found.source_transaction
        case _:
            return found.charge


async def _locate(pointer: _Pointer) -> tuple[str, IntentId]:
    """The order and PaymentIntent meant. Raises PaymentNotFound while we do not know it."""
    found = await row(
        "SELECT order_id, intent_id FROM payments WHERE intent_id = $1 OR charge_id = $2 "
        "OR application_fee_id = $3 OR (id = $4 AND order_id = $5 AND intent_id IS NULL) LIMIT 1",
        pointer.intent_id,
        pointer.charge_id,
        pointer.fee_id,
        pointer.payment_id,
        pointer.order_id,
    )
    intent_id = (found["intent_id"] if found else None) or pointer.intent_id
    if found is None or intent_id is None:
        raise PaymentNotFound(pointer.intent_id or pointer.charge_id or "")
    return found["order_id"], IntentId(intent_id)
