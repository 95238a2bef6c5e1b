"""Refunds of charges, with the seller's money and the fee brought back in proportion."""

from . import application_fees, refund_fates
from .amounts import require_movable, written
from .charges import new_refund
from .disputes import end_inquiries, is_refundable
from .errors import Json, StripeError, refused
from .fraud_warnings import no_longer_actionable
from .reversals import part_of_transfer, reverse, reversed_before
from .routes import Call, list_of, route
from .updates import change, merged
from .world import World


@route("POST", "/v1/refunds")
def create(call: Call) -> Json:
    """Give money of a charge back: all that is left of it unless an amount is given.

    `reverse_transfer` takes the seller's part back in proportion, `refund_application_fee` gives
    the fee back in proportion; a destination charge cannot have the second without the first.
    """
    world, params = call.world, call.params
    charge = _charge_of(call)
    amount = _require_refundable(world, charge, params.get("amount"))
    transfer, fee = _to_bring_back(call, charge)
    parts = _parts(charge, amount, transfer, fee)
    before = {name: charge[name] for name in ("amount_refunded", "refunded")}
    refund = new_refund(world, charge, amount, reason=params.get("reason"))
    refund["metadata"] = merged({}, params.get("metadata"))
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    refund_fates.begin(world, charge, refund, brought_back=parts[0] - parts[1])
    if transfer is None:
        _tell(world, charge, refund, before)
    else:
        _bring_back(world, charge, refund, transfer, fee, parts, before)
    end_inquiries(world, charge)
    no_longer_actionable(world, charge)
    return refund


def _charge_of(call: Call) -> Json:
    params, world = call.params, call.world
    if charge_id := params.get("charge"):
        charge = world.find("charge", charge_id, param="charge", status=400)
    elif intent_id := params.get("payment_intent"):
        intent = world.find("payment_intent", intent_id, param="payment_intent", status=400)
        latest = intent["latest_charge"]
        charge = world.find("charge", latest) if latest else {"status": "failed"}
        if charge["status"] != "succeeded":
            raise refused(
                f"This PaymentIntent ({intent_id}) does not have a successful charge to refund.",
                param="payment_intent",
            )
    else:
        raise refused(
            "One of the following params should be provided for this request: "
            "payment_intent or charge."
        )
    return charge


def _require_refundable(world: World, charge: Json, amount: int | None) -> int:
    """The amount to refund; refuses uncaptured, disputed and fully refunded charges, and more."""
    id, unit = charge["id"], charge["currency"]
    if not is_refundable(world, charge):
        raise refused(
            f"Charge {id} has been charged back; cannot issue a refund.", code="charge_disputed"
        )
    left: int = charge["amount"] - charge["amount_refunded"]
    if left == 0:
        raise refused(f"Charge {id} has already been refunded.", code="charge_already_refunded")
    if not charge["captured"]:
        raise refused(
            f"Charge {id} has not been captured. Cancel its PaymentIntent to release the hold.",
            code="charge_not_refundable",
        )
    if amount is None:
        return left
    require_movable(amount, unit)
    if amount > left:
        raise refused(
            f"Refund amount ({written(amount, unit)}) is greater than unrefunded amount on charge "
            f"({written(left, unit)})",
            param="amount",
        )
    return amount


def _to_bring_back(call: Call, charge: Json) -> tuple[Json | None, Json | None]:
    """The transfer to reverse and the fee to return, as far as the call asks for them."""
    with_transfer = call.params.get("reverse_transfer", False)
    with_fee = call.params.get("refund_application_fee", False)
    if with_transfer and not charge.get("transfer"):
        raise refused(
            f"Cannot reverse transfer on charge {charge['id']}: it does not have a transfer.",
            param="reverse_transfer",
        )
    if with_fee and charge["application_fee"] is None:
        raise refused(
            f"Charge {charge['id']} does not have an application fee to refund.",
            param="refund_application_fee",
        )
    if with_fee and not with_transfer:
        raise refused(
            "Refunding the application fee of a destination charge requires reversing its "
            "transfer: set reverse_transfer=true.",
            param="refund_application_fee",
        )
    world = call.world
    transfer = world.find("transfer", charge["transfer"]) if with_transfer else None
    fee = world.find("application_fee", charge["application_fee"]) if with_fee else None
    return transfer, fee


def _parts(charge: Json, amount: int, transfer: Json | None, fee: Json | None) -> tuple[int, int]:
    """How much of the transfer, and of the fee, comes back with this amount."""
    if transfer is None:
        return 0, 0
    captured = charge["amount_captured"]
    reversed_part = part_of_transfer(transfer, amount, captured)
    fee_part = application_fees.part_of(fee, amount, captured) if fee and reversed_part else 0
    return reversed_part, fee_part


def _bring_back(
    world: World,
    charge: Json,
    refund: Json,
    transfer: Json,
    fee: Json | None,
    parts: tuple[int, int],
    before: Json,
) -> None:
    """Reverse the transfer's part of a refund, and the fee's, then tell of all of it in order."""
    amount, (reversed_part, fee_part) = refund["amount"], parts
    transfer_before = reversed_before(transfer)
    if reversed_part:
        reversal = reverse(world, transfer, reversed_part, fee_amount=fee_part, refund=refund)
        refund["transfer_reversal"] = reversal["id"]
        transfer["_refunded"] += amount
        transfer["_returned"] += reversed_part
    _tell(world, charge, refund, before)
    if reversed_part:
        world.emit("transfer.reversed", transfer, previous_attributes=transfer_before)
    if fee is not None and reversed_part:
        application_fees.give_back_with_reversal(world, fee, fee_part, amount)


def _tell(world: World, charge: Json, refund: Json, before: Json) -> None:
    world.emit("refund.created", refund)
    world.emit("charge.refunded", charge, previous_attributes=before)


# --------------------------------------------------------------------------------- the routes


@route("GET", "/v1/refunds", for_accounts=True)
def list_refunds(call: Call) -> Json:
    filters = {name: call.params.get(name) for name in ("charge", "payment_intent")}
    kept = call.world.all("refund", account=call.account)
    return list_of(call, kept, "/v1/refunds", filters=filters)


@route("GET", "/v1/refunds/{id}", for_accounts=True)
def retrieve(call: Call) -> Json:
    return call.world.find("refund", call.args["id"], account=call.account)


@route("POST", "/v1/refunds/{id}", for_accounts=True)
def update(call: Call) -> Json:
    refund = call.world.find("refund", call.args["id"], account=call.account)
    change(call, refund, {}, "refund.updated")
    return refund


@route("POST", "/v1/refunds/{id}/cancel")
def cancel(call: Call) -> Json:
    """Only refunds that wait for the buyer can be canceled, and those of cards never do."""
    refund = call.world.find("refund", call.args["id"])
    raise StripeError(
        400,
        f"You cannot cancel this refund because it has a status of {refund['status']}. Only a "
        "refund with status requires_action may be canceled.",
    )
