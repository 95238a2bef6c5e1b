"""Who asked for the end of the payment that is alive: what was asked of an earlier one counts no more."""

from marketplace.orders import steps
from marketplace.orders.steps import StepRecord


async def asked_to_end(order_id: str) -> StepRecord | None:
    """The cancellation or expiry asked for since the last PaymentIntent was made, if any."""
    found = await steps.latest(order_id, ["checkout_begun", "cancellation_asked", "expiry_asked"])
    return None if found is None or found.step == "checkout_begun" else found
