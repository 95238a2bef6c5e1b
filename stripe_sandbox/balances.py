"""Balance transactions: every movement of money on the platform and on connected accounts.

What Stripe leaves open and is decided here: the fee of a card payment is 2.9 % + 30 minor units,
rounded half up, that of a bank debit 0.8 %, at most 5.00; money of a card is available after two
days; a fee refund without a refund is booked for the connected account as an `adjustment` of
category `fee`.

A balance may go below zero, the platform's and a connected account's; what comes in next fills
it. Of what Stripe does about a connected account below zero, for which the platform is liable,
nothing is simulated: no reserve (`connect_reserved`), no debit of its bank account, and no
collection from the platform after 180 days (`connect_collection_transfer`).
"""

from dataclasses import dataclass, replace

from . import schedule
from .errors import Json, StripeError, refused
from .routes import Call, list_of, route
from .world import World

PROCESSING_BASIS_POINTS = 290
PROCESSING_FIXED_MINOR = 30
DEBIT_BASIS_POINTS = 80
DEBIT_MOST_MINOR = 500
DAY_SECONDS = 86_400
AVAILABLE_AFTER_SECONDS = 2 * DAY_SECONDS
HOLDINGS, PLATFORM = "sandbox.balance", "platform"
"""Beside the movements, what they come to is kept by owner, so that nobody has to add them up."""

CATEGORIES = {
    "charge": "charge",
    "payment": "charge",
    "refund": "refund",
    "payment_refund": "refund",
    "refund_failure": "refund_failure",
    "transfer": "transfer",
    "transfer_refund": "transfer_reversal",
    "application_fee": "platform_earning",
    "application_fee_refund": "platform_earning_refund",
    "adjustment": "fee",
    "payout": "payout",
    "payout_cancel": "payout_reversal",
    "payout_failure": "payout_reversal",
}
"""Reporting category by type, where nothing else is said."""


@dataclass(frozen=True, slots=True)
class Fee:
    """One line of what was kept from a movement; negative when it is given back."""

    amount: int
    type: str
    description: str
    application: str | None = None


def processing_fee(amount: int) -> Fee:
    """What Stripe keeps of a card payment, in minor units."""
    percentage = (amount * PROCESSING_BASIS_POINTS + 5_000) // 10_000
    return Fee(percentage + PROCESSING_FIXED_MINOR, "stripe_fee", "Stripe processing fees")


def debit_fee(amount: int) -> Fee:
    """What Stripe keeps of a bank debit, in minor units."""
    part = (amount * DEBIT_BASIS_POINTS + 5_000) // 10_000
    return Fee(min(part, DEBIT_MOST_MINOR), "stripe_fee", "Stripe processing fees")


def book(
    world: World,
    type: str,
    amount: int,
    currency: str,
    source: str,
    *,
    fees: tuple[Fee, ...] = (),
    account: str | None = None,
    category: str | None = None,
    available_on: int | None = None,
    description: str | None = None,
) -> Json:
    """Keep one balance transaction of the platform, or of the connected account.

    `amount` is signed as the balance sees it; `available_on` (unix seconds) defaults to now. A platform
    that settles in another currency has it converted.
    """
    amount, currency, fees, exchange_rate = _settled(world, account, amount, currency, fees)
    fee = sum(line.amount for line in fees)
    available_on = max(world.now(), available_on or 0)
    pending = available_on > world.now()
    kept = holdings(world, account)
    transaction = world.put(
        {
            "id": world.mint("txn"),
            "object": "balance_transaction",
            "amount": amount,
            "available_on": available_on,
            "balance_type": "payments",
            "created": world.now(),
            "currency": currency,
            "description": description,
            "exchange_rate": exchange_rate,
            "fee": fee,
            "fee_details": [_line(line, currency) for line in fees if line.amount],
            "net": amount - fee,
            "reporting_category": category or CATEGORIES[type],
            "source": source,
            "status": "pending" if pending else "available",
            "type": type,
        },
        account=account,
    )
    _held(kept, currency)[transaction["status"]] += transaction["net"]
    if pending:
        schedule.at(world, available_on, "funds_available", transaction["id"])
    else:
        _have(world, kept, transaction)
    return transaction


def settle_in(world: World, currency: str | None, exchange_rate: float) -> None:
    """Have the platform keep its money in this currency only; None: in each currency it is paid in."""
    holdings(world, None)["settles_in"] = (currency, exchange_rate)


def _settled(
    world: World, account: str | None, amount: int, currency: str, fees: tuple[Fee, ...]
) -> tuple[int, str, tuple[Fee, ...], float | None]:
    """The movement as it is booked, and the rate it was converted at."""
    kept_in, rate = holdings(world, None).get("settles_in", (None, 1.0))
    if account is not None or kept_in in (None, currency):
        return amount, currency, fees, None
    converted = tuple(replace(line, amount=round(line.amount * rate)) for line in fees)
    return round(amount * rate), kept_in, converted, rate


def _line(fee: Fee, currency: str) -> Json:
    return {
        "amount": fee.amount,
        "application": fee.application,
        "currency": currency,
        "description": fee.description,
        "type": fee.type,
    }


@schedule.action("funds_available")
def _become_available(world: World, id: str) -> None:
    transaction = world.peek("balance_transaction", id)
    if transaction is None or transaction["status"] == "available":
        return
    transaction["status"] = "available"
    kept = holdings(world, world.owner("balance_transaction", id))
    held = _held(kept, transaction["currency"])
    held["pending"] -= transaction["net"]
    held["available"] += transaction["net"]
    kept["told"] = kept["told"] and transaction["net"] <= 0
    _have(world, kept, transaction)


def _have(world: World, kept: Json, transaction: Json) -> None:
    """Count available money into what the next payout brings, and have the day end once."""
    if kept["id"] != PLATFORM:
        _held(kept, transaction["currency"])["unpaid"].append(transaction["id"])
    plan_day(world, kept)


def plan_day(world: World, kept: Json) -> None:
    """Have `day_turns` happen for the owner of these holdings at the next midnight (UTC)."""
    midnight = (world.now() // DAY_SECONDS + 1) * DAY_SECONDS
    if kept["turns_at"] != midnight:
        kept["turns_at"] = midnight
        schedule.at(world, midnight, "day_turns", kept["id"])


def holdings(world: World, account: str | None) -> Json:
    """What the platform or a connected account holds, and what is planned for it.

    `currencies` holds `available` and `pending` in minor units and the ids of the `unpaid`
    movements, which no payout has included yet; `told` is False when money became available that
    no `balance.available` has told of.
    """
    id = account or PLATFORM
    kept = world.peek(HOLDINGS, id)
    if kept is None:
        kept = {"object": HOLDINGS, "id": id, "currencies": {}, "turns_at": None, "told": True}
        world.put(kept)
        for transaction in reversed(world.all("balance_transaction", account=account)):
            held = _held(kept, transaction["currency"])
            held[transaction["status"]] += transaction["net"]
            if transaction["status"] == "available":
                held["unpaid"].append(transaction["id"])
    return kept


def _held(kept: Json, currency: str) -> Json:
    empty = {"available": 0, "pending": 0, "unpaid": []}
    held: Json = kept["currencies"].setdefault(currency, empty)
    return held


def funds(world: World, status: str, *, account: str | None = None) -> dict[str, int]:
    """Money by currency that is `available` or `pending`, in minor units."""
    held = holdings(world, account)["currencies"]
    return {currency: held[currency][status] for currency in held}


def insufficient(message: str) -> StripeError:
    """400 `balance_insufficient`."""
    return refused(message, code="balance_insufficient")


@route("GET", "/v1/balance", for_accounts=True)
def retrieve_balance(call: Call) -> Json:
    return balance_of(call.world, call.account)


def balance_of(world: World, account: str | None) -> Json:
    """The Balance of the platform or of a connected account."""
    available = funds(world, "available", account=account)
    pending = funds(world, "pending", account=account)
    currencies = sorted(available) or ["usd"]
    return {
        "object": "balance",
        "available": [_entry(currency, available) for currency in currencies],
        "livemode": False,
        "pending": [_entry(currency, pending) for currency in currencies],
    }


def _entry(currency: str, totals: dict[str, int]) -> Json:
    amount = totals.get(currency, 0)
    return {"amount": amount, "currency": currency, "source_types": {"card": amount}}


@route("GET", "/v1/balance_transactions", for_accounts=True)
def list_transactions(call: Call) -> Json:
    filters = {name: call.params.get(name) for name in ("type", "source", "currency")}
    kept = call.world.all("balance_transaction", account=call.account)
    if payout := call.params.get("payout"):
        _require_automatic(call, payout)
        kept = [t for t in kept if t.get("_payout") == payout]
    return list_of(call, kept, "/v1/balance_transactions", filters=filters)


def _require_automatic(call: Call, payout: str) -> None:
    """Only an automatic payout knows which movements it pays out."""
    found = call.world.find("payout", payout, account=call.account, param="payout", status=400)
    if not found["automatic"]:
        raise refused(
            "Balance transaction history can only be filtered on automatic transfers, not manual.",
            param="payout",
        )


@route("GET", "/v1/balance_transactions/{id}", for_accounts=True)
def retrieve_transaction(call: Call) -> Json:
    return call.world.find("balance_transaction", call.args["id"], account=call.account)
