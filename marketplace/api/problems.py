"""Every error becomes a problem document (RFC 9457) here, and nowhere else.

    {"type": "/problems/order_not_found", "title": "...", "status": 404, "detail": "...",
     "code": "order_not_found", "request_id": "req_...", ...the fields its entry shows}

What nobody foresaw is a 500 that tells the caller nothing but the request's id; the log has the rest.
"""

import re
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.handlers import BaseRouteHandler

from marketplace.api import field_errors
from marketplace.api.actors import reading
from marketplace.api.principal import Principal
from marketplace.api.problem_answers import Answer
from marketplace.api.problem_table import INTERNAL, answer_to
from marketplace.api.refusals import REFUSALS, RequestRefused
from marketplace.api.requests_log import PROBLEM_CODE, log_failure
from marketplace.api.why_words import words_of
from marketplace.orders.records import Actor
from marketplace.oversight.request_id import REQUEST_ID

MEDIA_TYPE = "application/problem+json"
_OF_STATUS = {
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "media_type_unsupported",
}
_MISSING = re.compile(r"Missing required \w+ parameter '(?P<name>[^']+)'")


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A problem document before it is written; `data` are its extra members."""

    status: int
    code: str
    title: str
    detail: str = ""
    data: dict[str, Any] = {}
    headers: dict[str, str] = {}

    def encode(self) -> bytes:
        """The document's bytes."""
        document: dict[str, Any] = {
            "type": f"/problems/{self.code}",
            "title": self.title,
            "status": self.status,
            **({"detail": self.detail} if self.detail else {}),
            "code": self.code,
            "request_id": REQUEST_ID.get(),
        }
        return msgspec.json.encode(document | self.data)

    def as_response(self) -> Response[bytes]:
        """The answer for Litestar to send."""
        return Response(
            self.encode(),
            status_code=self.status,
            media_type=MEDIA_TYPE,
            headers=self.headers,
        )


def answer_with_problem(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Litestar's exception handler for every error of every route."""
    if isinstance(error, ValidationException):
        problem = _of_parameters(error, request.route_handler)
    else:
        problem = problem_of(error, request.scope.get("user"))
    if problem.status >= 500:
        log_failure(error, expected=problem.code != INTERNAL.code)
    request.scope["state"][PROBLEM_CODE] = problem.code
    return problem.as_response()


def problem_of(error: BaseException, reader: Principal | None = None) -> Problem:
    """The problem document that tells `error` to `reader`."""
    if isinstance(error, RequestRefused):
        return _of_refusal(error)
    if isinstance(error, HTTPException) and error.status_code < 500:
        return _of_status(error)
    return _of_answer(error, answer_to(error) or INTERNAL, reader)


def _of_refusal(error: RequestRefused) -> Problem:
    return Problem(
        status=error.status,
        code=error.code,
        title=error.title,
        detail=error.detail,
        data=error.data,
        headers=_headers(error.status, error.retry_after_seconds),
    )


def _of_answer(error: BaseException, answer: Answer, reader: Principal | None) -> Problem:
    fields = answer.fields
    if answer.own_fields and reader is not None and _concerns(error, reading(reader)):
        fields += answer.own_fields
    data = {name: _shown(getattr(error, name)) for name in fields} | dict(answer.data)
    asked: int | None = getattr(error, "retry_after_seconds", answer.retry_after_seconds)
    return Problem(
        status=answer.status,
        code=answer.code,
        title=answer.title,
        detail=_detail(error, answer, data),
        data=data,
        headers=_headers(answer.status, asked),
    )


def _detail(error: BaseException, answer: Answer, data: dict[str, Any]) -> str:
    words = {"why_words": words_of(error)} if "{why_words}" in answer.detail else {}
    return answer.detail.format_map(data | words)


def _concerns(error: Any, reader: Actor) -> bool:
    return reader.is_admin or bool(reader.account_id == error.account_id)


def _of_parameters(error: ValidationException, handler: BaseRouteHandler) -> Problem:
    """Litestar's refusal of a path, query or header parameter, by the name it has in the request."""
    extra = error.extra if isinstance(error.extra, list) else []
    errors = [
        {
            "field": _as_sent(str(e["key"]), handler),
            "message": field_errors.of_value(
                str(e["message"]), _annotation(str(e["key"]), handler)
            ),
        }
        for e in extra
    ]
    if missing := _MISSING.match(error.detail):
        errors.append({"field": missing["name"], "message": "Required"})
    status, title = REFUSALS["invalid_parameter"]
    return Problem(
        status=int(status), code="invalid_parameter", title=title, data={"errors": errors}
    )


def _as_sent(field: str, handler: BaseRouteHandler) -> str:
    """`from` is no name for an argument of ours: what is `since` here is `from` to the caller."""
    argument = handler.parsed_fn_signature.parameters.get(field)
    return getattr(argument and argument.kwarg_definition, "name", None) or field


def _annotation(field: str, handler: BaseRouteHandler) -> Any:
    """The type of a parameter; filters are arguments of what a handler depends on."""
    signatures = [handler.parsed_fn_signature]
    signatures += [each.parsed_fn_signature for each in handler.resolve_dependencies().values()]
    found = next((one.parameters[field] for one in signatures if field in one.parameters), None)
    return found and found.annotation


def _of_status(error: HTTPException) -> Problem:
    """Litestar's own refusals: routing, and what its parsers stumble over."""
    code = _OF_STATUS.get(error.status_code, "malformed_request")
    status, title = REFUSALS[code]
    allow = {k.title(): v for k, v in (error.headers or {}).items() if k.lower() == "allow"}
    return Problem(status=int(status), code=code, title=title, headers=allow)


def _shown(value: Any) -> Any:
    return msgspec.to_builtins(value) if not isinstance(value, str | int | None) else value


def _headers(status: int, retry_after_seconds: int | None) -> dict[str, str]:
    headers: dict[str, str] = {}
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="marketplace"'
    if retry_after_seconds is not None:
        headers["Retry-After"] = str(retry_after_seconds)
    return headers
