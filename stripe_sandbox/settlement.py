"""What happens to the money once a charge is captured, and in which order it is told."""

from . import aftermath, charges, transfers
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

    `told` are the charge's events (`charge.succeeded`, or those of a capture), `before` the charge
    as it was. They come after the PaymentIntent's, and before the transfer's and fee's.
    """
    charges.book_capture(world, charge)
    skipped = _transfer(world, intent, charge)
    intent.update(
        {
            "amount_capturable": 0,
            "amount_received": charge["amount_captured"],
            "status": "succeeded",
        }
    )
    world.emit("payment_intent.succeeded", intent)
    for event in told:
        previous = _changed(before or {}, charge) if event == "charge.updated" else None
        world.emit(event, charge, previous_attributes=previous)
    if skipped is not None:
        world.emit("charge.updated", charge, previous_attributes={"transfer_data": skipped})
    if charge.get("transfer"):
        world.emit("transfer.created", world.find("transfer", charge["transfer"]))
    if charge["application_fee"]:
        world.emit(
            "application_fee.created", world.find("application_fee", charge["application_fee"])
        )
    aftermath.follow(world, charge)


def _changed(before: Json, charge: Json) -> Json:
    return {name: before.get(name) for name, now in charge.items() if before.get(name) != now}


def _transfer(world: World, intent: Json, charge: Json) -> Json | None:
    """Move the destination's part; answers the transfer data of a transfer that was skipped.

    Stripe skips it without an error when the seller lost the capability after confirmation, as
    can happen while a bank debit is processing: the money stays with the platform.
    """
    data = intent["transfer_data"]
    if data is None:
        return None
    if transfers.can_receive(world, data["destination"]):
        transfers.transfer_charge(world, intent, charge)
        return None
    skipped: Json = charge["transfer_data"]
    charge.update({"application_fee_amount": None, "transfer_data": None})
    return skipped
