"""What an answer of Stripe that is not a yes means: one pure table from HTTP to our errors.

The journal of operations acts on the class alone, so exactly one of these is true of any failure:
StripeRejected (and CardDeclined, SellerCannotReceive), NotSent, OutcomeUnknown,
StripeMisconfigured.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from payments.errors import (
    CardDeclined,
    NotSent,
    OutcomeUnknown,
    PaymentError,
    SellerCannotReceive,
    StripeMisconfigured,
    StripeRejected,
)
from payments.gateway import IntentSnapshot
from payments.stripe_snapshots import intent_snapshot
from payments.stripe_wire import PaymentIntentObject

SELLER_CODES = frozenset(
    {
        "account_closed",
        "account_invalid",
        "capability_not_active",
        "insufficient_capabilities_for_transfer",
        "no_account",
        "transfers_not_allowed",
    }
)
"""Stripe's no to the destination account."""

BUSY_CODES = frozenset({"idempotency_key_in_use", "lock_timeout", "rate_limit"})
"""Refused before anything was executed; the same key may be sent again."""

OUR_MISTAKES = frozenset(
    {
        "api_key_expired",
        "invalid_api_version",
        "livemode_mismatch",
        "parameter_invalid_empty",
        "parameter_invalid_integer",
        "parameter_invalid_string_blank",
        "parameter_invalid_string_empty",
        "parameter_missing",
        "parameter_unknown",
        "parameters_exclusive",
        "payment_method_types_no_longer_supported",
        "platform_api_key_expired",
        "secret_key_required",
        "testmode_charges_only",
    }
)
"""Our key or our request is wrong: no retry helps, an operator must look."""


class StripeErrorObject(msgspec.Struct, frozen=True, kw_only=True):
    """The `error` of an answer, as far as we read it."""

    type: str = ""
    code: str | None = None
    param: str | None = None
    message: str = ""
    decline_code: str | None = None
    advice_code: str | None = None
    payment_intent: dict[str, Any] | None = None


def refusal(status: int, body: object, headers: Mapping[str, str]) -> PaymentError:
    """The one error that an answer outside 200..299, or one without JSON, stands for.

    `body` is the decoded JSON, or None when there was none. `headers` ignore case.
    """
    request_id = headers.get("request-id")
    error = _error_object(body)
    if status == 429 or status == 409 or (error and error.code in BUSY_CODES):
        return NotSent((error and error.code) or f"http_{status}", request_id=request_id)
    if status >= 500 or status == 424:
        replayed = headers.get("idempotent-replayed") == "true"
        return OutcomeUnknown(f"http_{status}", request_id=request_id, replayed=replayed)
    if error is None or not 400 <= status < 500:
        return OutcomeUnknown("unreadable", request_id=request_id)
    return _definite(status, error, request_id)


def _definite(status: int, error: StripeErrorObject, request_id: str | None) -> PaymentError:
    code = error.code or error.type or "unknown"
    names_seller = _names_the_seller(error)
    if not names_seller and _is_our_mistake(status, error):
        return StripeMisconfigured(code, message=error.message, request_id=request_id)
    if status == 402 or error.type == "card_error":
        return CardDeclined(
            code,
            decline_code=error.decline_code,
            advice_code=error.advice_code,
            message=error.message,
            request_id=request_id,
            snapshot=_snapshot(error, request_id),
        )
    kind = SellerCannotReceive if names_seller else StripeRejected
    return kind(
        code,
        message=error.message,
        http_status=status,
        request_id=request_id,
        snapshot=_snapshot(error, request_id),
    )


def _names_the_seller(error: StripeErrorObject) -> bool:
    unknown_account = (
        error.code == "resource_missing" and error.param == "transfer_data[destination]"
    )
    return error.code in SELLER_CODES or unknown_account


def _is_our_mistake(status: int, error: StripeErrorObject) -> bool:
    wrong = error.code in OUR_MISTAKES or error.type == "idempotency_error"
    return wrong or status in (401, 403)


def _error_object(body: object) -> StripeErrorObject | None:
    if not isinstance(body, dict):
        return None
    try:
        return msgspec.convert(body.get("error"), StripeErrorObject)
    except msgspec.ValidationError:
        return None


def _snapshot(error: StripeErrorObject, request_id: str | None) -> IntentSnapshot | None:
    """The PaymentIntent beside the no; an unreadable one is left out, the no is certain."""
    if error.payment_intent is None:
        return None
    try:
        shown = msgspec.convert(error.payment_intent, PaymentIntentObject)
    except msgspec.ValidationError:
        return None
    return intent_snapshot(shown, request_id)
