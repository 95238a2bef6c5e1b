"""The id of the HTTP request being served: in its log line, its problem document, its audit entries."""

from contextvars import ContextVar

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""None outside a request: a worker or a command."""
