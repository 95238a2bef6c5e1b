"""Balance transactions: every movement of money on the platform and on connected accounts.

What Stripe leaves open and is decided here: the fee of a card payment is 2.9 % + 30 minor units,
rounded half up, that of a bank debit 0.8 %, at most 5.00; money of a card is available after two
days; a fee refund without a refund is
booked for the connected account as an `adjustment` of category `fee`.
"""

from dataclasses import dataclass

from . import schedule
from .errors import Json
from .routes import Call, list_of, route
from .world import World

PROCESSING_BASIS_POINTS = 290
PROCESSING_FIXED_MINOR = 30
DEBIT_BASIS_POINTS = 80
DEBIT_MOST_MINOR = 500
AVAILABLE_AFTER_SECONDS = 2 * 86_400

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

    `amount` is signed as the balance sees it; `available_on` (unix seconds) defaults to now.
    """
    fee = sum(line.amount for line in fees)
    available_on = max(world.now(), available_on or 0)
    pending = available_on > world.now()
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
            "exchange_rate": None,
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
    if pending:
        schedule.at(world, available_on, "funds_available", transaction["id"])
    return transaction


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
    if transaction is not None:
        transaction["status"] = "available"


def funds(world: World, status: str, *, account: str | None = None) -> dict[str, int]:
    """Money by currency that is `available` or `pending`, in minor units."""
    totals: dict[str, int] = {}
    for transaction in world.all("balance_transaction", account=account):
        if transaction["status"] == status:
            currency = transaction["currency"]
            totals[currency] = totals.get(currency, 0) + transaction["net"]
    return totals


@route("GET", "/v1/balance")
def retrieve_balance(call: Call) -> Json:
    available = funds(call.world, "available", account=call.account)
    pending = funds(call.world, "pending", account=call.account)
    currencies = sorted(available.keys() | pending.keys()) or ["usd"]
    return {
        "object": "balance",
        "available": [_entry(currency, available) for currency in currencies],
        "livemode": False,
        "pending": [_entry(currency, pending) for currency in currencies],
    }


def _entry(currency: str, totals: dict[str, int]) -> Json:
    amount = totals.get(currency, 0)
    return {"amount": amount, "currency": currency, "source_types": {"card": amount}}


@route("GET", "/v1/balance_transactions")
def list_transactions(call: Call) -> Json:
    filters = {name: call.params.get(name) for name in ("type", "source", "currency")}
    kept = call.world.all("balance_transaction", account=call.account)
    if payout := call.params.get("payout"):
        kept = [t for t in kept if t.get("_payout") == payout]
    return list_of(call, kept, "/v1/balance_transactions", filters=filters)


@route("GET", "/v1/balance_transactions/{id}")
def retrieve_transaction(call: Call) -> Json:
    return call.world.find("balance_transaction", call.args["id"], account=call.account)
