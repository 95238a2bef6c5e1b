"""Application fees: what the platform keeps of a destination charge, and gives back."""

from . import balances
from .amounts import require_movable, share, written
from .balances import Fee
from .errors import Json, refused
from .parts import list_inside, parts_of
from .routes import Call, list_of, route
from .updates import change, merged
from .world import World

APPLICATION = "ca_SandboxMarketplacePlatform00"
"""The platform, as connected accounts see it."""


def kept(amount: int) -> Fee:
    """The fee as it is taken off the seller's payment."""
    return Fee(amount, "application_fee", "Application fee", APPLICATION)


def returned(amount: int) -> Fee:
    """The fee as it comes back with the seller's refund."""
    return Fee(-amount, "application_fee", "Application fee refund", APPLICATION)


def take(world: World, transfer: Json, payment: Json, amount: int, *, available_on: int) -> Json:
    """Keep the application fee of a transfer's payment and book the platform's earning."""
    id = world.mint("fee")
    fee = world.put(
        {
            "id": id,
            "object": "application_fee",
            "account": transfer["destination"],
            "amount": amount,
            "amount_refunded": 0,
            "application": APPLICATION,
            "balance_transaction": None,
            "charge": payment["id"],
            "created": world.now(),
            "currency": transfer["currency"],
            "fee_source": {"charge": payment["id"], "type": "charge"},
            "livemode": False,
            "originating_transaction": transfer["source_transaction"],
            "refunded": False,
            "refunds": list_inside(world, "fee_refund", [], _refunds_url(id)),
            "_refunds": [],
            "_reversed": 0,
            "_returned": 0,
        }
    )
    fee["balance_transaction"] = balances.book(
        world, "application_fee", amount, transfer["currency"], id, available_on=available_on
    )["id"]
    return fee


def of_payment(world: World, transfer: Json) -> Json | None:
    """The application fee that was taken with a transfer, if one was."""
    payment = world.peek("charge", transfer["destination_payment"])
    if payment is None or payment["application_fee"] is None:
        return None
    return world.find("application_fee", payment["application_fee"])


def part_of(fee: Json, reversed_amount: int, transferred: int) -> int:
    """How much of the fee goes back when that much of the transfer does.

    Cumulative: the fee returned so far is always `fee * reversed so far / transferred`, rounded
    half up once, so partial refunds add up to the whole fee exactly. (Stripe does not publish
    its rounding.)
    """
    total = min(fee["_reversed"] + reversed_amount, transferred)
    due: int = share(fee["amount"], total, transferred) - fee["_returned"]
    left: int = fee["amount"] - fee["amount_refunded"]
    return max(0, min(due, left))


def give_back_with_reversal(world: World, fee: Json, amount: int, reversed_amount: int) -> None:
    """Return part of the fee together with a reversal, which books the seller's side of it."""
    fee["_reversed"] += reversed_amount
    fee["_returned"] += amount
    if amount:
        _give_back(world, fee, amount)


def _give_back(world: World, fee: Json, amount: int, *, metadata: Json | None = None) -> Json:
    before = {name: fee[name] for name in ("amount_refunded", "refunded", "refunds")}
    refund = world.put(
        {
            "id": world.mint("fr"),
            "object": "fee_refund",
            "amount": amount,
            "balance_transaction": None,
            "created": world.now(),
            "currency": fee["currency"],
            "fee": fee["id"],
            "metadata": metadata or {},
        }
    )
    refund["balance_transaction"] = balances.book(
        world, "application_fee_refund", -amount, fee["currency"], refund["id"]
    )["id"]
    fee["_refunds"].append(refund["id"])
    fee["amount_refunded"] += amount
    fee["refunded"] = fee["amount_refunded"] == fee["amount"]
    _list_refunds_inside(world, fee)
    world.emit("application_fee.refunded", fee, previous_attributes=before)
    return refund


def _list_refunds_inside(world: World, fee: Json) -> None:
    fee["refunds"] = list_inside(world, "fee_refund", fee["_refunds"], _refunds_url(fee["id"]))


def _refunds_url(fee: str) -> str:
    return f"/v1/application_fees/{fee}/refunds"


# --------------------------------------------------------------------------------- the routes


@route("GET", "/v1/application_fees")
def list_fees(call: Call) -> Json:
    kept_fees = call.world.all("application_fee")
    filters = {"charge": call.params.get("charge")}
    return list_of(call, kept_fees, "/v1/application_fees", filters=filters)


@route("GET", "/v1/application_fees/{id}")
def retrieve(call: Call) -> Json:
    return call.world.find("application_fee", call.args["id"])


@route("POST", "/v1/application_fees/{id}/refunds")
def create_refund(call: Call) -> Json:
    """Give a fee back by itself: the seller receives it as an adjustment."""
    world, fee = call.world, call.world.find("application_fee", call.args["id"])
    left = fee["amount"] - fee["amount_refunded"]
    if left == 0:
        raise refused(f"Application fee {fee['id']} has already been refunded.")
    amount = call.params.get("amount", left)
    require_movable(amount, fee["currency"])
    if amount > left:
        unit = fee["currency"]
        raise refused(
            f"Refund amount ({written(amount, unit)}) is greater than fee amount "
            f"({written(left, unit)})",
            param="amount",
        )
    refund = _give_back(world, fee, amount, metadata=merged({}, call.params.get("metadata")))
    balances.book(
        world,
        "adjustment",
        amount,
        fee["currency"],
        fee["charge"],
        account=fee["account"],
        description="Application fee refund",
    )
    return refund


@route("GET", "/v1/application_fees/{id}/refunds")
def list_refunds(call: Call) -> Json:
    fee = call.world.find("application_fee", call.args["id"])
    newest = parts_of(call.world, "fee_refund", fee["_refunds"])
    return list_of(call, newest, _refunds_url(fee["id"]))


@route("GET", "/v1/application_fees/{fee}/refunds/{id}")
def retrieve_refund(call: Call) -> Json:
    call.world.find("application_fee", call.args["fee"])
    return call.world.find("fee_refund", call.args["id"])


@route("POST", "/v1/application_fees/{fee}/refunds/{id}")
def update_refund(call: Call) -> Json:
    refund = call.world.find("fee_refund", call.args["id"])
    change(call, refund, {}, "application_fee.refund.updated")
    _list_refunds_inside(call.world, call.world.find("application_fee", refund["fee"]))
    return refund
