"""Transfers to connected accounts, the payments they become there, and their reversals."""

from . import application_fees, balances
from .amounts import require_currency, require_movable, written
from .charge_shapes import empty_charge
from .charges import funds_available_on
from .errors import Json, refused
from .parts import list_inside
from .routes import Call, list_of, route
from .updates import change, merged, unset
from .world import World


def require_destination(world: World, account: str, *, param: str) -> None:
    """400 unless the account exists and can receive transfers."""
    world.account(account, param=param)
    if not can_receive(world, account):
        raise refused(
            "Your destination account needs to have at least one of the following capabilities "
            "enabled: transfers, crypto_transfers, legacy_payments",
            code="insufficient_capabilities_for_transfer",
        )


def can_receive(world: World, account: str) -> bool:
    """Whether a connected account is open and its transfers capability active."""
    found = world.account(account)
    balance = found["configuration"]["recipient"]["capabilities"]["stripe_balance"]
    return not found["closed"] and balance["stripe_transfers"]["status"] == "active"


def transfer_charge(world: World, intent: Json, charge: Json) -> None:
    """Move the money of a captured destination charge to its seller and take the fee."""
    data = intent["transfer_data"]
    fee = intent["application_fee_amount"] or 0
    amount = min(data.get("amount") or charge["amount_captured"], charge["amount_captured"])
    available_on = funds_available_on(world, charge)
    transfer = new_transfer(
        world,
        amount,
        charge["currency"],
        data["destination"],
        available_on=available_on,
        charge=charge,
        fee=fee,
        labels=data,
    )
    transfer["_automatic"] = True
    charge["transfer"] = transfer["id"]
    charge["application_fee_amount"] = fee or None
    payment = world.find("charge", transfer["destination_payment"], account=data["destination"])
    charge["application_fee"] = payment["application_fee"]


def new_transfer(
    world: World,
    amount: int,
    currency: str,
    destination: str,
    *,
    available_on: int,
    charge: Json | None = None,
    fee: int = 0,
    labels: Json | None = None,
) -> Json:
    """Keep a transfer and the payment it becomes on the connected account, and book both."""
    labels = labels or {}
    transfer = world.put(
        _transfer(world, amount, currency, destination, labels=labels, charge=charge)
    )
    payment = _payment(world, transfer, fee, labels.get("payment_data") or {})
    transfer["destination_payment"] = payment["id"]
    if charge is not None:
        charge.setdefault("_transfers", []).append(transfer["id"])
    if fee:
        taken = application_fees.take(world, transfer, payment, fee, available_on=available_on)
        payment["application_fee"] = taken["id"]
    transfer["balance_transaction"] = balances.book(
        world, "transfer", -amount, currency, transfer["id"], available_on=available_on
    )["id"]
    payment["balance_transaction"] = balances.book(
        world,
        "payment",
        amount,
        currency,
        payment["id"],
        fees=(application_fees.kept(fee),) if fee else (),
        account=destination,
        available_on=available_on,
    )["id"]
    return transfer


def _transfer(
    world: World, amount: int, currency: str, destination: str, *, labels: Json, charge: Json | None
) -> Json:
    id = world.mint("tr")
    return {
        "id": id,
        "object": "transfer",
        "amount": amount,
        "amount_reversed": 0,
        "balance_transaction": None,
        "created": world.now(),
        "currency": currency,
        "description": labels.get("description"),
        "destination": destination,
        "destination_payment": None,
        "livemode": False,
        "metadata": labels.get("metadata") or {},
        "reversals": list_inside(world, "transfer_reversal", [], f"/v1/transfers/{id}/reversals"),
        "reversed": False,
        "source_transaction": charge and charge["id"],
        "source_type": "card",
        "transfer_group": (charge or {}).get("transfer_group") or labels.get("transfer_group"),
        "_automatic": False,
        "_reversals": [],
        "_refunded": 0,
        "_returned": 0,
    }


def _payment(world: World, transfer: Json, fee: int, labels: Json) -> Json:
    payment = empty_charge(world, "py", transfer["amount"], transfer["currency"])
    payment.update(
        {
            "amount_captured": transfer["amount"],
            "application_fee_amount": fee or None,
            "captured": True,
            "description": labels.get("description"),
            "metadata": labels.get("metadata") or {},
            "paid": True,
            "payment_method_details": {"stripe_account": {}, "type": "stripe_account"},
            "source_transfer": transfer["id"],
            "status": "succeeded",
        }
    )
    return world.put(payment, account=transfer["destination"])


# --------------------------------------------------------------------------------- the routes


@route("POST", "/v1/transfers")
def create(call: Call) -> Json:
    """A transfer of its own, from the platform's available balance or out of a charge."""
    params, world = call.params, call.world
    currency = require_currency(params["currency"])
    amount, destination = params.get("amount"), params["destination"]
    if amount is not None:
        require_movable(amount, currency)
    charge = None
    if source := params.get("source_transaction"):
        charge = world.find("charge", source, param="source_transaction", status=400)
        amount = _amount_out_of(world, charge, amount, currency, params.get("transfer_group"))
    if amount is None:
        raise refused("Missing required param: amount.", code="parameter_missing", param="amount")
    require_destination(world, destination, param="destination")
    if charge is None:
        _require_funds(world, amount, currency)
    available_on = funds_available_on(world, charge) if charge else world.now()
    labels = {**params, "metadata": merged({}, params.get("metadata"))}
    transfer = new_transfer(
        world,
        amount,
        currency,
        destination,
        available_on=available_on,
        charge=charge,
        labels=labels,
    )
    world.emit("transfer.created", transfer)
    return transfer


def _amount_out_of(
    world: World, charge: Json, amount: int | None, currency: str, group: str | None
) -> int:
    """How much of a charge's money to transfer: all that no transfer took, unless less is asked.

    All transfers of a charge together, less what was reversed, never exceed what it took.
    """
    if not charge["captured"] or charge["status"] != "succeeded":
        raise refused(
            f"Charge {charge['id']} took no money that could be transferred.",
            param="source_transaction",
        )
    if currency != charge["currency"]:
        raise refused(
            f"The currency of source_transaction's balance transaction ({charge['currency']}) "
            f"must be the same as the transfer currency ({currency})",
            param="currency",
        )
    if group not in (None, charge["transfer_group"]) and charge["transfer_group"] is not None:
        raise refused(
            f"The transfer_group ({group}) does not match that of the source_transaction "
            f"({charge['transfer_group']}).",
            param="transfer_group",
        )
    taken = (world.find("transfer", id) for id in charge.get("_transfers", ()))
    left: int = charge["amount_captured"] - sum(t["amount"] - t["amount_reversed"] for t in taken)
    if left <= 0 or (amount is not None and amount > left):
        raise refused(
            "Transfers using this transaction as a source must not exceed the source amount of "
            f"{written(charge['amount_captured'], currency)}, of which {written(left, currency)} "
            "is left.",
            param="amount",
        )
    return left if amount is None else amount


def _require_funds(world: World, amount: int, currency: str) -> None:
    if balances.funds(world, "available").get(currency, 0) < amount:
        raise balances.insufficient(
            "You have insufficient available funds in your Stripe account. Try adding funds "
            "directly to your available balance by creating Charges using the "
            "4000000000000077 test card."
        )


@route("GET", "/v1/transfers", for_accounts=True)
def list_transfers(call: Call) -> Json:
    filters = {name: call.params.get(name) for name in ("destination", "transfer_group")}
    kept = call.world.all("transfer", account=call.account)
    return list_of(call, kept, "/v1/transfers", filters=filters)


@route("GET", "/v1/transfers/{id}", for_accounts=True)
def retrieve(call: Call) -> Json:
    return call.world.find("transfer", call.args["id"], account=call.account)


@route("POST", "/v1/transfers/{id}", for_accounts=True)
def update(call: Call) -> Json:
    transfer = call.world.find("transfer", call.args["id"], account=call.account)
    changes = {n: unset(call.params[n]) for n in ("description",) if n in call.params}
    change(call, transfer, changes, "transfer.updated")
    return transfer
