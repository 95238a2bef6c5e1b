"""What becomes of a refund after it was made: it succeeds, fails, is canceled, or gets its money.

The money of a refund that fails or is canceled returns to the platform. A transfer that was
reversed for it stays reversed.
"""

from . import balances, schedule
from .balances import HOLDINGS, PLATFORM
from .charges import instrument_of
from .errors import Json, refused
from .world import World, on_clock

SETTLED_AFTER_SECONDS = 3_600
"""When a refund of the "pending" and "fails" test cards gets its final status."""

FAILURES = (
    "charge_for_pending_refund_disputed",
    "declined",
    "expired_or_canceled_card",
    "insufficient_funds",
    "lost_or_stolen_card",
    "unknown",
)


def begin(world: World, charge: Json, refund: Json, *, brought_back: int) -> None:
    """Take a new refund's money from the platform, as far as it is there, and plan its fate.

    `brought_back` is what its transfer reversal is about to bring. Stripe's test mode lets the
    balance go below zero; with overdrafts switched off, a refund that is not covered waits.
    """
    available = balances.funds(world, "available").get(refund["currency"], 0)
    if overdrafts(world) or available + brought_back >= refund["amount"]:
        _take(world, charge, refund)
        return
    refund.update({"status": "pending", "pending_reason": "insufficient_funds"})
    balances.holdings(world, None).setdefault("waiting", []).append(refund["id"])


def overdrafts(world: World) -> bool:
    """Whether refunds may bring the platform's balance below zero."""
    return bool(balances.holdings(world, None).get("overdrafts", True))


def allow_overdrafts(world: World, allowed: bool) -> None:
    """Let refunds bring the platform's balance below zero, or have them wait."""
    balances.holdings(world, None)["overdrafts"] = allowed


def _take(world: World, charge: Json, refund: Json) -> None:
    by_card = charge["payment_method_details"]["type"] == "card"
    refund["balance_transaction"] = balances.book(
        world,
        "refund" if by_card else "payment_refund",
        -refund["amount"],
        refund["currency"],
        refund["id"],
        description=charge["description"],
    )["id"]
    refund["destination_details"] = _to_card(world) if by_card else _to_bank()
    refund["status"] = "succeeded"
    refund.pop("pending_reason", None)
    fate = instrument_of(world, charge).refund
    if fate == "pending":
        refund.update({"status": "pending", "pending_reason": "processing"})
    if fate != "succeeds":
        due = world.now() + SETTLED_AFTER_SECONDS
        schedule.at(world, due, f"refund_{fate}", refund["id"])


def _to_card(world: World) -> Json:
    reference = {
        "reference": world.token(23).upper(),
        "reference_status": "available",
        "reference_type": "acquirer_reference_number",
        "type": "refund",
    }
    return {"card": reference, "type": "card"}


def _to_bank() -> Json:
    reference = {"reference": None, "reference_status": "pending"}
    return {"type": "us_bank_transfer", "us_bank_transfer": reference}


# ---------------------------------------------------------------------------- what time brings


@on_clock
def pay_waiting(world: World) -> None:
    """Take the money of refunds that waited for it, oldest first, once it is there."""
    kept = world.peek(HOLDINGS, PLATFORM)
    while kept is not None and kept.get("waiting"):
        refund = world.find("refund", kept["waiting"][0])
        available = kept["currencies"][refund["currency"]]["available"]
        if not overdrafts(world) and available < refund["amount"]:
            return
        kept["waiting"].pop(0)
        before: Json = {"status": "pending", "pending_reason": refund["pending_reason"]}
        before["balance_transaction"] = None
        _take(world, world.find("charge", refund["charge"]), refund)
        _tell(world, refund, before)


@schedule.action("refund_pending")
def _settle(world: World, id: str) -> None:
    refund = world.find("refund", id)
    if refund["status"] == "pending":
        succeed(world, refund)


@schedule.action("refund_fails")
def _bounce(world: World, id: str) -> None:
    refund = world.find("refund", id)
    if refund["status"] == "succeeded":
        fail(world, refund, "expired_or_canceled_card")


# --------------------------------------------------------------------------- how it can end


def succeed(world: World, refund: Json) -> None:
    """A pending refund reached the buyer."""
    _require(refund, "pending")
    if refund["pending_reason"] == "insufficient_funds":
        raise refused(f"Refund {refund['id']} waits for money on the platform's balance.")
    before = {"status": "pending", "pending_reason": refund.pop("pending_reason")}
    refund["status"] = "succeeded"
    _tell(world, refund, before)


def fail(world: World, refund: Json, reason: str) -> None:
    """The buyer's bank sent the money back, even after it was said to have succeeded."""
    _require(refund, "pending", "succeeded")
    before = _take_back(world, refund, "failed", reason)
    world.emit("refund.failed", refund, previous_attributes=before)
    _tell(world, refund, before)


def cancel(world: World, refund: Json) -> None:
    """Somebody stopped a pending refund in the Dashboard."""
    _require(refund, "pending")
    _tell(world, refund, _take_back(world, refund, "canceled", "merchant_request"))


def fail_pending(world: World, charge: Json) -> None:
    """Refunds under way fail when their charge is disputed: the bank takes the money itself."""
    for id in charge["_refunds"]:
        refund = world.find("refund", id)
        if refund["status"] == "pending":
            fail(world, refund, "charge_for_pending_refund_disputed")


def _take_back(world: World, refund: Json, status: str, reason: str) -> Json:
    charge = world.find("charge", refund["charge"])
    before: Json = {n: refund[n] for n in ("status", "pending_reason") if n in refund}
    if refund.pop("pending_reason", None) == "insufficient_funds":
        balances.holdings(world, None)["waiting"].remove(refund["id"])
    if refund["balance_transaction"] is not None:
        refund["failure_balance_transaction"] = balances.book(
            world, "refund_failure", refund["amount"], refund["currency"], refund["id"]
        )["id"]
    charge["amount_refunded"] -= refund["amount"]
    charge["refunded"] = False
    refund.update({"status": status, "failure_reason": reason})
    return before


def _require(refund: Json, *statuses: str) -> None:
    if refund["status"] not in statuses:
        raise refused(f"Refund {refund['id']} has a status of {refund['status']}.")


def _tell(world: World, refund: Json, before: Json) -> None:
    world.emit("refund.updated", refund, previous_attributes=before)
    world.emit("charge.refund.updated", refund, previous_attributes=before)
