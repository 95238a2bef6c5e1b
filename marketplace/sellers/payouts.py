"""Payouts as sellers see them: what is told when one arrives or comes back, and reading them."""

from datetime import datetime

import msgspec

from connect.errors import PayoutNotFound
from connect.events import PayoutEvent, PayoutFailed, PayoutPaid
from connect.payout_failures import FailureAdvice, advice_on
from connect.payout_records import COLUMNS, PayoutRecord
from marketplace.messages import outbox
from marketplace.paging import Page, PageRequest
from payments.database import row, rows


class CarriedMovement(msgspec.Struct, frozen=True, kw_only=True):
    """One movement of the balance that a payout carried, in minor units; `order_id` where it is a sale's."""

    id: str
    kind: str
    source_id: str | None
    transfer_id: str | None
    order_id: str | None
    amount: int
    fee: int
    net: int
    currency: str
    created_at: datetime


async def react(event: PayoutEvent) -> None:
    """Tell the seller, their programs and, of a failure, the admins; in the open transaction."""
    match event:
        case PayoutPaid():
            await _tell_arrival(event)
        case PayoutFailed():
            await _tell_failure(event)


async def payouts(seller_id: str, page: PageRequest) -> Page[PayoutRecord]:
    """A seller's payouts, the newest first."""
    found = await rows(
        f"SELECT {COLUMNS} FROM payouts WHERE seller_id = $1 AND ($2::text IS NULL OR "
        "(created_at, id) < (SELECT created_at, id FROM payouts WHERE id = $2)) "
        f"ORDER BY created_at DESC, id DESC LIMIT {page.fetched}",
        seller_id,
        page.starting_after,
    )
    return Page.cut([PayoutRecord(**record) for record in found], page)


async def require(seller_id: str, payout_id: str) -> PayoutRecord:
    """One payout of this seller. Raises PayoutNotFound."""
    found = await row(
        f"SELECT {COLUMNS} FROM payouts WHERE id = $1 AND seller_id = $2", payout_id, seller_id
    )
    if found is None:
        raise PayoutNotFound(payout_id)
    return PayoutRecord(**found)


async def carried(payout_id: str, page: PageRequest) -> Page[CarriedMovement]:
    """What a payout carried, with the orders it is the money of, the newest first."""
    found = await rows(
        "SELECT i.id, i.kind, i.source_id, i.transfer_id, coalesce(p.order_id, m.order_id) AS order_id, "
        "i.amount, i.fee, i.net, i.currency, i.created_at FROM payout_items i "
        "LEFT JOIN payments p ON p.transfer_id = i.transfer_id "
        "LEFT JOIN transfer_movements m ON m.stripe_id = i.transfer_id AND m.kind = 'transfer' "
        "WHERE i.payout_id = $1 AND ($2::text IS NULL OR "
        "(i.created_at, i.id) < (SELECT created_at, id FROM payout_items WHERE id = $2)) "
        f"ORDER BY i.created_at DESC, i.id DESC LIMIT {page.fetched}",
        payout_id,
        page.starting_after,
    )
    return Page.cut([CarriedMovement(**record) for record in found], page)


def failure_of(payout: PayoutRecord) -> FailureAdvice | None:
    """Why the payout failed and what to do, in plain words; None for one that did not."""
    return advice_on(payout.failure_code) if payout.status == "failed" else None


async def _tell_arrival(event: PayoutPaid) -> None:
    cause = f"payout:{event.payout_id}:paid"
    await outbox.tell_seller(
        event.seller_id,
        kind="debit_made" if event.amount < 0 else "payout_paid",
        subject_id=event.payout_id,
        cause=cause,
        facts=_facts(event),
        now=event.occurred_at,
    )
    await _publish(event, "paid", None)


async def _tell_failure(event: PayoutFailed) -> None:
    cause = f"payout:{event.payout_id}:failed"
    advice = advice_on(event.failure_code)
    facts = _facts(event) | {
        "failure_code": event.failure_code,
        "explanation": advice.explanation,
        "what_to_do": advice.what_to_do,
        "account_closed": event.account_closed,
    }
    await outbox.tell_seller(
        event.seller_id,
        kind="debit_failed" if event.amount < 0 else "payout_failed",
        subject_id=event.payout_id,
        cause=cause,
        facts=facts,
        now=event.occurred_at,
    )
    await outbox.tell_admins(
        kind="seller_payout_failed",
        subject_id=event.payout_id,
        cause=f"{cause}:admin",
        facts=facts
        | {
            "amount": event.amount,
            "seller_id": event.seller_id,
            "account_id": event.account_id,
        },
        now=event.occurred_at,
    )
    await _publish(event, "failed", event.failure_code)


async def _publish(event: PayoutEvent, status: str, failure_code: str | None) -> None:
    await outbox.publish(
        event.seller_id,
        type="payout.failed" if status == "failed" else "payout.paid",
        subject_id=event.payout_id,
        cause=f"payout:{event.payout_id}:{status}",
        data={
            "id": event.payout_id,
            "amount": event.amount,
            "currency": event.currency,
            "status": status,
            "arrival_at": event.arrival_at,
            "failure_code": failure_code,
        },
        now=event.occurred_at,
    )


def _facts(event: PayoutEvent) -> dict[str, object]:
    return {
        "payout_id": event.payout_id,
        # Below zero it is a debit, whose texts say which way the money went.
        "amount": abs(event.amount),
        "currency": event.currency,
        "arrival_at": event.arrival_at,
    }
