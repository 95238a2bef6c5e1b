"""What admins write about a payment's fee, and the mark that somebody has looked at it.

The mark is about the figures as they stand: when they change afterwards, the fold takes it away again.
"""

from datetime import datetime
from typing import Any, Final

import msgspec

from marketplace.books.errors import FeeChanged, FeeReviewNotFound
from marketplace.books.fees import listing
from marketplace.books.fees.listing import ReviewedFee
from marketplace.oversight import audit
from marketplace.paging import Page, PageRequest
from payments.database import execute, row, rows, transaction
from payments.ids import new_id

_FIGURES: Final = (
    "captured, refunded, fee_taken, fee_returned, processing_cost, reviewed_at, updated_at"
)


class FeeNote(msgspec.Struct, frozen=True, kw_only=True):
    """What an admin wrote; never changed."""

    id: str
    payment_id: str
    author: str
    text: str
    written_at: datetime


class FoundAnomaly(msgspec.Struct, frozen=True, kw_only=True):
    """Something odd about a fee: since when, why, and until when (None: it still is)."""

    id: str
    payment_id: str
    code: str
    facts: dict[str, Any]
    found_at: datetime
    resolved_at: datetime | None


async def note(payment_id: str, *, text: str, author: str, now: datetime) -> FeeNote:
    """Write a note down. Raises FeeReviewNotFound."""
    written = FeeNote(
        id=new_id("fnt"), payment_id=payment_id, author=author, text=text, written_at=now
    )
    async with transaction():
        await _locked(payment_id)
        await execute(
            "INSERT INTO fee_notes (id, payment_id, author, text, written_at) "
            "VALUES ($1, $2, $3, $4, $5)",
            written.id,
            payment_id,
            author,
            text,
            now,
        )
        await audit.record(
            actor=author,
            action="fee.noted",
            subject=payment_id,
            after={"note_id": written.id},
            reason=text,
            now=now,
        )
    return written


async def notes(payment_id: str, page: PageRequest) -> Page[FeeNote]:
    """The newest first. Raises FeeReviewNotFound."""
    await listing.find(payment_id)
    found = await rows(
        "SELECT id, payment_id, author, text, written_at FROM fee_notes WHERE payment_id = $1 "
        "AND ($2::text IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
        payment_id,
        page.starting_after,
        page.fetched,
    )
    return Page.cut([FeeNote(**record) for record in found], page)


async def review(
    payment_id: str, *, actor: str, now: datetime, seen: datetime | None = None
) -> ReviewedFee:
    """Mark a fee, as it stands, as looked at; a second time changes who and when.

    `seen` is the `updated_at` of what the reviewer looked at. Raises FeeReviewNotFound, and FeeChanged when
    it was updated since.
    """
    async with transaction():
        before = await _locked(payment_id)
        updated_at = before.pop("updated_at")
        if seen is not None and seen != updated_at:
            raise FeeChanged(payment_id, updated_at)
        await execute(
            "UPDATE fee_reviews SET reviewed_at = $2, reviewed_by = $3 WHERE payment_id = $1",
            payment_id,
            now,
            actor,
        )
        await audit.record(
            actor=actor,
            action="fee.reviewed",
            subject=payment_id,
            before={"reviewed_at": before["reviewed_at"]},
            after={**before, "reviewed_at": now},
            now=now,
        )
        return await listing.find(payment_id)


async def take_back_review(
    payment_id: str, *, actor: str, reason: str, now: datetime
) -> ReviewedFee:
    """A fee is not reviewed after all; one that is not stays as it is. Raises FeeReviewNotFound."""
    async with transaction():
        before = await _locked(payment_id)
        if before["reviewed_at"] is not None:
            await execute(
                "UPDATE fee_reviews SET reviewed_at = NULL, reviewed_by = NULL WHERE payment_id = $1",
                payment_id,
            )
            await audit.record(
                actor=actor,
                action="fee.review_taken_back",
                subject=payment_id,
                before={"reviewed_at": before["reviewed_at"]},
                after={"reviewed_at": None},
                reason=reason,
                now=now,
            )
        return await listing.find(payment_id)


async def open_anomalies(
    code: str | None, payment_id: str | None, page: PageRequest
) -> Page[FoundAnomaly]:
    """What is odd now, the latest found first; of one code, of one payment, or all.

    A cursor that is no anomaly is an empty page.
    """
    found = await rows(
        f"SELECT {', '.join(FoundAnomaly.__struct_fields__)} FROM fee_anomalies "
        "WHERE resolved_at IS NULL AND ($1::text IS NULL OR code = $1) "
        "AND ($2::text IS NULL OR payment_id = $2) AND ($3::text IS NULL OR "
        "(found_at, id) < (SELECT c.found_at, c.id FROM fee_anomalies c WHERE c.id = $3)) "
        "ORDER BY found_at DESC, id DESC LIMIT $4",
        code,
        payment_id,
        page.starting_after,
        page.fetched,
    )
    told = [
        FoundAnomaly(**{**dict(record), "facts": msgspec.json.decode(record["facts"])})
        for record in found
    ]
    return Page.cut(told, page)


async def _locked(payment_id: str) -> dict[str, Any]:
    found = await row(
        f"SELECT {_FIGURES} FROM fee_reviews WHERE payment_id = $1 FOR UPDATE", payment_id
    )
    if found is None:
        raise FeeReviewNotFound(payment_id)
    return dict(found)
