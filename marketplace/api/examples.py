"""Examples for the API's description: of every body that is sent, every answer, and every problem.

A structure's own examples come first. For what it leaves out, a field's name says enough: `order_id` is
the same thing everywhere.
"""

from typing import Any

from marketplace.api.problem_table import require_meaning

Schemas = dict[str, Any]

_MOMENT = "2026-11-21T14:30:00Z"
_LATER = "2026-11-22T14:30:00Z"

_ID_PREFIXES = {
    "order_id": "ord",
    "buyer_id": "acc",
    "seller_id": "sel",
    "listing_id": "lst",
    "payment_id": "pay",
    "account_id": "acc",
    "schedule_id": "fsc",
    "created_by": "acc",
    "actor": "acc",
    "asked_by": "acc",
    "decided_by": "acc",
    "listing_ids": "lst",
}

_SAMPLES: dict[str, Any] = {
    "title": "Breathing, one to one",
    "description": "Fifty minutes, by video.",
    "body": "When does the mat arrive?",
    "rule_id": "everything-else",
    "error_message": "Stripe is busy",
    "category": "coaching",
    "currency": "eur",
    "amount": 6_000,
    "unit_amount": 6_000,
    "total": 6_000,
    "amount_captured": 6_000,
    "amount_refunded": 0,
    "application_fee": 900,
    "fee_captured": 900,
    "fee_refunded": 0,
    "processing_cost": 204,
    "basis_points": 1_500,
    "available": None,
    "stock_on_hand": None,
    "stock_reserved": 0,
    "position": 0,
    "payment_intent": "pi_3Q8...",
    "card_brand": "visa",
    "card_last4": "9995",
    "csrf_token": "c15c79b873e50094bd9230b30713b9bc",
    "deadline_status": "currently_due",
    "errors": [],
    "pending": [],
    "scopes": ["orders:read"],
    "has_more": False,
    "is_admin": False,
    "suspended": False,
    "same_card": False,
    "cause": "pay_01k9zc3v5m8q2r4t6w8y0abcde:captured:6000",
    "request_id": "req_01k9zc3v5m8q2r4t6w8y0abcde",
}

# What an answer may hold and mostly does not: an example with it would tell of another situation.
_MOSTLY_NULL = frozenset(
    {
        "suspended_at",
        "suspension_reason",
        "frozen_at",
        "freeze_reason",
        "failure_reason",
        "expires_at",
        "deadline",
        "capture_before",
        "group_id",
        "state",
        "line2",
        "prepare_by",
        "completes_at",
        "shipment",
        "amount_from",
        "amount_below",
    }
)

_UNDECIDED = {"state": "asked", "decided_by": None, "decided_at": None, "decision_reason": None}
_UNFREEZING = {
    "action": "seller.unfreeze",
    "subject": "sel_01k9zc3v5m8q2r4t6w8y0abcde",
    "facts": {},
    "reason": "The parcels were found",
}

# What an operation answers otherwise than its structure's example does.
_OTHERWISE: dict[tuple[str, str], dict[str, Any]] = {
    ("place_order", "201"): {"status": "checkout", "payment": None},
    ("cancel_order", "200"): {"status": "canceled", "payment": None},
    ("open_seller", "201"): {"approval": "pending", "approval_reason": None, "approved_at": None},
    ("suspend_seller", "200"): {
        "suspended_at": _MOMENT,
        "suspension_reason": "Several buyers were not served",
    },
    ("ask_unfreezing", "202"): _UNFREEZING | _UNDECIDED,
    ("ask_for_write_off", "201"): _UNDECIDED,
    ("refuse", "200"): {"state": "refused", "decision_reason": "They are paying it back"},
    ("ready", "503"): {"status": "not_ready", "database": {"status": "unavailable"}},
}

_PROBLEM_CODES = {
    "400": "invalid_body",
    "401": "not_signed_in",
    "402": "insufficient_funds",
    "403": "scope_missing",
    "404": "order_not_found",
    "409": "order_step_refused",
    "413": "body_too_large",
    "415": "media_type_unsupported",
    "422": "amount_invalid",
    "429": "too_many_tries",
    "500": "internal_error",
    "503": "payments_unavailable",
}
_PROBLEM_DATA: dict[str, dict[str, Any]] = {
    "400": {"errors": [{"field": "lines[0].quantity", "message": "Expected `int`, got `float`"}]},
    "401": {"why": "missing"},
    "403": {"scope": "orders:write"},
    "409": {"order_status": "expired", "step": "preparation_asked"},
    "422": {"why": "too_small", "amount": 10, "currency": "eur", "limit": 50},
    "429": {"retry_after_seconds": 30},
}


# What a body says beside what it must: without it another member would be refused.
_SENT_TOO: dict[str, dict[str, Any]] = {
    "switch_off": {"target": "DE"},
    "edit_fee_draft": {"title": "The prices of 2027"},
}


def give_examples(document: dict[str, Any]) -> None:
    """Every body that is sent gets what it must have, every answer all it can have."""
    schemas: Schemas = document["components"]["schemas"]
    for item in document["paths"].values():
        for operation in item.values():
            for media in operation.get("requestBody", {}).get("content", {}).values():
                value = _example(media["schema"], schemas, whole=False)
                value |= _SENT_TOO.get(operation["operationId"], {})
                media.setdefault("examples", {"shortest": {"value": value}})
            for status, response in operation["responses"].items():
                otherwise = _OTHERWISE.get((operation["operationId"], status), {})
                for kind, media in response.get("content", {}).items():
                    if kind != "application/json":
                        continue  # a file
                    value = _example(media["schema"], schemas, whole=True) | otherwise
                    media.setdefault("examples", {"whole": {"value": value}})


def problem_example(status: str) -> dict[str, Any]:
    """A problem document as it is answered with `status`."""
    code = _PROBLEM_CODES[status]
    number, title = require_meaning(code)
    return {
        "type": f"/problems/{code}",
        "title": title,
        "status": number,
        "code": code,
        "request_id": _SAMPLES["request_id"],
        **_PROBLEM_DATA.get(status, {}),
    }


def _example(schema: dict[str, Any], schemas: Schemas, *, whole: bool, name: str = "") -> Any:
    if "$ref" in schema:
        found = schemas[schema["$ref"].rpartition("/")[2]]
        return _example(found, schemas, whole=whole, name=name)
    if schema.get("examples"):
        return schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    if "oneOf" in schema:
        return _of_several(schema["oneOf"], schemas, whole=whole, name=name)
    if name in _SAMPLES:
        return _SAMPLES[name]
    match schema.get("type"):
        case "object":
            return _of_object(schema, schemas, whole=whole)
        case "array":
            return [_example(schema["items"], schemas, whole=whole, name=name)]
        case "integer":
            return int(schema.get("minimum", 1))
        case "boolean":
            return True
        case _:
            return _of_text(schema, name)


def _of_several(choices: list[dict[str, Any]], schemas: Schemas, *, whole: bool, name: str) -> Any:
    if name in _MOSTLY_NULL and {"type": "null"} in choices:
        return None
    first = next(each for each in choices if each != {"type": "null"})
    return _example(first, schemas, whole=whole, name=name)


def _of_object(schema: dict[str, Any], schemas: Schemas, *, whole: bool) -> dict[str, Any]:
    known = schema.get("properties", {})
    # Where nothing must be said, a first field shows what may.
    named = list(known) if whole else schema.get("required") or list(known)[:1]
    return {
        each: _example(known[each], schemas, whole=whole, name=each)
        for each in known
        if each in named
    }


def _of_text(schema: dict[str, Any], name: str) -> str:
    if schema.get("format") == "date-time":
        return _LATER if name.endswith("expires_at") else _MOMENT
    if name in _ID_PREFIXES:
        return f"{_ID_PREFIXES[name]}_01k9zc3v5m8q2r4t6w8y0abcde"
    return "text"
