"""What follows a payment by itself, for the test cards made for that."""

from .charges import instrument_of
from .disputes import open_dispute
from .errors import Json
from .fraud_warnings import warn
from .world import World


def follow(world: World, charge: Json) -> None:
    """Dispute a captured charge, or warn of it, if its test card wants so."""
    match instrument_of(world, charge).aftermath:
        case "dispute":
            open_dispute(world, charge)
        case "dispute_not_received":
            open_dispute(world, charge, reason="product_not_received")
        case "inquiry":
            open_dispute(world, charge, inquiry=True)
        case "fraud_warning":
            warn(world, charge)
