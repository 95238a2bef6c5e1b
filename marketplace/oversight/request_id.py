"""The HTTP request being served: its id, in its log line, problem document and audit entries; and its key."""

from contextvars import ContextVar

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""None outside a request: a worker or a command."""
API_KEY_ID: ContextVar[str | None] = ContextVar("api_key_id", default=None)
"""The API key that the request was signed in with; None for a browser, a worker, a command."""
