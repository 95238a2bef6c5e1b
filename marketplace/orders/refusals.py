"""Stripe's definite no to what an order asked for, whoever heard it: a person's request or the sweep.

In the transaction that concludes the request. When the account that should be paid is the reason, it is
read again before anybody else is asked to pay.
"""

import contextlib
from datetime import datetime

from connect.errors import AccountNotFound
from connect.records import nudge
from marketplace.orders import freezing, prepared, steps
from marketplace.orders.records import OrderRecord
from marketplace.orders.steps import STRIPE
from payments.database import value
from payments.events import CaptureRefused, ConfirmationRefused


async def take_in(order: OrderRecord, event: CaptureRefused | ConfirmationRefused) -> None:
    """Tell of a capture that will not be; let the cart of a refused confirmation change again."""
    if event.seller_cannot_receive:
        await _doubt(event.payment_id)
    if isinstance(event, ConfirmationRefused):
        if order.status == "checkout":
            await freezing.thaw(order, actor=STRIPE, now=event.occurred_at, reason="refused")
        return
    asked = await steps.latest(order.id, ["preparation_asked"])
    actor = STRIPE if asked is None else asked.actor
    await note_preparation(order, event.code, actor=actor, now=event.occurred_at)


async def note_preparation(order: OrderRecord, reason: str, *, actor: str, now: datetime) -> None:
    """Nothing was captured: told once for each reason, however often the seller tries.

    Under the order's lock; nothing for an order that went on meanwhile.
    """
    if order.status != "authorized":
        return
    await prepared.forget(order.id)
    last = await steps.latest(order.id, ["preparation_asked", "preparation_refused"])
    if last is None or (last.step, last.reason) != ("preparation_refused", reason):
        await steps.take(order, "preparation_refused", actor=actor, now=now, reason=reason)


async def _doubt(payment_id: str) -> None:
    """Stripe knows better than our snapshot of the seller's account."""
    destination = await value("SELECT destination FROM payments WHERE id = $1", payment_id)
    with contextlib.suppress(AccountNotFound):
        await nudge(destination)
