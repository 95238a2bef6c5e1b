"""What is claimed of an order's money, as entries of the trail: disputes and debts. Pure."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import marketplace.orders.trail_words as words
from marketplace.orders.trail_entries import EVERYBODY, SELLER, Material, Part, Row, TrailEntry


def dispute_parts(material: Material) -> Iterator[Part]:
    """Disputes: opened, answered, decided."""
    for row in material.disputes:
        moments = [
            (
                row["opened_at"],
                "dispute.opened",
                "The buyer's bank inquires" if row["inquiry"] else "The buyer's bank disputes",
                0,
            ),
            (row["evidence_submitted_at"], "dispute.answered", "Evidence was submitted", 50),
            (row["closed_at"], "dispute.closed", _closed(row), 60),
        ]
        for at, event, summary, turn in moments:
            if at is not None:
                yield _dispute(row, material, at, event, summary, turn)


def _dispute(
    row: Row, material: Material, at: datetime, event: str, summary: str, turn: int
) -> Part:
    return Part(
        entry=TrailEntry(
            at=at,
            event=event,
            summary=summary,
            actor="stripe" if event != "dispute.answered" else None,
            amount=row["amount"],
            currency=row["currency"],
            ids={"dispute": row["id"]},
            stripe_ids={"dispute": row["stripe_dispute_id"]},
            facts={"reason": row["reason"]},
        ),
        chapter=words.DISPUTED,
        placed_at=material.learned(at, {"disputed"}) if event == "dispute.opened" else at,
        turn=turn,
        seen_by=SELLER if event == "dispute.answered" else EVERYBODY,
        private={
            "policy": row["policy"],
            "evidence_due_by": row["evidence_due_by"],
            "amount_withdrawn": row["amount_withdrawn"],
            "cost": row["cost"],
            **({} if event != "dispute.closed" else _outcome(row)),
        },
    )


def _closed(row: Row) -> str:
    if row["status"] == "warning_closed":
        return "The bank's inquiry ended without a dispute"
    return f"The dispute was decided: {row['status']}"


def _outcome(row: Row) -> dict[str, Any]:
    """What nobody knew before it was decided."""
    return {"status": row["status"], "amount_reinstated": row["amount_reinstated"]}


def debt_parts(material: Material) -> Iterator[Part]:
    """What the seller owes because their share could not be taken back."""
    for row in material.debts:
        for at, event, summary in (
            (row["created_at"], "debt.opened", "The seller owes the platform"),
            (row["closed_at"], "debt.closed", "The seller owes nothing of it any more"),
        ):
            if at is not None:
                yield Part(
                    entry=TrailEntry(
                        at=at,
                        event=event,
                        summary=summary,
                        amount=row["amount"],
                        currency=row["currency"],
                        ids={"debt": row["id"]},
                        facts={
                            "cause": row["cause"],
                            "amount_settled": row["amount_settled"],
                            "amount_written_off": row["amount_written_off"],
                        },
                    ),
                    chapter=words.OWED,
                    turn=0 if event == "debt.opened" else 50,
                    seen_by=SELLER,
                )
