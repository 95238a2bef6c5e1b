"""Each kind of row as entries of the trail: what it tells, and to whom. Pure."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

import marketplace.orders.trail_words as words
from marketplace.orders.trail_claims import debt_parts, dispute_parts
from marketplace.orders.trail_entries import (
    EVERYBODY,
    SELLER,
    Audience,
    Material,
    Part,
    Row,
    TrailEntry,
)
from marketplace.orders.trail_money import (
    fee_return_parts,
    movement_parts,
    payout_parts,
    posting_parts,
    refund_parts,
)
from payments.declines import advice_on


def parts(material: Material, audience: Audience) -> Iterator[Part]:
    """Everything that happened, in no order yet."""
    yield from _steps(material)
    yield from _changes(material)
    yield from _payments(material)
    yield from _attempts(material)
    yield from _operations(material)
    yield from _events(material)
    yield from posting_parts(material, audience)
    yield from refund_parts(material)
    yield from movement_parts(material)
    yield from fee_return_parts(material)
    yield from dispute_parts(material)
    yield from debt_parts(material)
    yield from payout_parts(material)


def _steps(material: Material) -> Iterator[Part]:
    """The order's own history; within one second its steps keep the order in which they were taken."""
    second: datetime | None = None
    place = (words.PLACED, 0)
    for row in material.steps:
        chapter, summary = words.STEP_WORDS[row["step"]]
        at = row["occurred_at"].replace(microsecond=0)
        own = (chapter, 0 if row["step"] in words.BEGINNINGS else 70)
        place = max(place, own) if at == second else own
        second = at
        yield Part(
            entry=TrailEntry(
                at=row["occurred_at"],
                event=f"order.{row['step']}",
                summary=summary,
                actor=_role(row["actor"], material),
                facts={"status": row["to_status"], **_told_with(row["step"], material)},
            ),
            chapter=place[0],
            turn=place[1],
            position=row["position"],
            seen_by=_readers(row["step"]),
            private={
                "actor_id": row["actor"],
                "reason": row["reason"],
                "position": row["position"],
            },
        )


def _readers(step: str) -> frozenset[Audience]:
    readers = EVERYBODY
    if step in words.HIDDEN_FROM_BUYERS:
        readers = readers - {Audience.BUYER}
    if step in words.HIDDEN_FROM_SELLERS:
        readers = readers - {Audience.SELLER}
    return readers


def _told_with(step: str, material: Material) -> dict[str, Any]:
    """What a step is told with: prices when it was placed, the parcel when it was shipped."""
    if step == "placed" and not any(row["state"] == "applied" for row in material.changes):
        return {
            "lines": [_line(row) for row in material.lines],
            **_on_top(material.order["service_fee"]),
            "total": material.order["total"],
        }
    if step == "shipped":
        return {
            name: row[name] for row in material.shipments for name in ("carrier", "tracking_number")
        }
    return {}


def _on_top(service_fee: int) -> dict[str, int]:
    """What the buyer pays beside the lines, where the fee rules ask for it."""
    return {"service_fee": service_fee} if service_fee else {}


def _line(row: Row) -> dict[str, Any]:
    return {
        name: row[name] for name in ("listing_id", "title", "unit_amount", "quantity", "amount")
    }


def _changes(material: Material) -> Iterator[Part]:
    """Carts on their way to be the order: at what prices, and with which fee."""
    for row in material.changes:
        cart = msgspec.json.decode(row["cart"])
        yield Part(
            entry=TrailEntry(
                at=row["concluded_at"] or row["created_at"],
                event=f"cart.{row['state']}",
                summary=_CHANGED[row["state"]],
                actor=_role(row["asked_by"], material),
                amount=row["total"],
                currency=material.order["currency"],
                ids={"change": row["id"]},
                facts={
                    "version": row["version"],
                    "lines": [_line(each) for each in cart["lines"]],
                    **_on_top(cart["fee"].get("service_fee", 0)),
                },
            ),
            chapter=words.CHECKOUT,
            turn=50,
            seen_by=EVERYBODY if row["state"] == "applied" else SELLER - {Audience.SELLER},
            private={
                "application_fee": row["application_fee"],
                "fee": cart.get("fee"),
                "reason": row["reason"],
            },
        )


_CHANGED = {
    "asked": "Another cart was asked for",
    "applied": "The cart became this one",
    "refused": "Another cart was refused",
}


def _payments(material: Material) -> Iterator[Part]:
    """One for each generation: the money asked for, and the rule that made its fee."""
    changed = [row["concluded_at"] for row in material.changes if row["state"] == "applied"]
    for row in material.payments:
        yield Part(
            entry=TrailEntry(
                # It asks for what the last cart came to.
                at=max([row["created_at"], *changed]),
                event="payment.planned",
                summary="The payment was made ready, with the platform's fee",
                amount=row["amount"],
                currency=row["currency"],
                ids={"payment": row["id"]},
                stripe_ids={
                    "payment_intent": row["intent_id"],
                    "charge": row["charge_id"],
                    "transfer": row["transfer_id"],
                    "application_fee": row["application_fee_id"],
                    "account": row["destination"],
                },
                facts={
                    "application_fee": row["application_fee"],
                    **_on_top(material.order["service_fee"]),
                    "fee_rule_id": material.order["fee_rule_id"],
                    "fee_schedule_version": material.order["schedule_version"],
                },
            ),
            chapter=words.CHECKOUT,
            turn=60,
            seen_by=SELLER,
            private={
                "generation": row["generation"],
                "status": row["status"],
                "fee_working": msgspec.json.decode(material.order["fee_working"]),
                "fee_schedule_id": material.order["fee_schedule_id"],
                "capture_before": row["capture_before"],
            },
        )


def _attempts(material: Material) -> Iterator[Part]:
    for row in material.attempts:
        declined = row["outcome"] == "declined"
        facts = {"reason": row["reason"], "card_brand": row["card_brand"]}
        if declined and row["reason"]:
            facts["advice"] = advice_on(row["reason"]).text
        yield Part(
            entry=TrailEntry(
                at=row["occurred_at"],
                event=f"attempt.{row['outcome']}",
                summary="The bank declined" if declined else "The bank agreed",
                actor="buyer",
                ids={"attempt": row["id"]},
                stripe_ids={"charge": row["reference"]},
                facts=facts | {"card_last4": row["card_last4"]},
            ),
            chapter=words.CONFIRMED if declined else words.HELD,
            placed_at=material.learned(row["occurred_at"], words.BANK_AGREED),
            turn=20,
            seen_by=EVERYBODY - {Audience.SELLER},
            private={
                "stripe_code": row["stripe_code"],
                "decline_code": row["decline_code"],
                "advice_code": row["advice_code"],
                "request_id": row["request_id"],
            },
        )


def _operations(material: Material) -> Iterator[Part]:
    """What was asked of Stripe, under which key, and how it ended. For admins."""
    for row in material.operations:
        yield Part(
            entry=TrailEntry(
                at=row["created_at"],
                event=f"stripe.{row['kind']}",
                summary=f"Stripe was asked: {row['kind'].replace('_', ' ')}",
                actor="platform",
                ids={"operation": row["id"], "subject": row["subject"]},
                stripe_ids={"result": row["result_id"], "request": row["request_id"]},
                facts={
                    "idempotency_key": row["idempotency_key"],
                    "state": row["state"],
                    "attempts": row["attempts"],
                    "concluded_at": row["concluded_at"],
                    "error_code": row["error_code"],
                    "error_message": row["error_message"],
                },
            ),
            chapter=words.DISPUTED
            if material.is_disputes(row["subject"])
            else words.operation_chapter(row["kind"]),
            turn=10,
        )


def _events(material: Material) -> Iterator[Part]:
    """What Stripe's webhooks said. For admins."""
    for row in material.events:
        yield Part(
            entry=TrailEntry(
                at=row["received_at"],
                event=f"webhook.{row['type']}",
                summary=f"Stripe told: {row['type']}",
                actor="stripe",
                stripe_ids={
                    "event": row["event_id"],
                    "object": row["object_id"],
                    "account": row["account"],
                },
                facts={"door": row["door"], "state": row["state"], "note": row["note"]},
            ),
            chapter=words.event_chapter(row["type"]),
            turn=80,
        )


def _role(actor: str, material: Material) -> str:
    """Who somebody is in this order; people who are neither of its parties are admins."""
    known = {
        material.order["buyer_id"]: "buyer",
        material.order["owner_id"]: "seller",
        "stripe": "stripe",
        "platform": "platform",
    }
    return known.get(actor, "admin")
