"""The control surface beside Stripe's paths: `/_sandbox/...`, for tests and demonstrations.

It answers JSON, takes JSON, needs no key, and is only as private as the loopback interface.
"""

import msgspec

from . import control_money
from .accounts import (
    CAPABILITIES,
    KIND,
    STATUSES,
    close_account,
    require_recipient,
    set_capability,
    set_requirements,
)
from .balances import funds
from .banks import replace_bank_accounts
from .config import Destination, Scope
from .control_requests import Control, body_of, last_of, query_of
from .errors import Json, StripeError
from .faults import Fault
from .http import Answer, Request
from .sandbox import Sandbox
from .world import public

INDEX = {
    "GET /_sandbox": "this list",
    "GET /_sandbox/clock": "the virtual time",
    "POST /_sandbox/clock": "{advance: seconds}: move it forward",
    "POST /_sandbox/accounts/{acct}": "{stripe_transfers?, payouts?: a v2 status word, "
    "requirements?: [{description, deadline, awaiting_action_from?}], closed?: true, "
    "new_bank_account?: true}",
    "GET /_sandbox/faults": "the switches that are set",
    "POST /_sandbox/faults": "{fault, method?, path?, event?, destination?, times?, skip?, "
    "seconds?, copies?}: set one",
    "DELETE /_sandbox/faults": "remove all, or one with ?id=",
    "GET /_sandbox/requests": "what was asked of Stripe, oldest first (?path= filters by prefix, ?id= "
    "finds one)",
    "GET /_sandbox/deliveries": "what was delivered, oldest first (?settle=seconds waits first)",
    "POST /_sandbox/deliveries/{event}": "{copies?: 1}: deliver an event again",
    "GET /_sandbox/destinations": "where events go",
    "POST /_sandbox/destinations": "{destinations: [{scope, url, secrets}]}: send them elsewhere",
    "GET /_sandbox/balances": "what each account holds, by currency",
    **control_money.INDEX,
    "POST /_sandbox/reset": "as on the first day",
}


class Clock(msgspec.Struct, forbid_unknown_fields=True):
    advance: int

    def __post_init__(self) -> None:
        if not 0 <= self.advance <= 10 * 366 * 24 * 3600:
            raise ValueError("advance lies between 0 and ten years, in seconds")


class Requirement(msgspec.Struct, forbid_unknown_fields=True):
    description: str
    deadline: str = "currently_due"
    awaiting_action_from: str = "user"

    def __post_init__(self) -> None:
        if self.deadline not in ("currently_due", "eventually_due", "past_due"):
            raise ValueError("deadline is currently_due, eventually_due or past_due")
        if self.awaiting_action_from not in ("user", "stripe"):
            raise ValueError("awaiting_action_from is user or stripe")


class AccountChange(msgspec.Struct, forbid_unknown_fields=True):
    stripe_transfers: str | None = None
    payouts: str | None = None
    requirements: list[Requirement] | None = None
    closed: bool = False
    new_bank_account: bool = False

    def __post_init__(self) -> None:
        if not {self.stripe_transfers, self.payouts} <= {*STATUSES, None}:
            raise ValueError(f"a status is one of {', '.join(STATUSES)}")


class Copies(msgspec.Struct, forbid_unknown_fields=True):
    copies: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.copies <= 1_000:
            raise ValueError("copies lies between 1 and 1000")


class DestinationChange(msgspec.Struct, forbid_unknown_fields=True):
    scope: Scope
    url: str
    secrets: list[str]


class DestinationsChange(msgspec.Struct, forbid_unknown_fields=True):
    destinations: list[DestinationChange]


async def answer_control(sandbox: Sandbox, request: Request) -> Answer:
    """The answer of a control, 400 for a body it does not take, 404 for an unknown one."""
    _, _, rest = request.path.strip("/").partition("/")
    name, _, id = rest.partition("/")
    control = CONTROLS.get((request.method, name, bool(id)))
    if control is None:
        return Answer.json({"error": {"message": "No such control", "controls": INDEX}}, 404)
    sandbox.world.tick()
    try:
        return Answer.json(await control(sandbox, request))
    except StripeError as error:
        return Answer.json(error.body(), error.status)
    except (msgspec.DecodeError, ValueError) as error:
        return Answer.json({"error": {"message": str(error)}}, 400)


async def index(_sandbox: Sandbox, _request: Request) -> Json:
    return {"controls": INDEX}


async def show_clock(sandbox: Sandbox, _request: Request) -> Json:
    world = sandbox.world
    return {
        "now": world.now(),
        "time": world.timestamp(),
        "offset_seconds": world.clock_offset_seconds,
    }


async def advance_clock(sandbox: Sandbox, request: Request) -> Json:
    sandbox.advance(body_of(request, Clock).advance)
    return await show_clock(sandbox, request)


async def change_account(sandbox: Sandbox, request: Request) -> Json:
    world, change = sandbox.world, body_of(request, AccountChange)
    account = world.find(KIND, last_of(request))
    require_recipient(account)
    for name in CAPABILITIES:
        if (status := getattr(change, name)) is not None:
            set_capability(world, account, name, status)
    if change.requirements is not None:
        set_requirements(world, account, [msgspec.to_builtins(r) for r in change.requirements])
    if change.new_bank_account:
        replace_bank_accounts(world, account)
    if change.closed and not account["closed"]:
        close_account(world, account)
    shown: Json = public(account)
    return shown


async def list_faults(sandbox: Sandbox, _request: Request) -> Json:
    return {"faults": [msgspec.to_builtins(f) for f in sandbox.faults.switches]}


async def add_fault(sandbox: Sandbox, request: Request) -> Json:
    added: Json = msgspec.to_builtins(sandbox.faults.add(body_of(request, Fault)))
    return added


async def remove_faults(sandbox: Sandbox, request: Request) -> Json:
    id = query_of(request, "id")
    return {"removed": sandbox.faults.clear(int(id) if id else None)}


async def list_requests(sandbox: Sandbox, request: Request) -> Json:
    prefix, id = query_of(request, "path") or "", query_of(request, "id")
    asked = [r for r in sandbox.requests if r["path"].startswith(prefix)]
    return {"requests": [r for r in asked if id in (None, r["request_id"])]}


async def list_deliveries(sandbox: Sandbox, request: Request) -> Json:
    settle = query_of(request, "settle")
    deliveries = sandbox.deliveries
    settled = await deliveries.settled(min(float(settle), 60.0)) if settle else None
    return {"settled": settled, "deliveries": [d.record() for d in deliveries.records]}


async def deliver_again(sandbox: Sandbox, request: Request) -> Json:
    emission = sandbox.world.emission(last_of(request))
    copies = body_of(request, Copies).copies
    again = sandbox.deliveries.send_again(emission, copies)
    return {"queued": len(again), "event": emission.event_id}


async def list_destinations(sandbox: Sandbox, _request: Request) -> Json:
    destinations = sandbox.deliveries.destinations
    return {"destinations": [{"scope": d.scope, "url": d.url} for d in destinations]}


async def change_destinations(sandbox: Sandbox, request: Request) -> Json:
    change = body_of(request, DestinationsChange)
    chosen = [Destination(d.scope, d.url, tuple(d.secrets)) for d in change.destinations]
    sandbox.deliveries.replace_destinations(chosen)
    return await list_destinations(sandbox, request)


async def show_balances(sandbox: Sandbox, _request: Request) -> Json:
    world = sandbox.world
    owners = sorted(world.owners("balance_transaction"), key=lambda owner: owner or "")
    shown: Json = {"platform": {}}
    for owner in owners:
        available, pending = (funds(world, s, account=owner) for s in ("available", "pending"))
        shown[owner or "platform"] = {
            currency: {"available": available[currency], "pending": pending[currency]}
            for currency in available
        }
    return {"balances": shown}


async def reset(sandbox: Sandbox, _request: Request) -> Json:
    sandbox.reset()
    return {"reset": True}


CONTROLS: dict[tuple[str, str, bool], Control] = {
    ("GET", "", False): index,
    ("GET", "clock", False): show_clock,
    ("POST", "clock", False): advance_clock,
    ("POST", "accounts", True): change_account,
    ("GET", "faults", False): list_faults,
    ("POST", "faults", False): add_fault,
    ("DELETE", "faults", False): remove_faults,
    ("GET", "requests", False): list_requests,
    ("GET", "deliveries", False): list_deliveries,
    ("POST", "deliveries", True): deliver_again,
    ("GET", "destinations", False): list_destinations,
    ("POST", "destinations", False): change_destinations,
    ("GET", "balances", False): show_balances,
    ("POST", "reset", False): reset,
    **control_money.CONTROLS,
}
