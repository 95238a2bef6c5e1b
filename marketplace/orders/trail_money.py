"""Where the money went, as entries of the trail: postings, refunds, transfers and payouts. Pure."""

from collections.abc import Iterator
from datetime import datetime

import marketplace.orders.trail_words as words
from marketplace.books.words import words_for
from marketplace.orders.trail_entries import (
    EVERYBODY,
    SAME_MOMENT,
    SELLER,
    Audience,
    Material,
    Part,
    Row,
    TrailEntry,
)


def posting_parts(material: Material, audience: Audience) -> Iterator[Part]:
    """What was written into the books; sellers see what moved on their own accounts, signed."""
    transfers: dict[str, dict[str, str]] = {
        row["id"]: {"transfer": row["transfer_id"]} for row in material.payments
    }
    because = {row["id"]: row["cause"] for row in material.movements}
    own = f"seller:{material.order['seller_id']}"
    for row in material.postings:
        sides = (row["source"], row["target"])
        mine = any(f"{side}:".startswith(f"{own}:") for side in sides)
        # Between two of the seller's accounts, the one they are paid out from counts.
        counts = own if own in sides else row["source"]
        outgoing = mine and row["source"] == counts and f"{counts}:".startswith(f"{own}:")
        cause = because.get(row["cause"].partition(":")[0])
        signed = -row["amount"] if outgoing and audience is Audience.SELLER else row["amount"]
        yield Part(
            entry=TrailEntry(
                at=row["occurred_at"],
                event=f"books.{row['kind']}",
                summary=_posted(row["kind"], cause, audience),
                amount=signed,
                currency=row["currency"],
                ids={"posting": row["id"], "payment": row["payment_id"]},
                stripe_ids=transfers[row["payment_id"]] if row["kind"] == "capture" else {},
            ),
            chapter=words.DISPUTED
            if material.is_disputes(row["cause"].partition(":")[0])
            else words.posting_chapter(row["kind"]),
            placed_at=_placed_at(row),
            turn=40 + words.posting_turn(row["kind"]),
            seen_by=_readers_of(row["kind"], mine),
            stripe_ids_seen_by=SELLER,
            private={
                "source": row["source"],
                "target": row["target"],
                "cause": row["cause"],
                "recorded_at": row["recorded_at"],
            },
        )


def _placed_at(row: Row) -> datetime:
    """Learned at once, it stands among what we did then; learned late, where it happened."""
    known_at: datetime = row["recorded_at"]
    happened_at: datetime = row["occurred_at"]
    return known_at if known_at - happened_at <= SAME_MOMENT else happened_at


def _posted(kind: str, because: str | None, audience: Audience) -> str:
    if kind == "capture" and audience is Audience.BUYER:
        return "You paid"
    return words_for(kind, because)


def _readers_of(kind: str, mine: bool) -> frozenset[Audience]:
    if kind == "capture":
        return EVERYBODY
    return SELLER if mine else SELLER - {Audience.SELLER}


def refund_parts(material: Material) -> Iterator[Part]:
    """Refunds twice: as they were asked for, and as they ended."""
    for row in material.refunds:
        yield _refund(
            row,
            material,
            at=row["created_at"],
            event="refund.asked",
            summary="A refund was asked for"
            if row["requested_by"]
            else "A refund was made at Stripe",
            turn=5,
        )
        if row["status"] != "planned":
            yield _refund(
                row,
                material,
                at=row["updated_at"],
                event=f"refund.{row['status']}",
                summary=_REFUNDED.get(row["status"], "The refund moved on"),
                turn=50,
            )


_REFUNDED = {
    "pending": "The refund is on its way",
    "requires_action": "The refund waits for the buyer",
    "succeeded": "The refund was sent to the buyer's bank",
    "failed": "The refund did not reach the buyer",
    "canceled": "The refund was canceled",
    "refused": "Stripe refused the refund",
}


def _refund(
    row: Row, material: Material, *, at: datetime, event: str, summary: str, turn: int
) -> Part:
    ended = event != "refund.asked"
    return Part(
        entry=TrailEntry(
            at=at,
            event=event,
            summary=summary,
            actor=_asked_by(row["requested_by"], material),
            amount=row["amount"],
            currency=row["currency"],
            ids={"refund": row["id"]},
            stripe_ids={"refund": row["stripe_refund_id"]},
            facts={
                "reason": row["reason"],
                "failure_reason": row["failure_reason"] if ended else None,
            },
        ),
        chapter=words.GIVEN_BACK,
        placed_at=material.learned(at, words.GIVING_BACK) if row["requested_by"] is None else at,
        turn=turn,
        seen_by=EVERYBODY,
        private={
            "status": row["status"] if ended else None,
            "requested_by": row["requested_by"],
            "reverse_transfer": row["reverse_transfer"],
            "return_fee": row["return_fee"],
            "transfer_amount": row["transfer_amount"],
            "fee_amount": row["fee_amount"],
        },
    )


def _asked_by(account_id: str | None, material: Material) -> str:
    known = {None: "stripe", material.order["buyer_id"]: "buyer", "platform": "platform"}
    known[material.order["owner_id"]] = "seller"
    return known.get(account_id, "admin")


def movement_parts(material: Material) -> Iterator[Part]:
    """Transfers taken back on their own, and sent again."""
    for row in material.movements:
        back = row["kind"] == "reversal"
        yield Part(
            entry=TrailEntry(
                at=row["updated_at"],
                event=f"transfer.{'reversed' if back else 'sent'}",
                summary=_ended(
                    "Taken back from the transfer" if back else "Transferred to the seller again",
                    row["status"],
                ),
                amount=row["amount"],
                currency=row["currency"],
                ids={"movement": row["id"]},
                stripe_ids={"transfer_reversal" if back else "transfer": row["stripe_id"]},
                facts={"cause": row["cause"], "status": row["status"]},
            ),
            chapter=words.DISPUTED if row["cause"].startswith("dispute") else words.GIVEN_BACK,
            turn=60,
            seen_by=SELLER,
            stripe_ids_seen_by=SELLER,
            private={"failure_code": row["failure_code"]},
        )


def fee_return_parts(material: Material) -> Iterator[Part]:
    """Parts of the application fee that were given back by a number of ours."""
    for row in material.fee_returns:
        yield Part(
            entry=TrailEntry(
                at=row["updated_at"],
                event="fee.returned",
                summary=_ended("A part of the application fee was given back", row["status"]),
                amount=row["amount"],
                currency=row["currency"],
                ids={"fee_return": row["id"]},
                stripe_ids={"fee_refund": row["stripe_id"]},
                facts={"cause": row["cause"], "status": row["status"]},
            ),
            chapter=words.GIVEN_BACK,
            turn=60,
            seen_by=SELLER,
            private={"failure_code": row["failure_code"]},
        )


def _ended(what: str, status: str) -> str:
    return what if status == "succeeded" else f"{what}: {status}"


def payout_parts(material: Material) -> Iterator[Part]:
    """The payouts that carried this order's money to the seller's bank, or carried it again."""
    for row in material.payouts:
        yield _payout(row, row["created_at"], "payout.made", "The money left for the bank", 0)
        if row["status"] in _PAID_OUT:
            yield _payout(
                row, row["updated_at"], f"payout.{row['status']}", _PAID_OUT[row["status"]], 50
            )


_PAID_OUT = {
    "paid": "The seller's bank has the money",
    "failed": "The seller's bank sent the money back",
    "canceled": "The payout was canceled",
}


def _payout(row: Row, at: datetime, event: str, summary: str, turn: int) -> Part:
    return Part(
        entry=TrailEntry(
            at=at,
            event=event,
            summary=summary,
            actor="stripe",
            amount=row["carried"],
            currency=row["currency"],
            stripe_ids={"payout": row["id"]},
            facts={
                "payout_amount": row["amount"],
                "arrival_at": row["arrival_at"],
                "failure_code": row["failure_code"] if event != "payout.made" else None,
            },
        ),
        chapter=words.PAID_OUT,
        turn=turn,
        seen_by=SELLER,
        stripe_ids_seen_by=SELLER,
        private={"account": row["account_id"], "automatic": row["automatic"]},
    )
