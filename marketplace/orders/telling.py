"""Telling people of an order's steps, in the transaction that takes them.

Who hears of what is said by one table, `marketplace.messages.order_news`; here are the facts. They are read
from rows, so what a step is about (a shipment, a refund, a dispute) is written before the step is taken.
"""

from datetime import datetime
from typing import Any, Final

from marketplace.messages import outbox
from marketplace.messages.kinds import Kind
from marketplace.messages.order_news import INQUIRY, SILENT, News, news_of
from marketplace.messages.outbox import Told
from marketplace.orders.hold_stages import moments
from marketplace.orders.records import OrderRecord
from payments.database import row

_FACTS = """
SELECT o.status, o.currency, o.total, o.session_at, s.display_name AS shop, b.display_name AS buyer,
       (SELECT string_agg(l.count || ' x ' || l.title, ', ' ORDER BY l.position) FROM (
            SELECT title, position, CASE WHEN p.amount_captured > 0
                THEN coalesce(quantity_prepared, quantity) ELSE quantity END AS count
            FROM order_lines WHERE order_id = o.id) AS l WHERE l.count > 0) AS items,
       p.amount_captured AS captured_amount, p.amount_refunded AS refunded_amount,
       CASE WHEN p.amount_captured > 0 THEN p.fee_captured ELSE p.application_fee END AS fee_amount,
       p.capture_before, nullif(p.amount - p.amount_captured, 0) AS released_amount,
       (SELECT occurred_at FROM order_steps WHERE order_id = o.id
            AND step IN ('authorized', 'authorized_late') ORDER BY position DESC LIMIT 1) AS held_at,
       sh.carrier, sh.tracking_number,
       r.id AS refund_id, d.id AS dispute_id, f.stripe_warning_id AS warning_id,
       coalesce(r.amount, d.amount) AS amount, r.failure_reason,
       d.reason AS dispute_reason, d.status AS dispute_status, d.inquiry, d.evidence_due_by,
       f.fraud_type
FROM orders o
JOIN sellers s ON s.id = o.seller_id
JOIN accounts b ON b.id = o.buyer_id
LEFT JOIN payments p ON p.order_id = o.id AND p.generation = o.generation
LEFT JOIN shipments sh ON sh.order_id = o.id
LEFT JOIN refunds r ON r.id = $2 AND r.order_id = o.id
LEFT JOIN disputes d ON d.id = $2 AND d.order_id = o.id
LEFT JOIN fraud_warnings f ON f.stripe_warning_id = $2 AND f.order_id = o.id
WHERE o.id = $1
"""
_ABOUT: Final = ("refund_id", "dispute_id", "warning_id")
"""Facts that say what the step's reason is: an id then, not a reason to be read."""
_FOR_PEOPLE: Final = frozenset({"shop", "buyer", "items", "released_amount"})
_EVENTS_WITH_REASON: Final = frozenset({"order.held", "order.canceled"})
"""In the other steps' reasons is what has a name of its own, or what only people can read."""
_TOLD_LAST: Final = """
SELECT step, reason FROM order_steps WHERE order_id = $1 AND id <> $2 AND step <> ALL($3)
ORDER BY position DESC LIMIT 1
"""


async def tell_step(
    order: OrderRecord,
    step: str,
    *,
    step_id: str,
    from_status: str,
    reason: str | None,
    now: datetime,
) -> None:
    """Write what people and programs are told of a step that was just taken. Raises NoTransaction."""
    news = news_of(step, from_status)
    if news.silent:
        return
    if news.once:
        last = await row(_TOLD_LAST, order.id, step_id, list(SILENT))
        if last is not None and (last["step"], last["reason"]) == (step, reason):
            return
    facts = await _facts(order.id, reason)
    cause = f"step:{step_id}"
    await outbox.tell_all(await _messages(order, news, cause, facts), now)
    if news.event is not None:
        about = [facts[name] for name in _ABOUT if name in facts]
        hidden = _FOR_PEOPLE if news.event in _EVENTS_WITH_REASON else _FOR_PEOPLE | {"reason"}
        await outbox.publish(
            order.seller_id,
            type=news.event,
            subject_id=about[0] if about else order.id,
            cause=cause,
            data={name: fact for name, fact in facts.items() if name not in hidden},
            now=now,
        )


async def _messages(
    order: OrderRecord, news: News, cause: str, facts: dict[str, Any]
) -> list[Told]:
    readers: list[tuple[str, Kind | None]] = [
        (order.buyer_id, news.buyer),
        (order.owner_id, news.seller),
    ]
    if news.admins is not None:
        readers += [(admin, news.admins) for admin in await outbox.admins()]
    instead = INQUIRY if facts.get("inquiry") else {}
    return [
        Told(
            account_id=reader,
            kind=instead.get(kind, kind),
            subject_id=order.id,
            cause=cause,
            facts=facts,
        )
        for reader, kind in readers
        if kind is not None
    ]


async def _facts(order_id: str, reason: str | None) -> dict[str, Any]:
    """What is known about the order and, when `reason` is its id, about what the step is about."""
    found = await row(_FACTS, order_id, reason)
    assert found is not None, f"{order_id} is not an order"
    facts = _current({name: fact for name, fact in found.items() if fact is not None})
    if reason is not None and not any(name in facts for name in _ABOUT):
        facts["reason"] = reason
    return {"order_id": order_id, **facts}


def _current(facts: dict[str, Any]) -> dict[str, Any]:
    """Without what is over: a hold's ends are told while it is held, what it frees once it is taken."""
    held_at = facts.pop("held_at", None)
    if facts["status"] != "authorized":
        facts.pop("capture_before", None)
    elif held_at is not None and "capture_before" in facts:
        facts["prepare_by"] = moments(held_at, facts["capture_before"])[-1]
    if facts.get("captured_amount", 0) == 0:
        facts.pop("released_amount", None)
    return facts
