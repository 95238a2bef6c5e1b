"""Payouts: what a connected account has, sent to its bank, and what its bank says.

A connected account is paid out every midnight (UTC) everything that is available in a currency,
when its payouts capability is active and its schedule daily; the money is under way for two days. A
payout that fails gives the money back, and nothing is paid out automatically until the account has
another bank account. The platform's own payouts are made by hand only.
"""

from . import balances, schedule
from .amounts import require_currency, require_positive, written
from .balance_settings import paid_out_by_itself
from .balances import DAY_SECONDS, PLATFORM
from .banks import bank_account_of, require_bank_account
from .errors import Json, StripeError, refused
from .routes import Call, list_of, passes_when, route
from .updates import change, merged
from .world import World

SENT_AFTER_SECONDS = 3_600
ARRIVES_AFTER_DAYS = 2

FAILURES = {
    "account_closed": "The bank account has been closed.",
    "account_frozen": "The bank account has been frozen.",
    "bank_account_restricted": "The bank account has restrictions on either the type, or the "
    "number, of payouts allowed.",
    "bank_ownership_changed": "The destination bank account is no longer valid because its branch "
    "has changed ownership.",
    "could_not_process": "The bank could not process this payout.",
    "debit_not_authorized": "Debit transactions are not approved on the bank account.",
    "declined": "The bank has declined this transfer. Please contact the bank before retrying.",
    "incorrect_account_holder_name": "The bank account holder name on file is incorrect.",
    "insufficient_funds": "The Stripe account has insufficient funds to cover the payout.",
    "invalid_account_number": "The routing number seems correct, but the account number is "
    "invalid.",
    "invalid_currency": "The bank was unable to process this payout because of its currency.",
    "no_account": "The bank account details on file are probably incorrect. No bank account could "
    "be located with those details.",
    "unsupported_card": "The bank no longer supports payouts to this card.",
}
"""What Stripe says to each failure code. Source: https://docs.stripe.com/api/payouts/failures."""


def pay_out(
    world: World,
    account: str | None,
    amount: int,
    currency: str,
    *,
    automatic: bool = False,
    params: Json | None = None,
) -> Json:
    """Send money of a balance to its bank account: `payout.created`, and `pending`."""
    payout = _new_payout(world, account, amount, currency, automatic, params or {})
    world.put(payout, account=account)
    payout["balance_transaction"] = balances.book(
        world,
        "payout",
        -amount,
        currency,
        payout["id"],
        account=account,
        description=payout["description"],
    )["id"]
    world.emit("payout.created", payout, account=account)
    schedule.at(world, world.now() + SENT_AFTER_SECONDS, "payout_sent", payout["id"])
    schedule.at(world, payout["arrival_date"], "payout_arrives", payout["id"])
    return payout


def _new_payout(
    world: World, account: str | None, amount: int, currency: str, automatic: bool, params: Json
) -> Json:
    day = world.now() // DAY_SECONDS
    return {
        "id": world.mint("po"),
        "object": "payout",
        "amount": amount,
        "application_fee": None,
        "application_fee_amount": None,
        "arrival_date": (day + ARRIVES_AFTER_DAYS) * DAY_SECONDS,
        "automatic": automatic,
        "balance_transaction": None,
        "created": world.now(),
        "currency": currency,
        "description": "STRIPE PAYOUT" if automatic else params.get("description"),
        "destination": bank_account_of(world, account, currency)["id"],
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "livemode": False,
        "metadata": merged({}, params.get("metadata")),
        "method": "standard",
        "original_payout": None,
        "payout_method": None,
        "reconciliation_status": "in_progress" if automatic else "not_applicable",
        "reversed_by": None,
        "source_type": "card",
        "statement_descriptor": params.get("statement_descriptor"),
        "status": "pending",
        "trace_id": None,
        "type": "bank_account",
    }


# ---------------------------------------------------------------------------- what time brings


@schedule.action("day_turns")
def _day_turns(world: World, owner: str) -> None:
    """Tell of money that became available, and pay it out."""
    account = None if owner == PLATFORM else owner
    kept = balances.holdings(world, account)
    if not kept["told"]:
        kept["told"] = True
        world.emit("balance.available", balances.balance_of(world, account), account=account)
    if account is not None:
        _pay_out_everything(world, account, kept)


def _pay_out_everything(world: World, account: str, kept: Json) -> None:
    due = {c: held for c, held in kept["currencies"].items() if held["available"] > 0}
    if not due:
        return
    if not paid_out_by_itself(world.account(account)):
        return
    if not can_be_paid_out(world, account):
        balances.plan_day(world, kept)  # it may be ready tomorrow
        return
    for currency, held in due.items():
        payout = pay_out(world, account, held["available"], currency, automatic=True)
        for id in held["unpaid"]:
            world.find("balance_transaction", id, account=account)["_payout"] = payout["id"]
        held["unpaid"] = []


def can_be_paid_out(world: World, account: str) -> bool:
    """Whether payouts are active and the bank accepts them."""
    found = world.account(account)
    if found["closed"] or found.get("_bank_refuses"):
        return False
    balance = found["configuration"]["recipient"]["capabilities"]["stripe_balance"]
    return bool(balance["payouts"]["status"] == "active")


@schedule.action("payout_sent")
def _send(world: World, id: str) -> None:
    payout = world.peek("payout", id)
    if payout is None or payout["status"] != "pending":
        return
    account = world.owner("payout", id)
    payout["status"] = "in_transit"
    payout["trace_id"] = {"status": "supported", "value": world.token(12).upper()}
    before = {"status": "pending", "trace_id": None}
    world.emit("payout.updated", payout, account=account, previous_attributes=before)
    if payout["automatic"]:
        payout["reconciliation_status"] = "completed"
        before = {"reconciliation_status": "in_progress"}
        world.emit(
            "payout.reconciliation_completed", payout, account=account, previous_attributes=before
        )


@schedule.action("payout_arrives")
def arrive(world: World, id: str) -> None:
    """The bank has the money; nothing happens to a payout that is over."""
    _send(world, id)
    payout = world.peek("payout", id)
    if payout is None or payout["status"] != "in_transit":
        return
    payout["status"] = "paid"
    before = {"status": "in_transit"}
    world.emit("payout.paid", payout, account=world.owner("payout", id), previous_attributes=before)


def fail(world: World, id: str, code: str = "could_not_process") -> None:
    """The bank sends the money back, even after it seemed paid; its account is used no more."""
    _send(world, id)
    payout, account = world.find_any("payout", id), world.owner("payout", id)
    if payout["status"] in ("failed", "canceled"):
        raise refused(f"Payout {id} has a status of {payout['status']}.")
    before = {"status": payout["status"]}
    _give_back(world, payout, account, "payout_failure")
    payout.update({"failure_code": code, "failure_message": FAILURES[code], "status": "failed"})
    if account is not None:
        world.account(account)["_bank_refuses"] = True
        bank_account_of(world, account, payout["currency"])["status"] = "errored"
    world.emit("payout.failed", payout, account=account, previous_attributes=before)


def _give_back(world: World, payout: Json, account: str | None, type: str) -> None:
    transaction = balances.book(
        world,
        type,
        payout["amount"],
        payout["currency"],
        payout["id"],
        account=account,
        description=payout["description"],
    )
    payout["failure_balance_transaction"] = transaction["id"]


# --------------------------------------------------------------------------------- the routes


@route("POST", "/v1/payouts", for_accounts=True)
def create(call: Call) -> Json:
    """Pay out by hand, never more than what is available."""
    params = call.params
    currency = require_currency(params["currency"])
    require_positive(params["amount"], "amount")
    if params.get("method") == "instant":
        raise refused("Instant payouts are not available for this account.", param="method")
    if destination := params.get("destination"):
        require_bank_account(call.world, call.account, currency, destination)
    return pay_out_by_hand(call.world, call.account, params["amount"], currency, params)


def pay_out_by_hand(
    world: World, account: str | None, amount: int, currency: str, params: Json | None = None
) -> Json:
    """A payout somebody asked for. Raises `payouts_not_allowed` and `balance_insufficient`."""
    if account is not None and not can_be_paid_out(world, account):
        raise refused("Payouts are not allowed for this account.", code="payouts_not_allowed")
    available = balances.funds(world, "available", account=account).get(currency, 0)
    if amount > available:
        raise balances.insufficient(
            "You have insufficient funds in your Stripe account for this payout: "
            f"{written(max(0, available), currency)} are available."
        )
    return pay_out(world, account, amount, currency, params=params)


@route("GET", "/v1/payouts", for_accounts=True)
def list_payouts(call: Call) -> Json:
    filters = {name: call.params.get(name) for name in ("status", "destination")}
    arrival = call.params.get("arrival_date")
    return list_of(
        call,
        call.world.all("payout", account=call.account),
        "/v1/payouts",
        filters=filters,
        only=lambda payout: passes_when(payout["arrival_date"], arrival),
    )


@route("GET", "/v1/payouts/{id}", for_accounts=True)
def retrieve(call: Call) -> Json:
    return call.world.find("payout", call.args["id"], account=call.account)


@route("POST", "/v1/payouts/{id}", for_accounts=True)
def update(call: Call) -> Json:
    payout = call.world.find("payout", call.args["id"], account=call.account)
    change(call, payout, {}, "payout.updated")
    return payout


@route("POST", "/v1/payouts/{id}/cancel", for_accounts=True)
def cancel(call: Call) -> Json:
    """Take back a payout by hand that has not left yet."""
    payout = call.world.find("payout", call.args["id"], account=call.account)
    if payout["automatic"] or payout["status"] != "pending":
        raise StripeError(
            400, "Payouts can only be canceled while pending, and automatic ones cannot at all."
        )
    _give_back(call.world, payout, call.account, "payout_cancel")
    payout["status"] = "canceled"
    before = {"status": "pending"}
    call.world.emit("payout.canceled", payout, account=call.account, previous_attributes=before)
    return payout
