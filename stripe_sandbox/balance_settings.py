"""Balance Settings of a connected account: only whether it is paid out automatically, daily or by hand.

Weekly and monthly schedules, minimum balances, transfer rules and settlement timing are not simulated: asking
for them is refused, and they are shown as at a new account.
"""

from . import balances
from .errors import Json, StripeError, refused
from .routes import Call, route

DAILY, MANUAL = "daily", "manual"
SCHEDULE = "_payout_interval"


def paid_out_by_itself(account: Json) -> bool:
    """Whether every midnight brings a payout."""
    return bool(account.get(SCHEDULE, DAILY) == DAILY)


@route("GET", "/v1/balance_settings", for_accounts=True)
def retrieve(call: Call) -> Json:
    """The settings of the account that the Stripe-Account header names."""
    return _shown(_account(call))


@route("POST", "/v1/balance_settings", for_accounts=True)
def update(call: Call) -> Json:
    """Change the schedule; what is available when it becomes daily again is paid out at midnight."""
    account = _account(call)
    payments = call.params.get("payments") or {}
    payouts = payments.get("payouts") or {}
    if payments.keys() - {"payouts"} or payouts.keys() - {"schedule"}:
        raise refused("The sandbox simulates the payout schedule only.", param="payments")
    interval = (payouts.get("schedule") or {}).get("interval")
    if interval is None:
        return _shown(account)
    if interval not in (DAILY, MANUAL):
        raise refused(
            "The sandbox simulates daily and manual schedules only.",
            param="payments[payouts][schedule][interval]",
        )
    before = _shown(account)
    if interval == before["payments"]["payouts"]["schedule"]["interval"]:
        return before
    account[SCHEDULE] = interval
    if interval == DAILY:
        balances.plan_day(call.world, balances.holdings(call.world, account["id"]))
    shown = _shown(account)
    call.world.emit(
        "balance_settings.updated", shown, account=account["id"], previous_attributes=before
    )
    return shown


def _account(call: Call) -> Json:
    if call.account is None:
        raise StripeError(
            400, "The sandbox has balance settings of connected accounts only: name Stripe-Account."
        )
    return call.world.account(call.account)


def _shown(account: Json) -> Json:
    balance = account["configuration"]["recipient"]["capabilities"]["stripe_balance"]
    active = balance["payouts"]["status"] == "active"
    return {
        "object": "balance_settings",
        "payments": {
            "debit_negative_balances": True,
            "payouts": {
                "automatic_transfer_rules_by_currency": None,
                "minimum_balance_by_currency": None,
                "schedule": {"interval": account.get(SCHEDULE, DAILY)},
                "statement_descriptor": None,
                "status": "enabled" if active else "disabled",
            },
            "settlement_timing": {"delay_days": 2, "start_of_day": None},
        },
    }
