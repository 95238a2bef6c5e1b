"""Connected accounts: Accounts v2 with the recipient configuration.

An account is kept whole; what an answer shows of it depends on `include`. It starts unable to
receive transfers or payouts, with requirements that are past due until onboarding provides them.
"""

import copy

from .errors import Json, StripeError, refused
from .routes import Call, page_of, route
from .world import World

KIND = "v2.core.account"
CAPABILITIES = ("stripe_transfers", "payouts")
STATUSES = ("active", "pending", "rejected", "restricted", "unsupported")
INCLUDABLE = ("defaults", "future_requirements", "identity", "requirements")
REASONS: dict[str, Json] = {
    "pending": {"code": "requirements_pending_verification", "resolution": "no_resolution"},
    "rejected": {"code": "rejected_other", "resolution": "contact_stripe"},
    "restricted": {"code": "requirements_past_due", "resolution": "provide_info"},
    "unsupported": {"code": "unsupported_business", "resolution": "no_resolution"},
}
"""Why a capability has a status, when nothing more precise is told."""

ONBOARDING_REQUIREMENTS = (
    "identity.individual.given_name",
    "identity.individual.surname",
    "identity.individual.date_of_birth",
    "identity.individual.address",
    "defaults.profile.product_description",
    "configuration.recipient.default_outbound_destination",
    "identity.attestations.terms_of_service.account",
)


@route("POST", "/v2/core/accounts")
def create(call: Call) -> Json:
    """Open an account; both responsibilities must be named together."""
    world, params = call.world, call.params
    recipient = _recipient_of(params)
    responsibilities = (params.get("defaults") or {}).get("responsibilities")
    _require_supported(params, responsibilities)
    account: Json = {
        "id": world.mint("acct", 16),
        "object": KIND,
        "applied_configurations": ["recipient"] if recipient is not None else [],
        "closed": False,
        "configuration": {},
        "contact_email": params.get("contact_email"),
        "contact_phone": params.get("contact_phone"),
        "created": world.timestamp(),
        "dashboard": params.get("dashboard") or "none",
        "defaults": {},
        "display_name": params.get("display_name"),
        "future_requirements": {"entries": []},
        "identity": {},
        "livemode": False,
        "metadata": _strings(params.get("metadata") or {}),
        "requirements": requirements_of([]),
    }
    account["defaults"] = _without_nulls(params.get("defaults") or {})
    account["defaults"]["responsibilities"] = {
        **(responsibilities or {}),
        "requirements_collector": "stripe",
    }
    account["identity"] = _identity(params.get("identity") or {})
    if recipient is not None:
        _apply_recipient(account)
    world.put(account)
    world.emit_thin("v2.core.account.created", account["id"])
    return shown(call, account)


def _recipient_of(params: Json) -> Json | None:
    configuration = params.get("configuration") or {}
    for name in ("merchant", "customer"):
        if configuration.get(name) is not None:
            raise refused(
                f"The sandbox simulates the recipient configuration only, not {name}.",
                code="configuration_not_supported",
                param=f"configuration.{name}",
            )
    recipient: Json | None = configuration.get("recipient")
    return recipient


def _require_supported(params: Json, responsibilities: Json | None) -> None:
    if params.get("account_token") is not None:
        raise refused("Account tokens are not simulated.", param="account_token")
    if params.get("dashboard") == "express" and responsibilities != {
        "fees_collector": "application",
        "losses_collector": "application",
    }:
        raise refused(
            "An account with the Express dashboard needs defaults.responsibilities with "
            "fees_collector and losses_collector both set to application.",
            code="invalid_responsibilities",
            param="defaults.responsibilities",
        )
    country = (params.get("identity") or {}).get("country")
    if country is not None and not (len(country) == 2 and country.isalpha()):
        raise refused(
            f"Country '{country[:20]}' is unknown. Try using a 2-character alphanumeric country "
            "code instead, such as 'us', 'gb', or 'ca'.",
            code="country_unsupported",
            param="identity.country",
        )


def _apply_recipient(account: Json) -> None:
    restricted: Json = {"status": "restricted", "status_details": [REASONS["restricted"]]}
    capabilities = {name: copy.deepcopy(restricted) for name in CAPABILITIES}
    account["applied_configurations"] = ["recipient"]
    account["configuration"]["recipient"] = {
        "applied": True,
        "capabilities": {"stripe_balance": capabilities},
    }
    account["requirements"] = requirements_of(
        [{"description": each, "deadline": "past_due"} for each in ONBOARDING_REQUIREMENTS]
    )


def requirements_of(entries: list[Json]) -> Json:
    """Stripe's requirements from short entries `{description, deadline, awaiting_action_from}`."""
    if not entries:
        return {"entries": []}
    deadlines = ("past_due", "currently_due", "eventually_due")
    nearest = min((deadlines.index(e["deadline"]) for e in entries), default=0)
    return {
        "entries": [_entry(e) for e in entries],
        "summary": {"minimum_deadline": {"status": deadlines[nearest]}},
    }


def _entry(entry: Json) -> Json:
    deadline = {"status": entry["deadline"]}
    return {
        "awaiting_action_from": entry.get("awaiting_action_from", "user"),
        "description": entry["description"],
        "errors": [],
        "impact": {
            "restricts_capabilities": [
                {
                    "capability": f"stripe_balance.{name}",
                    "configuration": "recipient",
                    "deadline": deadline,
                }
                for name in CAPABILITIES
            ]
        },
        "minimum_deadline": deadline,
        "requested_reasons": [{"code": "routine_onboarding"}],
    }


@route("GET", "/v2/core/accounts/{id}")
def retrieve(call: Call) -> Json:
    """One account."""
    return shown(call, require(call))


@route("POST", "/v2/core/accounts/{id}")
def update(call: Call) -> Json:
    """Change contact, identity, defaults, metadata or apply the recipient configuration."""
    account, params = require(call), call.params
    if account["closed"]:
        raise refused("This account is closed and cannot be updated.", code="account_closed")
    recipient = _recipient_of(params)
    _merge(account, params)
    id = account["id"]
    call.world.emit_thin("v2.core.account.updated", id)
    for part in ("defaults", "identity"):
        if params.get(part) is not None:
            call.world.emit_thin(f"v2.core.account[{part}].updated", id)
    if recipient is not None:
        if "recipient" not in account["applied_configurations"]:
            _apply_recipient(account)
        call.world.emit_thin("v2.core.account[configuration.recipient].updated", id)
    return shown(call, account)


def _merge(account: Json, params: Json) -> None:
    for name in ("contact_email", "contact_phone", "dashboard", "display_name"):
        if name in params:
            account[name] = params[name]
    for name, value in (params.get("metadata") or {}).items():
        if value in (None, ""):
            account["metadata"].pop(name, None)
        else:
            account["metadata"][name] = str(value)
    if params.get("defaults"):
        kept = account["defaults"]["responsibilities"]
        account["defaults"].update(_without_nulls(params["defaults"]))
        chosen = params["defaults"].get("responsibilities") or {}
        account["defaults"]["responsibilities"] = {**kept, **chosen}
    if params.get("identity"):
        account["identity"].update(_identity(params["identity"]))


@route("POST", "/v2/core/accounts/{id}/close")
def close(call: Call) -> Json:
    """Close for good; every applied configuration must be named."""
    account = require(call)
    if account["closed"]:
        raise refused("This account is already closed.", code="account_closed")
    named = set(call.params.get("applied_configurations") or [])
    if named != set(account["applied_configurations"]):
        raise refused(
            "All applied configurations must be specified to close the account: "
            f"{', '.join(account['applied_configurations'])}.",
            code="invalid_applied_configurations",
            param="applied_configurations",
        )
    close_account(call.world, account)
    return shown(call, account)


@route("GET", "/v2/core/accounts")
def list_accounts(call: Call) -> Json:
    """Accounts, newest first, a page at a time."""
    wanted = set(call.params.get("applied_configurations") or [])
    closed = call.params.get("closed", False)
    chosen = [
        shown(call, account)
        for account in call.world.all(KIND)
        if account["closed"] == closed and wanted <= set(account["applied_configurations"])
    ]
    return page_of(call, chosen)


def require(call: Call) -> Json:
    """The account of the path, or 404."""
    return call.world.find(KIND, call.args["id"])


def shown(call: Call, account: Json) -> Json:
    """What an answer holds: the parts named in `include`, and never a field without a value."""
    include = call.params.get("include") or []
    answer = {k: v for k, v in account.items() if k not in (*INCLUDABLE, "configuration")}
    answer.update({name: account[name] for name in INCLUDABLE if name in include})
    named = [name.removeprefix("configuration.") for name in include if "." in name]
    applied = account["configuration"]
    if named:
        answer["configuration"] = {name: applied[name] for name in named if name in applied}
    if call.config.unrequested_as_null:
        if named:
            nulls = dict.fromkeys(("customer", "merchant", "recipient"))
            answer["configuration"] = {**nulls, **answer["configuration"]}
        return {**dict.fromkeys((*INCLUDABLE, "configuration")), **answer}
    return {k: v for k, v in answer.items() if v is not None}


# ----------------------------------------------------------------------- what changes by itself


def set_capability(world: World, account: Json, name: str, status: str) -> None:
    """Give a capability another status; tells the platform when it is another one."""
    capability = account["configuration"]["recipient"]["capabilities"]["stripe_balance"][name]
    if capability["status"] == status:
        return
    capability["status"] = status
    capability["status_details"] = [REASONS[status]] if status in REASONS else []
    world.emit_thin(
        "v2.core.account[configuration.recipient].capability_status_updated",
        account["id"],
        data={"updated_capability": f"stripe_balance.{name}"},
    )


def set_requirements(world: World, account: Json, entries: list[Json]) -> None:
    """Ask for these things from now on, and for nothing else."""
    account["requirements"] = requirements_of(entries)
    world.emit_thin("v2.core.account[requirements].updated", account["id"])


def close_account(world: World, account: Json) -> None:
    """Close for good: nothing can be received any more."""
    account["closed"] = True
    if "recipient" in account["configuration"]:
        for name in CAPABILITIES:
            set_capability(world, account, name, "restricted")
    world.emit_thin("v2.core.account.closed", account["id"])


def require_recipient(account: Json) -> None:
    """Raise 400 for an account without the recipient configuration."""
    if "recipient" not in account["applied_configurations"]:
        raise StripeError(
            400,
            "This account has no recipient configuration.",
            code="configuration_not_applied",
            param="account",
        )


def _identity(given: Json) -> Json:
    identity = _without_nulls(given)
    if "country" in identity:
        identity["country"] = identity["country"].lower()
    for name in ("individual", "business_details", "attestations"):
        identity.pop(name, None)  # personal data is not kept, so it is not shown either
    return identity


def _strings(metadata: Json) -> dict[str, str]:
    return {k: str(v) for k, v in metadata.items() if v not in (None, "")}


def _without_nulls(given: Json) -> Json:
    return {k: copy.deepcopy(v) for k, v in given.items() if v is not None}
