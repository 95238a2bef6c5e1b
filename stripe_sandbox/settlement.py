"""What happens to the money once a charge is captured, and in which order it is told."""

from . import charges, transfers
from .errors import Json
from .world import World


def settle(
    world: World,
    intent: Json,
    charge: Json,
    told: tuple[str, ...],
    *,
    before: Json | None = None,
) -> None:
    """Book a captured charge and its destination's part; the PaymentIntent has succeeded.

    `told` are the charge's events (`charge.succeeded`, or those of a capture), `before` what they
    say was there before. They come after the PaymentIntent's, and before the transfer's and fee's.
    """
    charges.book_capture(world, charge)
    if intent["transfer_data"] is not None:
        transfers.transfer_charge(world, intent, charge)
    intent.update(
        {
            "amount_capturable": 0,
            "amount_received": charge["amount_captured"],
            "status": "succeeded",
        }
    )
    world.emit("payment_intent.succeeded", intent)
    for event in told:
        previous = before if event == "charge.updated" else None
        world.emit(event, charge, previous_attributes=previous)
    if charge.get("transfer"):
        world.emit("transfer.created", world.find("transfer", charge["transfer"]))
    if charge["application_fee"]:
        world.emit(
            "application_fee.created", world.find("application_fee", charge["application_fee"])
        )
