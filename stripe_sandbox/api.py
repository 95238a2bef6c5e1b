"""The way of a request to Stripe's API, from key to kept answer."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

import msgspec

from . import parameters
from .authentication import (
    Caller,
    authenticate,
    require_access,
    require_secret,
    require_version,
)
from .balances import insufficient
from .errors import Json, StripeError, missing_resource
from .expansion import expanded
from .faults import Fault
from .forms import decode_form
from .http import Answer, ConnectionCut, Request
from .idempotency import Kept, Slot, fingerprint_of, in_use
from .routes import Call, Route, find_route
from .sandbox import Sandbox
from .world import API_VERSION, Cause, for_browser, public

log = logging.getLogger("stripe_sandbox")

RATE_LIMITED = (
    "Request rate limit exceeded. You can learn more about rate limits here "
    "https://stripe.com/docs/rate-limits."
)
LOCKED = (
    "This object cannot be accessed right now because another API request or Stripe process is "
    "currently accessing it. If you see this error intermittently, retry the request. If you see "
    "this error frequently and are making multiple concurrent requests to a single object, make "
    "your requests serially or at a lower rate."
)
FAILED = (
    "An unknown error occurred. If you are seeing this repeatedly, please let us know at "
    "https://support.stripe.com/."
)
GARBAGE = b"<html><head><title>502 Bad Gateway</title></head><body>upstream</body></html>"


@dataclass(slots=True)
class Outcome:
    """What executing came to: the answer to keep under the key."""

    status: int
    body: bytes
    executed: bool = True
    headers: dict[str, str] | None = None


@dataclass(slots=True)
class Admitted:
    """A request whose key, version, account and path are right."""

    request: Request
    request_id: str
    route: Route
    args: dict[str, str]
    given: Json
    caller: Caller
    account: str | None
    fault: Fault | None

    @property
    def v2(self) -> bool:
        return self.request.path.startswith("/v2/")

    @property
    def slot(self) -> Slot | None:
        """Where the idempotency key is kept; GET and v1 DELETE ignore keys."""
        key = self.request.headers.get("idempotency-key")
        counts = self.request.method == "POST" or (self.v2 and self.request.method == "DELETE")
        return Slot(self.account, self.v2, key) if key and counts else None


async def answer_api(sandbox: Sandbox, request: Request) -> Answer:
    """Stripe's answer, with the headers Stripe sends. Raises ConnectionCut for a lost one."""
    request_id = sandbox.world.mint("req", 14)
    record = _record(sandbox, request, request_id)
    try:
        answer = await _answer(sandbox, request, request_id)
    except StripeError as error:
        answer = _answered(_failure(error, request, request_id))
    except ConnectionCut:
        record["status"] = None
        raise
    finally:
        sandbox.requests.append(record)
    record["status"] = answer.status
    record["replayed"] = "idempotent-replayed" in answer.headers
    answer.headers["request-id"] = request_id
    answer.headers["stripe-version"] = API_VERSION
    if key := request.headers.get("idempotency-key"):
        answer.headers["idempotency-key"] = key
    return answer


def _record(sandbox: Sandbox, request: Request, request_id: str) -> dict[str, Any]:
    return {
        "at": sandbox.world.now(),
        "method": request.method,
        "path": request.path,
        "request_id": request_id,
        "idempotency_key": request.headers.get("idempotency-key"),
        "account": request.headers.get("stripe-account"),
        "status": None,
        "replayed": False,
    }


async def _answer(sandbox: Sandbox, request: Request, request_id: str) -> Answer:
    admitted = _admit(sandbox, request, request_id)
    _refuse_by_fault(admitted)
    slot = admitted.slot
    if slot is not None:
        fingerprint = fingerprint_of(request.method, request.path, admitted.given)
        kept = sandbox.keys.begin(slot, fingerprint, sandbox.world.now())
        if kept is not None:
            return _after_execution(admitted, _replayed(kept))
    kept_outcome = Outcome(500, b"", executed=False)
    try:
        kept_outcome = await _execute(sandbox, admitted)
    finally:
        if slot is not None:
            sandbox.keys.conclude(
                slot,
                status=kept_outcome.status,
                body=kept_outcome.body,
                request_id=request_id,
                executed=kept_outcome.executed,
                now=sandbox.world.now(),
            )
    return _after_execution(admitted, _answered(kept_outcome))


# ------------------------------------------------------------------------------------ admission


def _admit(sandbox: Sandbox, request: Request, request_id: str) -> Admitted:
    v2 = request.path.startswith("/v2/")
    given = _decode(request, v2=v2)
    form_key = given.get("key")
    caller = authenticate(
        request.headers.get("authorization"), form_key if isinstance(form_key, str) else None
    )
    version = given.get("_stripe_version") if caller.publishable else None
    require_version(request.headers.get("stripe-version") or version, v2=v2)
    route, args = find_route(request.method, request.path)
    if not route.publishable:
        require_secret(caller)
    account = request.headers.get("stripe-account") or request.headers.get("stripe-context")
    require_access(sandbox.world, account, route)
    fault = sandbox.faults.of_request(request.method, request.path)
    return Admitted(request, request_id, route, args, given, caller, account, fault)


def _decode(request: Request, *, v2: bool) -> Json:
    if request.method != "POST":
        return decode_form(request.query)
    if not v2:
        return decode_form(request.body)
    try:
        given = msgspec.json.decode(request.body or b"{}")
    except (msgspec.DecodeError, RecursionError) as error:
        raise _not_json() from error
    if not isinstance(given, dict):
        raise _not_json()
    return given


def _not_json() -> StripeError:
    return StripeError(
        400, "The request body is not a JSON object.", code="invalid_json", executed=False
    )


def _refuse_by_fault(admitted: Admitted) -> None:
    match admitted.fault.fault if admitted.fault else None:
        case "lost_before":
            raise ConnectionCut
        case "rate_limit":
            headers = {"stripe-rate-limited-reason": "global-rate"}
            raise StripeError(429, RATE_LIMITED, code="rate_limit", headers=headers, executed=False)
        case "lock_timeout":
            headers = {"stripe-should-retry": "true"}
            raise StripeError(429, LOCKED, code="lock_timeout", headers=headers, executed=False)
        case "missing":
            _, _, kind, id, *_ = f"{admitted.request.path}//".split("/")
            raise missing_resource(kind.removesuffix("s"), id)
        case "in_use":
            raise in_use(admitted.request.headers.get("idempotency-key", ""))


# ------------------------------------------------------------------------------------ execution


async def _execute(sandbox: Sandbox, admitted: Admitted) -> Outcome:
    fault = admitted.fault.fault if admitted.fault else None
    if fault == "slow" and admitted.fault:
        await asyncio.sleep(admitted.fault.seconds)
    if fault == "error_500":
        return _failed(admitted)
    if fault == "balance_insufficient":
        short = insufficient("Insufficient funds in the Stripe account for this request.")
        return _failure(short, admitted.request, admitted.request_id)
    outcome = _run(sandbox, admitted)
    if fault == "error_500_after" and not admitted.v2:
        return _failed(admitted)
    return outcome


def _run(sandbox: Sandbox, admitted: Admitted) -> Outcome:
    world = sandbox.world
    key = admitted.request.headers.get("idempotency-key")
    try:
        call = _call(sandbox, admitted)
        world.tick()
        world.cause = Cause(admitted.request_id, key)
        answer = expanded(world, admitted.route.handler(call), call.expand)
        if call.publishable:
            answer = for_browser(answer)
        return Outcome(200, msgspec.json.encode(answer))
    except StripeError as error:
        if admitted.caller.publishable:
            error.extra = for_browser(error.extra)
        return _failure(error, admitted.request, admitted.request_id)
    except Exception:
        log.exception("%s %s failed", admitted.request.method, admitted.request.path)
        return _failed(admitted)
    finally:
        world.cause = None


def _call(sandbox: Sandbox, admitted: Admitted) -> Call:
    request = admitted.request
    browser = admitted.caller.publishable
    params = parameters.check(
        admitted.route.parameters_of,
        admitted.given,
        typed=admitted.v2 and request.method == "POST",
        browser=browser,
    )
    expand = params.pop("expand", [])
    if browser and expand:
        raise StripeError(
            400, "You cannot expand with a publishable key.", param="expand", executed=False
        )
    for name in ("key", "_stripe_version"):
        params.pop(name, None)
    return Call(
        world=sandbox.world,
        method=request.method,
        path=request.path,
        args=admitted.args,
        params=params,
        publishable=browser,
        account=admitted.account,
        request_id=admitted.request_id,
        idempotency_key=request.headers.get("idempotency-key"),
        expand=expand,
        base_url=request.base_url,
        config=sandbox.config,
    )


# -------------------------------------------------------------------------------------- answers


def _after_execution(admitted: Admitted, answer: Answer) -> Answer:
    match admitted.fault.fault if admitted.fault else None:
        case "lost_after":
            raise ConnectionCut
        case "garbage":
            return Answer(200, GARBAGE, {"content-type": "text/html"})
        case "error_500_after" if answer.status < 400:
            return _answered(_failed(admitted))
    return answer


def _failed(admitted: Admitted) -> Outcome:
    return _failure(StripeError(500, FAILED), admitted.request, admitted.request_id)


def _failure(error: StripeError, request: Request, request_id: str) -> Outcome:
    v2 = request.path.startswith("/v2/")
    # Stripe's points into its Dashboard; ours to what the sandbox remembers of the request
    log_url = f"{request.base_url}/_sandbox/requests?id={request_id}"
    body = msgspec.json.encode(public(error.body(v2=v2, log_url=log_url)))
    return Outcome(error.status, body, error.executed, error.headers)


def _answered(outcome: Outcome) -> Answer:
    headers = {"content-type": "application/json", **(outcome.headers or {})}
    return Answer(outcome.status, outcome.body, headers)


def _replayed(kept: Kept) -> Answer:
    headers = {
        "content-type": "application/json",
        "idempotent-replayed": "true",
        "original-request": kept.request_id,
    }
    return Answer(kept.status, kept.body, headers)
