"""Reversals: the money of a transfer taken back from the connected account."""

from . import application_fees, balances
from .amounts import require_movable, share, written
from .balances import funds, insufficient
from .errors import Json, refused
from .parts import list_inside, parts_of
from .routes import Call, list_of, route
from .updates import merged
from .world import World


def reverse(
    world: World,
    transfer: Json,
    amount: int,
    *,
    fee_amount: int = 0,
    refund: Json | None = None,
    metadata: Json | None = None,
) -> Json:
    """Take money of a transfer back, giving `fee_amount` of its application fee back with it.

    The seller's payment is refunded: `payment_refund` of the amount, its fee the negative of
    what comes back. Allowed even when the seller's balance goes below zero.
    """
    account = transfer["destination"]
    payment = world.find("charge", transfer["destination_payment"], account=account)
    reversal = world.put(_reversal(world, transfer, amount, refund, metadata))
    payment_refund = world.put(_payment_refund(world, payment, amount, reversal), account=account)
    payment["_refunds"].append(payment_refund["id"])
    payment["amount_refunded"] += amount
    payment["refunded"] = payment["amount_refunded"] == payment["amount"]
    reversal["destination_payment_refund"] = payment_refund["id"]
    reversal["balance_transaction"] = balances.book(
        world, "transfer_refund", amount, transfer["currency"], reversal["id"]
    )["id"]
    payment_refund["balance_transaction"] = balances.book(
        world,
        "payment_refund",
        -amount,
        transfer["currency"],
        payment_refund["id"],
        fees=(application_fees.returned(fee_amount),) if fee_amount else (),
        account=account,
    )["id"]
    _count_reversal(world, transfer, reversal)
    return reversal


def _count_reversal(world: World, transfer: Json, reversal: Json) -> None:
    transfer["_reversals"].append(reversal["id"])
    transfer["amount_reversed"] += reversal["amount"]
    transfer["reversed"] = transfer["amount_reversed"] == transfer["amount"]
    url = f"/v1/transfers/{transfer['id']}/reversals"
    transfer["reversals"] = list_inside(world, "transfer_reversal", transfer["_reversals"], url)


def _reversal(
    world: World, transfer: Json, amount: int, refund: Json | None, metadata: Json | None
) -> Json:
    return {
        "id": world.mint("trr"),
        "object": "transfer_reversal",
        "amount": amount,
        "balance_transaction": None,
        "created": world.now(),
        "currency": transfer["currency"],
        "destination_payment_refund": None,
        "metadata": metadata or {},
        "source_refund": refund and refund["id"],
        "transfer": transfer["id"],
    }


def _payment_refund(world: World, payment: Json, amount: int, reversal: Json) -> Json:
    return {
        "id": world.mint("pyr"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": payment["id"],
        "created": world.now(),
        "currency": payment["currency"],
        "customer": None,
        "customer_account": None,
        "metadata": {},
        "payment_intent": None,
        "payment_method": None,
        "reason": None,
        "receipt_number": None,
        "source_transfer_reversal": reversal["id"],
        "status": "succeeded",
        "transfer_reversal": None,
    }


# --------------------------------------------------------------------------------- the routes


@route("POST", "/v1/transfers/{id}/reversals")
def create_reversal(call: Call) -> Json:
    """Take a transfer back, all that is left of it unless an amount is given."""
    world, transfer = call.world, call.world.find("transfer", call.args["id"])
    left = transfer["amount"] - transfer["amount_reversed"]
    amount = call.params.get("amount", left)
    if left == 0:
        raise refused(f"Transfer {transfer['id']} has already been reversed.")
    require_movable(amount, transfer["currency"])
    if amount > left:
        unit = transfer["currency"]
        raise refused(
            f"Reversal amount ({written(amount, unit)}) is greater than unreversed amount on "
            f"transfer ({written(left, unit)})",
            param="amount",
        )
    if not transfer.get("_automatic", True):
        _require_funds(world, transfer, amount)
    before = reversed_before(transfer)
    fee = application_fees.of_payment(world, transfer)
    fee_part = 0
    if call.params.get("refund_application_fee") and fee is not None:
        fee_part = application_fees.part_of(fee, amount, transfer["amount"])
    reversal = reverse(
        world,
        transfer,
        amount,
        fee_amount=fee_part,
        metadata=merged({}, call.params.get("metadata")),
    )
    world.emit("transfer.reversed", transfer, previous_attributes=before)
    if fee is not None and call.params.get("refund_application_fee"):
        application_fees.give_back_with_reversal(world, fee, fee_part, amount)
    return reversal


def _require_funds(world: World, transfer: Json, amount: int) -> None:
    """Only the transfer of a destination charge may take its account below zero.

    Money that is still pending counts, for a transfer out of a charge can be taken back at once.
    """
    account, currency = transfer["destination"], transfer["currency"]
    statuses = ("available", "pending")
    held = sum(funds(world, each, account=account).get(currency, 0) for each in statuses)
    if held < amount:
        raise insufficient(
            f"The connected account {account} has insufficient funds to reverse this transfer: "
            f"it holds {written(max(0, held), currency)}."
        )


def part_of_transfer(transfer: Json, amount: int, captured: int) -> int:
    """How much of the transfer comes back with a refund, cumulatively, as for the fee."""
    total = min(transfer["_refunded"] + amount, captured)
    due: int = share(transfer["amount"], total, captured) - transfer["_returned"]
    left: int = transfer["amount"] - transfer["amount_reversed"]
    return max(0, min(due, left))


def reversed_before(transfer: Json) -> Json:
    """What a reversal is about to change, for `previous_attributes`."""
    return {name: transfer[name] for name in ("amount_reversed", "reversed", "reversals")}


@route("GET", "/v1/transfers/{id}/reversals")
def list_reversals(call: Call) -> Json:
    transfer = call.world.find("transfer", call.args["id"])
    newest = parts_of(call.world, "transfer_reversal", transfer["_reversals"])
    return list_of(call, newest, f"/v1/transfers/{transfer['id']}/reversals")


@route("GET", "/v1/transfers/{transfer}/reversals/{id}")
def retrieve_reversal(call: Call) -> Json:
    call.world.find("transfer", call.args["transfer"])
    return call.world.find("transfer_reversal", call.args["id"])
