"""Which parameters an operation takes, and their types.

`parameters.json` derives from Stripe's published OpenAPI description (MIT licence) for API version
2026-10-28.endive, cut down to the operations simulated here. A node is one of

    {"type": "integer" | "number" | "string" | "boolean" | "any", "values": [...]}
    {"type": "object", "fields": {...}}
    {"type": "map" | "list", "of": node}
    {"any": [node, ...]}
    {"shape": "a node kept under shapes"}

and may say `"required": true`, `"clears": true` (an empty string, on v2 null, unsets it) and
`"longest": characters` where that is not LONGEST_STRING.
"""

import json
import re
from functools import cache
from importlib import resources
from typing import Any

from .errors import Json, StripeError, invalid

INTEGER = re.compile(r"^-?\d{1,18}$")
BROWSER_FIELDS: Json = {
    "client_secret": {"type": "string"},
    "key": {"type": "string"},
    "_stripe_version": {"type": "string"},
}
"""What Stripe.js sends beside the described parameters when it calls with a publishable key."""

SECRET_KEY_ONLY = (
    "amount_details",
    "amount_to_confirm",
    "capture_method",
    "error_on_requires_action",
    "hooks",
    "mandate",
    "off_session",
    "payment_details",
    "radar_options",
)
"""What a server may say at confirmation, and a buyer's browser may not. (Stripe's reference marks
them so; how it words the refusal is not published.)"""

V2_READING_FIELDS: Json = {
    "page": {"type": "string"},
    "usage": {"type": "list", "of": {"type": "string"}},
}
"""Undescribed, yet sent: what `next_page_url` carries, and what stripe-python 16.1 lets slip into
the query when it fetches the event or the object of a notification."""

LONGEST_STRING = 5_000
"""Characters of any string, by Stripe's OpenAPI description of v1."""
MOST_METADATA_KEYS, LONGEST_METADATA_KEY, LONGEST_METADATA_VALUE = 50, 40, 500


@cache
def description() -> Json:
    """The whole description: `operations` by "METHOD /path/{}" and shared `shapes`."""
    text = resources.files(__package__).joinpath("parameters.json").read_text(encoding="utf-8")
    loaded: Json = json.loads(text)
    return loaded


def check(operation: str, given: Json, *, typed: bool, browser: bool = False) -> Json:
    """The parameters with their types, or the 400 Stripe answers for the first that is wrong.

    `typed` says that the values came as JSON and must have the right type already; form values
    are strings and are converted. Raises StripeError `parameter_unknown`, `parameter_missing`,
    `parameter_invalid_integer`, `parameter_invalid_empty` and their kin.
    """
    described = description()["operations"][operation]["fields"]
    if browser:
        described = {n: node for n, node in described.items() if n not in SECRET_KEY_ONLY}
        described = {**described, **BROWSER_FIELDS}
    if operation.startswith("GET /v2/"):
        described = {**described, **V2_READING_FIELDS}
    return _Reader(typed).fields(given, described, "")


class _Reader:
    def __init__(self, typed: bool) -> None:
        self.typed = typed

    def fields(self, given: Json, described: Json, path: str) -> Json:
        unknown = [_join(path, name) for name in given if name not in described]
        if unknown:
            raise _unknown(unknown)
        for name, node in described.items():
            if node.get("required") and name not in given:
                raise _missing(_join(path, name))
        return {
            name: self.value(value, described[name], _join(path, name))
            for name, value in given.items()
        }

    def value(self, value: Any, node: Json, path: str) -> Any:
        if self._unsets(value):
            if node.get("clears"):
                return None if self.typed else ""
            if value is None or not self.typed:
                raise _empty(path)
        if "shape" in node:
            return self.value(value, description()["shapes"][node["shape"]], path)
        if "any" in node:
            return self._alternative(value, node["any"], path)
        match node["type"]:
            case "object":
                return self.fields(_container(value, path, "object"), node["fields"], path)
            case "map":
                return self._map(_container(value, path, "hash"), node["of"], path)
            case "list":
                return self._list(value, node["of"], path)
            case _:
                return self._plain(value, node, path)

    def _unsets(self, value: Any) -> bool:
        return value is None or (value == "" and not self.typed)

    def _alternative(self, value: Any, nodes: list[Json], path: str) -> Any:
        refusal: StripeError | None = None
        for node in nodes:
            try:
                return self.value(value, node, path)
            except StripeError as error:
                refusal = refusal or error
        raise refusal or _wrong_type(path, "value")

    def _map(self, given: Json, node: Json, path: str) -> Json:
        if len(given) > MOST_METADATA_KEYS:
            raise invalid(
                f"You can only have {MOST_METADATA_KEYS} metadata keys.",
                code="parameter_invalid_string",
                param=path,
            )
        read: Json = {}
        for name, value in given.items():
            if len(name) > LONGEST_METADATA_KEY:
                raise _too_long("keys", LONGEST_METADATA_KEY, name, path)
            if isinstance(value, str) and len(value) > LONGEST_METADATA_VALUE:
                raise _too_long("values", LONGEST_METADATA_VALUE, value, _join(path, name))
            cleared = value is None or value == ""
            read[name] = value if cleared else self.value(value, node, _join(path, name))
        return read

    def _list(self, value: Any, node: Json, path: str) -> list[Any]:
        if not self.typed and isinstance(value, dict) and all(k.isdecimal() for k in value):
            value = [value[k] for k in sorted(value, key=int)]
        if not isinstance(value, list):
            raise _wrong_type(path, "array")
        return [self.value(item, node, f"{path}[{index}]") for index, item in enumerate(value)]

    def _plain(self, value: Any, node: Json, path: str) -> Any:
        if isinstance(value, dict | list):
            raise _wrong_type(path, node["type"])
        match node["type"]:
            case "integer":
                value = self._integer(value, path)
            case "number":
                value = self._number(value, path)
            case "boolean":
                value = self._boolean(value, path)
            case "string" if not isinstance(value, str):
                raise _wrong_type(path, "string")
            case "string" if not self.typed and len(value) > node.get("longest", LONGEST_STRING):
                raise _too_long_string(path, value, node.get("longest", LONGEST_STRING))
        values = node.get("values")
        if values is not None and value not in values:
            raise _not_one_of(path, values)
        return value

    def _integer(self, value: Any, path: str) -> int:
        if self.typed and isinstance(value, int) and not isinstance(value, bool):
            return value
        if not self.typed and INTEGER.match(value):
            return int(value)
        raise invalid(f"Invalid integer: {value}", code="parameter_invalid_integer", param=path)

    def _number(self, value: Any, path: str) -> float:
        try:
            return float(value)
        except ValueError:
            raise _wrong_type(path, "decimal") from None

    def _boolean(self, value: Any, path: str) -> bool:
        if self.typed and isinstance(value, bool):
            return value
        if not self.typed and value in ("true", "false"):
            return bool(value == "true")
        raise StripeError(400, f"Invalid boolean: {value}", param=path, executed=False)


def _join(path: str, name: str) -> str:
    return f"{path}[{name}]" if path else name


def _container(value: Any, path: str, word: str) -> Json:
    if not isinstance(value, dict):
        raise _wrong_type(path, word)
    return value


def _unknown(names: list[str]) -> StripeError:
    if "payment_method_types" in names:
        return invalid(
            "The `payment_method_types` parameter is no longer supported in this API version. Use "
            "`automatic_payment_methods` or `allowed_payment_method_types` instead.",
            code="payment_method_types_no_longer_supported",
            param="payment_method_types",
        )
    word = "parameter" if len(names) == 1 else "parameters"
    listed = ", ".join(names)
    return invalid(f"Received unknown {word}: {listed}", code="parameter_unknown", param=names[0])


def _missing(path: str) -> StripeError:
    return invalid(f"Missing required param: {path}.", code="parameter_missing", param=path)


def _empty(path: str) -> StripeError:
    return invalid(
        f"You passed an empty string for '{path}'. We assume empty values are an attempt to unset "
        f"a parameter; however '{path}' cannot be unset. You should remove '{path}' from your "
        "request or supply a non-empty value.",
        code="parameter_invalid_empty",
        param=path,
    )


def _too_long(what: str, most: int, text: str, path: str) -> StripeError:
    return invalid(
        f"Metadata {what} can have up to {most} characters, but you passed in a value that is "
        f"{len(text)} characters.",
        code="parameter_invalid_string",
        param=path,
    )


def _too_long_string(path: str, text: str, most: int) -> StripeError:
    return StripeError(
        400,
        f"Invalid string: {text[:10]}...{text[-4:]}; must be at most {most} characters",
        param=path,
        executed=False,
    )


def _wrong_type(path: str, word: str) -> StripeError:
    return StripeError(400, f"Invalid {word}", param=path, executed=False)


def _not_one_of(path: str, values: list[Any]) -> StripeError:
    words = [str(value) for value in values]
    listed = words[0] if len(words) == 1 else f"{', '.join(words[:-1])}, or {words[-1]}"
    return StripeError(400, f"Invalid {path}: must be one of {listed}", param=path, executed=False)
