"""What a JSON body must be before anybody reads its fields. Pure.

msgspec alone would raise UnicodeDecodeError on invalid UTF-8 and RecursionError on deep nesting, keep the
last of two equal keys, and pass on NUL characters, lone surrogates and integers that PostgreSQL refuses.
"""

import json
import math
from typing import Any, NoReturn

from marketplace.api.refusals import RequestRefused

DEPTH_LIMIT = 32
_INTEGER_DIGITS = 19
_INTEGER_LIMIT = 2**63


def require_sound(body: bytes) -> Any:
    """The value of a JSON body. Raises RequestRefused: body_not_utf8, body_not_json, body_too_deep,
    body_repeats_key, body_number_refused, body_text_refused."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise RequestRefused("body_not_utf8") from None
    _require_shallow(text)
    try:
        found = _DECODER.decode(text)
    except ValueError:
        raise RequestRefused("body_not_json") from None
    # Only an escape can bring in what is not a character: everything else was valid UTF-8.
    if "\\u" in text:
        _require_storable(found)
    return found


def _require_shallow(text: str) -> None:
    """Count brackets outside strings; nothing to do for the many bodies that have few of them."""
    if text.count("[") + text.count("{") <= DEPTH_LIMIT:
        return
    depth, in_string, escaped = 0, False, False
    for character in text:
        if in_string:
            in_string = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            if depth > DEPTH_LIMIT:
                raise RequestRefused("body_too_deep", limit=DEPTH_LIMIT)
        elif character in "]}":
            depth -= 1


def _require_storable(found: Any) -> None:
    waiting = [found]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
                raise RequestRefused("body_text_refused", "NUL and lone surrogates are no text.")
        elif isinstance(value, dict):
            waiting += [*value, *value.values()]
        elif isinstance(value, list):
            waiting += value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise RequestRefused("body_repeats_key")
    return found


def _integer(digits: str) -> int:
    # Also keeps int() from working for seconds on a million digits.
    if len(digits.lstrip("-")) > _INTEGER_DIGITS:
        raise RequestRefused("body_number_refused")
    number = int(digits)
    if not -_INTEGER_LIMIT <= number < _INTEGER_LIMIT:
        raise RequestRefused("body_number_refused")
    return number


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise RequestRefused("body_number_refused")
    return number


def _constant(_name: str) -> NoReturn:
    raise RequestRefused("body_not_json", "NaN and Infinity are not JSON.")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_integer,
    parse_float=_float,
    parse_constant=_constant,
)
