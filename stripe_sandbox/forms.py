"""Stripe's form encoding: `a=1`, `a[b]=1`, `a[]=1`, `a[0][b]=1`."""

import re
from typing import Any
from urllib.parse import parse_qsl

from .errors import Json, StripeError

KEY = re.compile(r"^([^\[\]]+)((?:\[[^\[\]]*\])*)$")
PART = re.compile(r"\[([^\[\]]*)\]")
MOST_FIELDS = 1_000
DEEPEST_FIELD = 12


def decode_form(raw: bytes) -> Json:
    """A tree of dictionaries whose leaves are strings; list positions are digit keys.

    Raises StripeError 400 for text that is not a form: bad UTF-8, malformed names, too many.
    """
    try:
        pairs = parse_qsl(
            raw.decode("utf-8"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError as error:
        raise _not_a_form() from error
    tree: Json = {}
    for name, value in pairs:
        if "\x00" in name or "\x00" in value:
            raise StripeError(400, "Invalid request: null character", executed=False)
        _place(tree, _parts(name), value, name)
    return tree


def _not_a_form() -> StripeError:
    return StripeError(
        400,
        "Invalid request (check that your POST content type is "
        "application/x-www-form-urlencoded). If you have any questions, we can help at "
        "https://support.stripe.com/.",
        executed=False,
    )


def _parts(name: str) -> list[str]:
    found = KEY.match(name)
    if not found:
        raise _not_a_form()
    parts = [found.group(1), *PART.findall(found.group(2))]
    if len(parts) > DEEPEST_FIELD:
        raise _not_a_form()
    return parts


def _place(tree: Json, parts: list[str], value: str, name: str) -> None:
    node = tree
    for index, part in enumerate(parts[:-1]):
        node = _branch(node, _slot(node, part, parts[index + 1 :]), name)
    last = _slot(node, parts[-1], [])
    if isinstance(node.get(last), dict):
        raise _mixed(name)
    node[last] = value


def _branch(node: Json, part: str, name: str) -> Json:
    child: Any = node.setdefault(part, {})
    if not isinstance(child, dict):
        raise _mixed(name)
    return child


def _slot(node: Json, part: str, rest: list[str]) -> str:
    """`a[]` appends; `a[][x]` stays on the last entry until `x` is taken."""
    if part:
        return part
    if node and rest:
        last = node.get(str(len(node) - 1))
        if isinstance(last, dict) and rest[0] not in last:
            return str(len(node) - 1)
    return str(len(node))


def _mixed(name: str) -> StripeError:
    return StripeError(
        400, f"Invalid request: {name} is both a value and a container", executed=False
    )
