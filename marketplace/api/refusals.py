"""What the edge refuses before any use case is asked: malformed requests and missing rights.

One class and a closed table of codes, for these refusals are about HTTP itself.
"""

from http import HTTPStatus
from typing import Any

REFUSALS: dict[str, tuple[HTTPStatus, str]] = {
    # The request's shape.
    "body_required": (HTTPStatus.BAD_REQUEST, "This request needs a JSON body"),
    "body_unexpected": (HTTPStatus.BAD_REQUEST, "This request takes no body"),
    "body_incomplete": (HTTPStatus.BAD_REQUEST, "The body ended early"),
    "body_too_slow": (HTTPStatus.REQUEST_TIMEOUT, "The body took too long to arrive"),
    "body_too_large": (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large"),
    "body_not_utf8": (HTTPStatus.BAD_REQUEST, "The body is not UTF-8"),
    "body_not_json": (HTTPStatus.BAD_REQUEST, "The body is not JSON"),
    "body_too_deep": (HTTPStatus.BAD_REQUEST, "The body is nested too deeply"),
    "body_repeats_key": (HTTPStatus.BAD_REQUEST, "The body names a field twice"),
    "body_number_refused": (HTTPStatus.BAD_REQUEST, "The body holds a number out of range"),
    "body_text_refused": (HTTPStatus.BAD_REQUEST, "The body holds text that cannot be stored"),
    "invalid_body": (HTTPStatus.BAD_REQUEST, "The body does not fit this request"),
    "invalid_parameter": (HTTPStatus.BAD_REQUEST, "A parameter does not fit this request"),
    "unknown_parameter": (HTTPStatus.BAD_REQUEST, "This request has no such parameter"),
    "path_malformed": (HTTPStatus.BAD_REQUEST, "The path is malformed"),
    "query_malformed": (HTTPStatus.BAD_REQUEST, "The query is malformed"),
    "header_malformed": (HTTPStatus.BAD_REQUEST, "A header is malformed"),
    "headers_too_large": (
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        "The headers are too large",
    ),
    "media_type_unsupported": (
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "The body must be application/json, without a content encoding",
    ),
    # Who is calling.
    "csrf_refused": (HTTPStatus.FORBIDDEN, "The request does not prove where it comes from"),
    "admins_only": (HTTPStatus.FORBIDDEN, "Only admins may do this"),
    "scope_missing": (HTTPStatus.FORBIDDEN, "The key lacks a scope"),
    # Idempotency keys.
    "idempotency_key_required": (HTTPStatus.BAD_REQUEST, "An Idempotency-Key is required"),
    "idempotency_key_malformed": (
        HTTPStatus.BAD_REQUEST,
        "An Idempotency-Key is 1 to 255 visible ASCII characters, given once",
    ),
    "idempotency_key_reused": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The Idempotency-Key was used for another request",
    ),
    "request_in_progress": (HTTPStatus.CONFLICT, "The same request is still being worked on"),
    "answer_not_kept": (
        HTTPStatus.CONFLICT,
        "The request was done, and its answer held a secret that is not kept",
    ),
    # Webhooks.
    "not_stored": (HTTPStatus.SERVICE_UNAVAILABLE, "The event could not be stored: send it again"),
    # Routing.
    "malformed_request": (HTTPStatus.BAD_REQUEST, "The request is malformed"),
    "not_found": (HTTPStatus.NOT_FOUND, "There is nothing here"),
    "method_not_allowed": (HTTPStatus.METHOD_NOT_ALLOWED, "This cannot be done here"),
}


class RequestRefused(Exception):
    """The edge says no. `code` is one of REFUSALS; `data` is shown to the caller."""

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        retry_after_seconds: int | None = None,
        **data: Any,
    ) -> None:
        status, self.title = REFUSALS[code]
        self.status = int(status)
        self.code, self.detail, self.data = code, detail, data
        self.retry_after_seconds = retry_after_seconds
        super().__init__(code)
