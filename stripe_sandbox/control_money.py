"""Controls of money that moves without the platform: disputes, warnings, payouts, refunds.

What a buyer's bank, the issuer of a card, a seller's bank or a person in the Dashboard does.
"""

from typing import Annotated

import msgspec

from . import balances, disputes, payouts, refund_fates, refunds
from .amounts import require_currency, require_positive
from .control_requests import Control, body_of, last_of
from .dispute_shapes import REASONS
from .errors import Json, refused
from .fraud_warnings import FRAUD_TYPES, warn
from .http import Request
from .routes import Call
from .sandbox import Sandbox
from .world import World, public

INDEX = {
    "POST /_sandbox/disputes": "{payment_intent, amount?, reason?, inquiry?: true}: a buyer "
    "disputes a payment",
    "POST /_sandbox/disputes/{id}": "{outcome: won | lost | partial (with amount: what comes back) "
    "| closed (an inquiry) | escalated (an inquiry)}: the bank decides",
    "POST /_sandbox/early-fraud-warnings": "{payment_intent, fraud_type?}: a card's issuer warns",
    "POST /_sandbox/payouts": "{account, amount?, currency?, outcome?: paid | failed, "
    "failure_code?}: pay an account out, all that is available unless an amount is given",
    "POST /_sandbox/payouts/{id}": "{outcome: paid | failed, failure_code?}: the bank of a payout "
    "decides",
    "POST /_sandbox/refunds": "{payment_intent, amount?, reason?, reverse_transfer?, "
    "refund_application_fee?}: somebody refunds in the Dashboard",
    "POST /_sandbox/refunds/{id}": "{status: succeeded | failed | canceled, failure_reason?}: what "
    "becomes of a refund",
    "POST /_sandbox/balances": "{overdrafts: false}: have refunds wait (pending, "
    "insufficient_funds) for money on the platform's balance; {settles_in: usd, exchange_rate}: have "
    "the platform's money converted",
}


class NewDispute(msgspec.Struct, forbid_unknown_fields=True):
    payment_intent: str
    amount: int | None = None
    reason: str = "fraudulent"
    inquiry: bool = False

    def __post_init__(self) -> None:
        _require_one_of("reason", self.reason, REASONS)


class DisputeOutcome(msgspec.Struct, forbid_unknown_fields=True):
    outcome: str
    amount: int | None = None

    def __post_init__(self) -> None:
        _require_one_of("outcome", self.outcome, ("partial", *DECISIONS))
        if (self.outcome == "partial") != (self.amount is not None):
            raise ValueError("outcome partial, and no other, takes an amount: what comes back")


class NewWarning(msgspec.Struct, forbid_unknown_fields=True):
    payment_intent: str
    fraud_type: str = "unauthorized_use_of_card"

    def __post_init__(self) -> None:
        _require_one_of("fraud_type", self.fraud_type, FRAUD_TYPES)


class PayoutOutcome(msgspec.Struct, forbid_unknown_fields=True):
    outcome: str
    failure_code: str | None = None

    def __post_init__(self) -> None:
        _require_payout_outcome(self.outcome, self.failure_code)


class NewPayout(msgspec.Struct, forbid_unknown_fields=True):
    account: str
    amount: int | None = None
    currency: str | None = None
    outcome: str | None = None
    failure_code: str | None = None

    def __post_init__(self) -> None:
        _require_payout_outcome(self.outcome, self.failure_code)


class NewRefund(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    payment_intent: str
    amount: int | None = None
    reason: str | None = None
    reverse_transfer: bool = False
    refund_application_fee: bool = False

    def __post_init__(self) -> None:
        reasons = (None, "duplicate", "fraudulent", "requested_by_customer")
        _require_one_of("reason", self.reason, reasons)


class RefundFate(msgspec.Struct, forbid_unknown_fields=True):
    status: str
    failure_reason: str | None = None

    def __post_init__(self) -> None:
        _require_one_of("status", self.status, ("succeeded", "failed", "canceled"))
        _require_one_of("failure_reason", self.failure_reason, (None, *refund_fates.FAILURES))
        if self.failure_reason is not None and self.status != "failed":
            raise ValueError("only a refund that failed has a failure_reason")


class BalanceRules(msgspec.Struct, forbid_unknown_fields=True):
    overdrafts: bool | msgspec.UnsetType = msgspec.UNSET
    settles_in: Annotated[str, msgspec.Meta(pattern="^[a-z]{3}$")] | msgspec.UnsetType | None = (
        msgspec.UNSET
    )
    exchange_rate: Annotated[float, msgspec.Meta(gt=0)] = 1.0

    def __post_init__(self) -> None:
        if self.overdrafts is msgspec.UNSET and self.settles_in is msgspec.UNSET:
            raise ValueError("name overdrafts or settles_in")


def _require_one_of(name: str, value: str | None, known: tuple[str | None, ...]) -> None:
    if value not in known:
        words = ", ".join(word for word in known if word is not None)
        raise ValueError(f"{name} is one of {words}")


def _require_payout_outcome(outcome: str | None, code: str | None) -> None:
    _require_one_of("outcome", outcome, (None, "paid", "failed"))
    _require_one_of("failure_code", code, (None, *payouts.FAILURES))
    if code is not None and outcome != "failed":
        raise ValueError("only a payout that failed has a failure_code")


DECISIONS = {
    "won": disputes.win,
    "lost": disputes.lose,
    "closed": disputes.close_inquiry,
    "escalated": disputes.escalate,
}


async def open_dispute(sandbox: Sandbox, request: Request) -> Json:
    asked = body_of(request, NewDispute)
    charge = _charge_of(sandbox.world, asked.payment_intent)
    dispute = disputes.open_dispute(
        sandbox.world, charge, asked.amount, reason=asked.reason, inquiry=asked.inquiry
    )
    return _shown(dispute)


async def decide_dispute(sandbox: Sandbox, request: Request) -> Json:
    world, asked = sandbox.world, body_of(request, DisputeOutcome)
    dispute = world.find("dispute", last_of(request))
    if asked.amount is not None:
        disputes.win_in_part(world, dispute, asked.amount)
    else:
        DECISIONS[asked.outcome](world, dispute)
    return _shown(dispute)


async def warn_of_fraud(sandbox: Sandbox, request: Request) -> Json:
    asked = body_of(request, NewWarning)
    charge = _charge_of(sandbox.world, asked.payment_intent)
    return _shown(warn(sandbox.world, charge, asked.fraud_type))


async def pay_out(sandbox: Sandbox, request: Request) -> Json:
    world, asked = sandbox.world, body_of(request, NewPayout)
    world.account(asked.account)
    currency, available = _available(world, asked)
    amount = available if asked.amount is None else asked.amount
    require_positive(amount, "amount")
    payout = payouts.pay_out_by_hand(world, asked.account, amount, currency)
    _decide_payout(world, payout, asked.outcome, asked.failure_code)
    return _shown(payout)


def _available(world: World, asked: NewPayout) -> tuple[str, int]:
    """The currency to pay out (the one there is most of unless one is named), and what is there."""
    held = balances.funds(world, "available", account=asked.account)
    if asked.currency is not None:
        currency = require_currency(asked.currency)
        return currency, held.get(currency, 0)
    if not held:
        raise refused(f"Account {asked.account} has never had any money.", param="account")
    return max(held.items(), key=lambda each: each[1])


async def decide_payout(sandbox: Sandbox, request: Request) -> Json:
    asked = body_of(request, PayoutOutcome)
    payout = sandbox.world.find_any("payout", last_of(request))
    _decide_payout(sandbox.world, payout, asked.outcome, asked.failure_code)
    return _shown(payout)


def _decide_payout(world: World, payout: Json, outcome: str | None, code: str | None) -> None:
    if outcome == "failed":
        payouts.fail(world, payout["id"], code or "could_not_process")
    elif outcome == "paid":
        payouts.arrive(world, payout["id"])


async def refund(sandbox: Sandbox, request: Request) -> Json:
    params = msgspec.to_builtins(body_of(request, NewRefund))
    return _shown(refunds.create(Call(sandbox.world, "POST", "/v1/refunds", params=params)))


async def decide_refund(sandbox: Sandbox, request: Request) -> Json:
    world, asked = sandbox.world, body_of(request, RefundFate)
    found = world.find("refund", last_of(request))
    match asked.status:
        case "succeeded":
            refund_fates.succeed(world, found)
        case "failed":
            refund_fates.fail(world, found, asked.failure_reason or "unknown")
        case _:
            refund_fates.cancel(world, found)
    return _shown(found)


async def change_balance_rules(sandbox: Sandbox, request: Request) -> Json:
    asked = body_of(request, BalanceRules)
    if asked.overdrafts is not msgspec.UNSET:
        refund_fates.allow_overdrafts(sandbox.world, asked.overdrafts)
    if asked.settles_in is not msgspec.UNSET:
        balances.settle_in(sandbox.world, asked.settles_in, asked.exchange_rate)
    sandbox.world.tick()
    return msgspec.to_builtins(asked)  # type: ignore[no-any-return]


def _charge_of(world: World, intent_id: str) -> Json:
    """The charge that paid a PaymentIntent; 400 when nothing did."""
    intent = world.find("payment_intent", intent_id, param="payment_intent")
    if intent["status"] != "succeeded":
        raise refused(f"PaymentIntent {intent_id} has not been paid.", param="payment_intent")
    return world.find("charge", intent["latest_charge"])


def _shown(obj: Json) -> Json:
    shown: Json = public(obj)
    return shown


CONTROLS: dict[tuple[str, str, bool], Control] = {
    ("POST", "disputes", False): open_dispute,
    ("POST", "disputes", True): decide_dispute,
    ("POST", "early-fraud-warnings", False): warn_of_fraud,
    ("POST", "payouts", False): pay_out,
    ("POST", "payouts", True): decide_payout,
    ("POST", "refunds", False): refund,
    ("POST", "refunds", True): decide_refund,
    ("POST", "balances", False): change_balance_rules,
}
