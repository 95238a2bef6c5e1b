"""Who asked for the end of the payment that is alive: what was asked of an earlier one counts no more."""

from marketplace.orders import steps
from marketplace.orders.steps import PLATFORM, StepRecord


async def asked_to_end(order_id: str) -> StepRecord | None:
    """The cancellation or expiry asked for since the last PaymentIntent was made, if any."""
    found = await steps.latest(order_id, ["checkout_begun", "cancellation_asked", "expiry_asked"])
    return None if found is None or found.step == "checkout_begun" else found


async def canceled_by_somebody(order_id: str) -> StepRecord | None:
    """The cancellation that a person asked for and that still counts: nobody began to pay after it.

    What the platform asks for, because it must not wait, is off when the buyer was faster.
    """
    found = await steps.latest(
        order_id, ["checkout_begun", "confirmation_begun", "cancellation_asked"]
    )
    stands = found is not None and found.step == "cancellation_asked" and found.actor != PLATFORM
    return found if stands else None
