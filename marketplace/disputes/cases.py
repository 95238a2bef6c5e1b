"""The use cases of a dispute: see it, build and edit the evidence, submit it once, or give up.

A seller sees the disputes of their own orders and writes their evidence; an admin may do the same for
every order. The bank listens until `evidence_due_by`: people are reminded before.
"""

from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from marketplace.disputes.evidence import EvidenceFacts, Happened, Said, build, merged
from marketplace.messages import outbox
from marketplace.orders import records, steps
from marketplace.orders.fulfilment import is_session
from marketplace.orders.records import Actor, OrderRecord
from marketplace.oversight import audit
from marketplace.paging import Page, PageRequest
from marketplace.sellers.cancellation_windows import decoded
from payments.database import execute, row, rows, transaction
from payments.dispute_evidence import check_evidence
from payments.dispute_records import ANSWERABLE, COLUMNS, DisputeRecord
from payments.disputes import Disputes
from payments.errors import DisputeNotFound, DisputeStepRefused

PLATFORM_ONLY: Final = frozenset({"customer_email_address"})
"""What the platform tells the bank and nobody else."""
REMINDERS: Final = (("24h", timedelta(hours=24)), ("72h", timedelta(hours=72)))
"""How long before the deadline the seller is reminded, the nearest first."""


class DisputeFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which disputes to list; None means any."""

    seller_id: str | None = None
    owner_id: str | None = None
    open: bool | None = None


class EvidencePack(msgspec.Struct, frozen=True, kw_only=True):
    """What will be, or was, said to the bank: `built` by us, `edited` by people, `fields` together."""

    dispute: DisputeRecord
    built: dict[str, str]
    edited: dict[str, str]
    fields: dict[str, str]


class DisputeCases:
    """What sellers and admins do about disputes."""

    def __init__(self, disputes: Disputes) -> None:
        self._disputes = disputes

    async def find(self, dispute_id: str, actor: Actor) -> DisputeRecord:
        """The dispute, for its seller or an admin. Raises DisputeNotFound, for strangers and buyers too."""
        return (await self._seen(dispute_id, actor))[0]

    async def list(self, wanted: DisputeFilter, page: PageRequest) -> Page[DisputeRecord]:
        """Disputes that fit, the newest first."""
        columns = ", ".join(f"d.{name}" for name in COLUMNS.split(", "))
        found = await rows(
            f"SELECT {columns} FROM disputes d JOIN sellers s ON s.id = d.seller_id "
            "WHERE ($1::text IS NULL OR d.seller_id = $1) AND ($2::text IS NULL OR s.account_id = $2) "
            "AND ($3::bool IS NULL OR (d.closed_at IS NULL) = $3) "
            "AND ($4::text IS NULL OR d.id < $4) ORDER BY d.id DESC LIMIT $5",
            wanted.seller_id,
            wanted.owner_id,
            wanted.open,
            page.starting_after,
            page.fetched,
        )
        return Page.cut([DisputeRecord(**record) for record in found], page)

    async def evidence(self, dispute_id: str, actor: Actor) -> EvidencePack:
        """The pack as it stands, built anew from the order with people's words over it.

        Raises DisputeNotFound.
        """
        dispute, order = await self._seen(dispute_id, actor)
        return _for(actor, await self._pack(dispute, order))

    async def edit(
        self, dispute_id: str, actor: Actor, fields: dict[str, str], now: datetime
    ) -> EvidencePack:
        """Replace people's words of the evidence; an empty text takes a built field out.

        Raises DisputeNotFound, EvidenceRefused, DisputeStepRefused when the bank listens no more.
        """
        check_evidence({**fields, "uncategorized_text": fields.get("uncategorized_text") or "-"})
        dispute, order = await self._seen(dispute_id, actor)
        _require_answerable(dispute, now)
        async with transaction():
            await execute(
                "INSERT INTO dispute_evidence (dispute_id, fields, updated_by, updated_at) "
                "VALUES ($1, $2, $3, $4) ON CONFLICT (dispute_id) DO UPDATE "
                "SET fields = excluded.fields, updated_by = excluded.updated_by, "
                "updated_at = excluded.updated_at",
                dispute.id,
                msgspec.json.encode(fields).decode(),
                actor.account_id,
                now,
            )
        return _for(actor, await self._pack(dispute, order))

    async def submit(self, dispute_id: str, actor: Actor, now: datetime) -> EvidencePack:
        """Send the pack to the bank: once, and for good.

        Raises DisputeNotFound, DisputeStepRefused, EvidenceRefused, StripeRejected; after NotSent and
        OutcomeUnknown it stands and is carried out later.
        """
        dispute, order = await self._seen(dispute_id, actor)
        _require_answerable(dispute, now)
        pack = await self._pack(dispute, order)
        async with transaction():
            operation_id = await self._disputes.plan_submission(dispute.id, pack.fields, now)
            await execute(
                "INSERT INTO dispute_evidence (dispute_id, fields, updated_by, updated_at, submitted_at) "
                "VALUES ($1, $2, $3, $4, $4) ON CONFLICT (dispute_id) DO UPDATE "
                "SET submitted_at = excluded.submitted_at",
                dispute.id,
                msgspec.json.encode(pack.edited).decode(),
                actor.account_id,
                now,
            )
            await self._note("dispute.evidence_submitted", dispute, actor, now)
        await self._disputes.carry_out(operation_id)
        return _for(actor, await self._pack(await self._disputes.require(dispute.id), order))

    async def accept(self, dispute_id: str, actor: Actor, now: datetime) -> DisputeRecord:
        """Give the dispute up: it is lost at once. Raises as `submit` does."""
        dispute, _ = await self._seen(dispute_id, actor)
        async with transaction():
            operation_id = await self._disputes.plan_acceptance(dispute.id, now)
            await self._note("dispute.accepted", dispute, actor, now)
        await self._disputes.carry_out(operation_id)
        return await self._disputes.require(dispute.id)

    async def remind_due(self, now: datetime, limit: int = 100) -> int:
        """The sweep over deadlines: tells each seller once at 72 h and once at 24 h.

        Answers how many were reminded; a reminder that was given is not given again.
        """
        (near, hours), (far, days) = REMINDERS
        found = await rows(_NEAR, now, now + hours, now + days, list(ANSWERABLE), near, far, limit)
        for record in found:
            await _remind(DisputeRecord(**record), now)
        return len(found)

    async def _seen(self, dispute_id: str, actor: Actor) -> tuple[DisputeRecord, OrderRecord]:
        dispute = await self._disputes.require(dispute_id)
        order = await records.require(dispute.order_id, Actor(actor.account_id, is_admin=True))
        if not (actor.is_admin or actor.sells(order)):
            raise DisputeNotFound(dispute_id)
        return dispute, order

    async def _note(self, action: str, dispute: DisputeRecord, actor: Actor, now: datetime) -> None:
        await audit.record(
            actor=actor.account_id,
            action=action,
            subject=dispute.id,
            before={"status": dispute.status},
            after=None,
            now=now,
        )

    async def _pack(self, dispute: DisputeRecord, order: OrderRecord) -> EvidencePack:
        built = build(await _facts(order))
        kept = await row("SELECT fields FROM dispute_evidence WHERE dispute_id = $1", dispute.id)
        edited = msgspec.json.decode(kept["fields"], type=dict[str, str]) if kept else {}
        return EvidencePack(
            dispute=dispute, built=built, edited=edited, fields=merged(built, edited)
        )


def _for(actor: Actor, pack: EvidencePack) -> EvidencePack:
    """The pack as this person may see it: the bank is told the buyer's address, the seller is not."""
    if actor.is_admin:
        return pack
    return msgspec.structs.replace(pack, built=_without(pack.built), fields=_without(pack.fields))


def _without(fields: dict[str, str]) -> dict[str, str]:
    return {field: text for field, text in fields.items() if field not in PLATFORM_ONLY}


def _require_answerable(dispute: DisputeRecord, now: datetime) -> None:
    if dispute.status not in ANSWERABLE:
        raise DisputeStepRefused("submit_evidence", status=dispute.status)
    if dispute.evidence_due_by is not None and dispute.evidence_due_by <= now:
        raise DisputeStepRefused("submit_evidence", status="overdue")


_NEAR = f"""
SELECT {COLUMNS} FROM disputes d
WHERE closed_at IS NULL AND evidence_due_by > $1 AND evidence_due_by <= $3 AND status = ANY($4::text[])
AND NOT EXISTS (
    SELECT 1 FROM messages m WHERE m.subject_id = d.id
    AND m.cause = d.id || CASE WHEN d.inquiry THEN ':answer_due:' ELSE ':due:' END
        || CASE WHEN d.evidence_due_by <= $2 THEN $5 ELSE $6 END)
ORDER BY evidence_due_by LIMIT $7
"""


async def _remind(dispute: DisputeRecord, now: datetime) -> None:
    assert dispute.evidence_due_by is not None
    left = dispute.evidence_due_by - now
    word = next(word for word, before in REMINDERS if left <= before)
    async with transaction():
        await outbox.tell_seller(
            dispute.seller_id,
            kind="inquiry_answer_due" if dispute.inquiry else "dispute_evidence_due",
            subject_id=dispute.id,
            # An inquiry that becomes a dispute has another deadline, and other words.
            cause=f"{dispute.id}:{'answer_due' if dispute.inquiry else 'due'}:{word}",
            facts={
                "order_id": dispute.order_id,
                "amount": dispute.amount,
                "currency": dispute.currency,
                "evidence_due_by": dispute.evidence_due_by,
            },
            now=now,
        )


_PEOPLE = """
SELECT b.display_name AS buyer_name, b.email AS buyer_email, s.display_name AS seller_name,
       h.carrier, h.tracking_number, h.shipped_at,
       coalesce(p.amount_captured, 0) AS captured, coalesce(p.amount_refunded, 0) AS refunded
FROM orders o JOIN accounts b ON b.id = o.buyer_id JOIN sellers s ON s.id = o.seller_id
LEFT JOIN payments p ON p.order_id = o.id AND p.live
LEFT JOIN shipments h ON h.order_id = o.id WHERE o.id = $1
"""


async def _facts(order: OrderRecord) -> EvidenceFacts:
    """What is known of the order, in four queries."""
    people = await row(_PEOPLE, order.id)
    assert people is not None
    known: dict[str, Any] = dict(people)
    said = await rows(
        "SELECT author_id, body, written_at FROM order_messages WHERE order_id = $1 ORDER BY id",
        order.id,
    )
    history = await steps.history(order.id)
    return EvidenceFacts(
        order_id=order.id,
        total=order.total,
        service_fee=order.service_fee,
        currency=order.currency,
        placed_at=order.created_at,
        lines=(await records.lines_of([order.id]))[order.id],
        history=[Happened(one.step, one.occurred_at) for one in history],
        conversation=[
            Said(
                "buyer" if one["author_id"] == order.buyer_id else "seller",
                one["body"],
                one["written_at"],
            )
            for one in said
        ],
        shipping_address=_address(order.shipping),
        session_at=order.session_at,
        cancellation_terms=_terms(order),
        **known,
    )


def _terms(order: OrderRecord) -> str | None:
    """What the buyer of a session agreed to when they ordered it."""
    if not is_session(order):
        return None
    told = [
        f"canceled at least {window.hours_before} hours before the start: "
        f"{_percent(window.refund_basis_points)} refunded"
        for window in decoded(order.cancellation_windows)
    ]
    return "; ".join([*told, "after the start: nothing refunded"])


def _percent(basis_points: int) -> str:
    whole, rest = divmod(basis_points, 100)
    return f"{whole}.{rest:02} %" if rest else f"{whole} %"


def _address(shipping: str | None) -> str | None:
    """The address as one text, from the order's JSON."""
    if shipping is None:
        return None
    given = msgspec.json.decode(shipping, type=dict[str, Any])
    address = given.get("address")
    parts = [given.get("name"), *(address.values() if isinstance(address, dict) else ())]
    return ", ".join(str(part) for part in parts if part) or None
