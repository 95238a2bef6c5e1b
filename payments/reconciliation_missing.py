"""Payments whose PaymentIntent Stripe was found not to know: asked for once more, and told."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from payments.database import rows
from payments.reconciliation_chain import Slice, Verdict
from payments.reconciliation_findings import intent_missing
from payments.reconciliation_healing import Healing
from payments.reconciliation_touched import Touch
from payments.records import COLUMNS, PaymentRecord


async def missing(healing: Healing, since: datetime, after: str | None, limit: int) -> Slice:
    """The next of those found missing at `since` or later: healed where Stripe knows them now."""
    begins = Touch(since, "") if after is None else msgspec.json.decode(after, type=Touch)
    found = await _since(begins, limit)
    for one in found:
        await healing.payment(one.id)
    left = await _left([one.id for one in found])
    verdicts = [
        Verdict(intent_missing(one), "case" if one.id in left else "healed") for one in found
    ]
    return Slice(read=len(found), verdicts=verdicts, after=_after(found))


async def _since(begins: Touch, limit: int) -> list[PaymentRecord]:
    return [
        PaymentRecord(**record)
        for record in await rows(
            f"SELECT {COLUMNS} FROM payments WHERE (missing_since, id) > ($1, $2) "
            "ORDER BY missing_since, id LIMIT $3",
            begins.at,
            begins.payment_id,
            limit,
        )
    ]


async def _left(payment_ids: Sequence[str]) -> set[str]:
    found = await rows(
        "SELECT id FROM payments WHERE id = ANY($1::text[]) AND missing_since IS NOT NULL",
        list(payment_ids),
    )
    return {record["id"] for record in found}


def _after(found: Sequence[PaymentRecord]) -> str | None:
    last = found[-1] if found else None
    if last is None or last.missing_since is None:
        return None
    return msgspec.json.encode(Touch(last.missing_since, last.id)).decode()
