"""The errors Stripe answers, with Stripe's words and shapes."""

from typing import Any

Json = dict[str, Any]

DOCUMENTATION = "https://docs.stripe.com/error-codes"


class StripeError(Exception):
    """An answer other than 2xx: HTTP status, Stripe's error type, code, parameter and message.

    `type` follows from the status unless given. `extra` carries the objects an error may hold
    (`payment_intent`, `payment_method`, `charge`, ...). A handler that raises 400, 402, 404 or 500
    has begun executing, so the answer is kept under the idempotency key; `executed=False`
    (validation, authentication, limits, conflicts) keeps nothing.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str | None = None,
        code: str | None = None,
        param: str | None = None,
        decline_code: str | None = None,
        advice_code: str | None = None,
        extra: Json | None = None,
        headers: dict[str, str] | None = None,
        executed: bool = True,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.type = type or _type_of(status)
        self.code = code
        self.param = param
        self.decline_code = decline_code
        self.advice_code = advice_code
        self.extra = extra or {}
        self.headers = headers or {}
        self.executed = executed

    def body(self, *, v2: bool = False, log_url: str | None = None) -> Json:
        """The JSON document Stripe answers; fields without a value are left out, as Stripe does."""
        error: Json = {"message": self.message, "type": self.type}
        if log_url is not None and not v2:
            error["request_log_url"] = log_url
        if self.code is not None:
            error["code"] = self.code
            if not v2:
                error["doc_url"] = f"{DOCUMENTATION}/{self.code.replace('_', '-')}"
        for name in ("param", "decline_code", "advice_code"):
            if (value := getattr(self, name)) is not None:
                error[name] = value
        return {"error": {**error, **self.extra}}


def _type_of(status: int) -> str:
    if status == 402:
        return "card_error"
    if status >= 500 or status == 409:
        return "api_error"
    return "invalid_request_error"


def refused(message: str, *, code: str | None = None, param: str | None = None) -> StripeError:
    """A 400 for a request that is well formed and yet cannot be done."""
    return StripeError(400, message, code=code, param=param)


def invalid(message: str, *, code: str, param: str) -> StripeError:
    """A 400 for a parameter that is wrong by itself: found before anything was executed."""
    return StripeError(400, message, code=code, param=param, executed=False)


def missing_resource(kind: str, id: str, *, param: str = "id", status: int = 404) -> StripeError:
    """`resource_missing`: 404 for the object of the path, 400 for one named in a parameter."""
    return StripeError(status, f"No such {kind}: '{id}'", code="resource_missing", param=param)
