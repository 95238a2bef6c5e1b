"""How the program logs: one JSON object a line on standard error, and no secret in it.

Our own modules log events with named fields through structlog; libraries log through the standard
library and come out in the same shape. An exception is told as its class, a redacted message and
where it happened: never with PostgreSQL's DETAIL, which quotes the row.
"""

import logging
import re
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from types import TracebackType
from typing import Any, TextIO

import asyncpg
import msgspec
import structlog

# Each of these logs a line or more for every call it makes.
_TALKATIVE = ("stripe", "httpx", "httpcore", "aiohttp", "asyncio", "uvicorn.access")

_SECRET = re.compile(
    r"(?:sk|rk|mk|whsec)_[A-Za-z0-9_-]+"  # keys: Stripe's, ours, and signing secrets
    r"|[a-z]+_[A-Za-z0-9]+_secret_[A-Za-z0-9_-]+"  # client secrets
    r"|(?i:bearer)\s+[^\s\"']+"
    r"|postgres(?:ql)?://[^\s\"']+"
)
_MESSAGE_CHARACTERS = 500
_FRAMES = 30


def configure(level: str) -> None:
    """Send every log line of this process to standard error as JSON, from `level` on."""
    logging.root.handlers = [_handler()]
    logging.root.setLevel(level)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))
    # Our own lines take the short way: through the standard library a line costs three times as much.
    structlog.configure(
        processors=[*_shared(), _as_json],
        logger_factory=_Lines(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        cache_logger_on_first_use=True,
    )


class _Lines:
    """Makes structlog's innermost loggers: each knows its name and writes whole lines."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, name: str = "") -> "_Line":
        return _Line(name, self._stream)


class _Line:
    def __init__(self, name: str, stream: TextIO) -> None:
        self.name, self._stream = name, stream

    def msg(self, line: str) -> None:
        self._stream.write(line + "\n")

    debug = info = warning = error = critical = msg


def _handler() -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _as_json],
            foreign_pre_chain=[*_shared(), _redact_event],
        )
    )
    return handler


def _shared() -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        tell_exception,
    ]


def tell_exception(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A structlog processor: `exc_info` becomes `error`, `message` and `frames`."""
    error = _exception_in(event.pop("exc_info", None))
    if error is not None:
        event.update(told(error))
    return event


def told(error: BaseException) -> dict[str, Any]:
    """An exception as log fields; causes are told as their classes only."""
    fields: dict[str, Any] = {
        "error": type(error).__qualname__,
        "message": redacted(_message_of(error)),
        "frames": _frames(error.__traceback__),
    }
    cause = error.__cause__ or error.__context__
    if cause is not None:
        fields["cause"] = type(cause).__qualname__
        fields["cause_frames"] = _frames(cause.__traceback__)
    return fields


def redacted(text: str) -> str:
    """`text` without anything that looks like a key, a client secret or an address with a password."""
    return _SECRET.sub("[redacted]", text)[:_MESSAGE_CHARACTERS]


def _message_of(error: BaseException) -> str:
    if isinstance(error, asyncpg.PostgresError):
        # str() would add DETAIL, which quotes the values of the row.
        return str(error.args[0]) if error.args else ""
    return str(error)


def _frames(trace: TracebackType | None) -> list[str]:
    found = traceback.extract_tb(trace)[-_FRAMES:]
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in found]


def _exception_in(exc_info: Any) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return exc_info[1] if isinstance(exc_info[1], BaseException) else None
    return sys.exc_info()[1] if exc_info else None


def _redact_event(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A library's sentence was not written with our secrets in mind."""
    event["event"] = redacted(str(event.get("event", "")))
    return event


def _as_json(_logger: Any, _method: str, event: Mapping[str, Any]) -> str:
    return msgspec.json.encode(dict(event), enc_hook=repr).decode()
