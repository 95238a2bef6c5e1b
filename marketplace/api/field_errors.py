"""What a validator says of a body or a parameter, told by the field it is about.

Never the value that was sent, but the values that would be taken, and the names that are known.
"""

import re
from typing import Any, Final

import msgspec
from msgspec import inspect

_LONGEST: Final = 300
_MOST_NAMES: Final = 20
_AT: Final = re.compile(r" - at `\$\.?(.*)`$")
_REQUIRED: Final = re.compile(r"Object missing required field `(.+)`")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.+)`")
_STEP: Final = re.compile(r"\[[^\]]*\]|[^.\[]+")


def of_body(message: str, annotation: Any) -> dict[str, str]:
    """The field that `message` is about, and what is wrong with it."""
    at = _AT.search(message)
    path = at.group(1) if at else ""
    plain = _AT.sub("", message)
    if required := _REQUIRED.fullmatch(plain):
        return {"field": _below(path, required[1]), "message": "Required"}
    if unknown := _UNKNOWN.fullmatch(plain):
        known = ", ".join(_names(_type_at(annotation, path))[:_MOST_NAMES])
        told = f"Unknown field; there are {known}" if known else "Unknown field"
        return {"field": _below(path, unknown[1])[:_LONGEST], "message": told[:_LONGEST]}
    return {"field": path, "message": of_value(plain, annotation, path)}


def of_value(message: str, annotation: Any, path: str = "") -> str:
    """What is wrong with a value, without the value."""
    plain = _AT.sub("", message)
    if not plain.startswith("Invalid enum value"):
        return plain[:_LONGEST]
    allowed = _values(_type_at(annotation, path))
    told = ", ".join(map(str, allowed[:_MOST_NAMES]))
    return f"Expected one of {told}"[:_LONGEST] if told else "Not one of the allowed values"


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _type_at(annotation: Any, path: str) -> inspect.Type | None:
    """The type of what stands at `lines[0].kind`; None where it cannot be told."""
    try:
        found: inspect.Type | None = inspect.type_info(annotation)
    except TypeError:
        return None
    for step in _STEP.findall(path):
        found = _step(found, step)
    return found


def _step(found: inspect.Type | None, step: str) -> inspect.Type | None:
    for one in _alternatives(found):
        if isinstance(one, inspect.StructType):
            for field in one.fields:
                if field.encode_name == step:
                    return field.type
        elif isinstance(one, inspect.DictType) and step.startswith("["):
            return one.value_type
        elif isinstance(one, inspect.ListType | inspect.VarTupleType | inspect.SetType):
            return one.item_type
    return None


def _alternatives(found: inspect.Type | None) -> tuple[inspect.Type, ...]:
    if isinstance(found, inspect.Metadata):
        return _alternatives(found.type)
    if isinstance(found, inspect.UnionType):
        return tuple(each for one in found.types for each in _alternatives(one))
    return () if found is None else (found,)


def _names(found: inspect.Type | None) -> list[str]:
    return [
        field.encode_name
        for one in _alternatives(found)
        if isinstance(one, inspect.StructType)
        for field in one.fields
    ]


def _values(found: inspect.Type | None) -> list[Any]:
    values: list[Any] = []
    for one in _alternatives(found):
        if isinstance(one, inspect.LiteralType):
            values += one.values
        elif isinstance(one, inspect.EnumType):
            values += [each.value for each in one.cls]
    return [value for value in values if value is not msgspec.UNSET]
