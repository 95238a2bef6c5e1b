"""Disputes and fraud warnings as an order's history tells them."""

from marketplace.orders import steps
from marketplace.orders.order_states import Step
from marketplace.orders.records import OrderRecord
from marketplace.orders.steps import STRIPE
from payments.events import DisputeClosed, DisputeOpened, FraudWarned


async def note(order: OrderRecord, event: DisputeOpened | DisputeClosed | FraudWarned) -> None:
    """Write it into the history, in the open transaction; the status stays as it is.

    A dispute is opened twice when it was an inquiry first: then money was not taken, now it is.
    """
    step, reference = _step(event)
    opened = isinstance(event, DisputeOpened)
    if opened or await steps.latest(order.id, [step], reason=reference) is None:
        await steps.take(order, step, actor=STRIPE, now=event.occurred_at, reason=reference)


def _step(event: DisputeOpened | DisputeClosed | FraudWarned) -> tuple[Step, str]:
    match event:
        case DisputeOpened():
            return "disputed", event.dispute_id
        case DisputeClosed():
            return "dispute_closed", event.dispute_id
        case FraudWarned():
            return "fraud_warned", event.warning_id
