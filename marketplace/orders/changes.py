"""Changing a cart until it is confirmed: the order follows Stripe, so that no other total is ever charged."""

from marketplace.orders import steps
from marketplace.orders.order_states import Step
from marketplace.orders.records import OrderRecord
from marketplace.orders.steps import STRIPE
from payments.events import AmendmentRefused, PaymentAmended


async def conclude(order: OrderRecord, event: PaymentAmended | AmendmentRefused) -> None:
    """Take in what Stripe said to the new amount, in the open transaction."""
    step: Step = "changed" if isinstance(event, PaymentAmended) else "change_refused"
    await steps.take(order, step, actor=STRIPE, now=event.occurred_at)
