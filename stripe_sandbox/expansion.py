"""`expand[]`: ids in an answer replaced by the objects they name."""

from collections.abc import Callable
from typing import Any

from .errors import Json, StripeError, missing_resource
from .world import World, public

PREFIXES: dict[str, str] = {
    "pi": "payment_intent",
    "ch": "charge",
    "py": "charge",
    "re": "refund",
    "pyr": "refund",
    "tr": "transfer",
    "trr": "transfer_reversal",
    "fee": "application_fee",
    "fr": "fee_refund",
    "txn": "balance_transaction",
    "cus": "customer",
    "pm": "payment_method",
    "seti": "setup_intent",
    "setatt": "setup_attempt",
    "po": "payout",
    "ba": "bank_account",
    "du": "dispute",
    "acct": "account",
}
"""Kinds by identifier prefix: a string with one of these prefixes can be expanded."""

Includable = Callable[[World, Json], Json]
INCLUDABLE: dict[tuple[str, str], Includable] = {}


def register_expandable(kind: str, name: str, include: Includable) -> None:
    """Offer a field that is only there when expanded, such as `charge`, `refunds`."""
    INCLUDABLE[(kind, name)] = include


def expanded(world: World, answer: Json, paths: list[str]) -> Json:
    """A copy of the answer with every path expanded; 400 for a path that cannot be."""
    answer = public(answer)
    for path in paths:
        steps = path.split(".")
        if len(steps) > 4:
            raise StripeError(
                400,
                f"You cannot expand more than 4 levels of a property. Property: {path}",
                param="expand",
            )
        _expand(world, answer, steps, path)
    return answer


def _expand(world: World, node: Any, steps: list[str], path: str) -> None:
    if isinstance(node, list):
        for item in node:
            _expand(world, item, steps, path)
        return
    if not steps or not isinstance(node, dict):
        return
    name, rest = steps[0], steps[1:]
    if name not in node:
        include = INCLUDABLE.get((str(node.get("object")), name))
        if include is None:
            raise _not_expandable(path)
        node[name] = public(include(world, node))
    elif isinstance(node[name], str):
        node[name] = _object(world, node[name], path)
    elif not isinstance(node[name], dict | list | None):
        raise _not_expandable(path)
    _expand(world, node[name], rest, path)


def _object(world: World, id: str, path: str) -> Json:
    kind = PREFIXES.get(id.split("_")[0])
    if kind is None:
        raise _not_expandable(path)
    found = world.peek(kind, id)
    if found is None:
        raise missing_resource(kind, id, param="expand")
    copied: Json = public(found)
    return copied


def _not_expandable(path: str) -> StripeError:
    return StripeError(
        400,
        f"This property cannot be expanded ({path}). You may want to try expanding another "
        "property.",
        param="expand",
    )
