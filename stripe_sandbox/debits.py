"""Paying by bank debit: `processing` now, and days later the money or the bank's no."""

from . import charges, schedule
from .attempts import end_without_payment
from .bank_debits import BankDebit
from .charge_shapes import approved
from .errors import DOCUMENTATION, Json
from .payment_methods import instrument_behind
from .settlement import settle
from .world import World, public

DECIDED_AFTER_SECONDS = 4 * 86_400


def begin(world: World, intent: Json, method: Json) -> None:
    """Send the debit to the bank."""
    charge = charges.submit(world, intent, method)
    intent.update(
        {"last_payment_error": None, "latest_charge": charge["id"], "status": "processing"}
    )
    schedule.at(world, world.now() + DECIDED_AFTER_SECONDS, "debit_decided", intent["id"])
    world.emit("payment_intent.processing", intent)
    world.emit("charge.pending", charge)


@schedule.action("debit_decided")
def _conclude(world: World, id: str) -> None:
    intent = world.find("payment_intent", id)
    charge = world.find("charge", intent["latest_charge"])
    method = world.find("payment_method", charge["payment_method"])
    debit = instrument_behind(method)
    if isinstance(debit, BankDebit) and debit.failure is not None:
        _fail(world, intent, charge, method, *debit.failure)
        return
    charge.update({"outcome": approved(), "paid": True, "status": "succeeded"})
    settle(world, intent, charge, ("charge.succeeded",))


def _fail(world: World, intent: Json, charge: Json, method: Json, code: str, message: str) -> None:
    charge.update(
        {
            "amount_captured": 0,
            "captured": False,
            "failure_code": code,
            "failure_message": message,
            "status": "failed",
        }
    )
    error = {
        "charge": charge["id"],
        "code": code,
        "doc_url": f"{DOCUMENTATION}/{code.replace('_', '-')}",
        "message": message,
        "payment_method": public(method),
        "type": "invalid_request_error",
    }
    end_without_payment(intent, error)
    world.emit("payment_intent.payment_failed", intent)
    world.emit("charge.failed", charge)
