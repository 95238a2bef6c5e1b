"""Stripe's search language: `status:'succeeded' AND metadata['order_id']:'ord_1'`.

Unlike Stripe's, the index here is never behind.
"""

import re
from collections.abc import Callable

from .errors import Json, refused
from .routes import Call

CLAUSE = re.compile(
    r"""\s*(?P<negated>-)?(?P<field>[a-z_]+)(?:\[(?P<q>["'])(?P<key>.*?)(?P=q)\])?
        \s*(?P<operator>:|~|>=|<=|>|<)\s*
        (?:(?P<quote>["'])(?P<text>(?:\\.|(?!(?P=quote)).)*)(?P=quote)
          |(?P<word>-?\w+))\s*""",
    re.VERBOSE,
)
JOINT = re.compile(r"(AND|OR)\b", re.IGNORECASE)
FIELDS = ("amount", "created", "currency", "customer", "metadata", "status")

Test = Callable[[Json], bool]


def search(call: Call, objects: list[Json], url: str) -> Json:
    """Stripe's search envelope over objects that are newest first.

    Raises 400 for a query that cannot be read, or that mixes AND with OR.
    """
    tests, joint = _parse(call.params["query"])
    together = any if joint == "OR" else all
    found = [o for o in objects if together(test(o) for test in tests)]
    page = call.params.get("page", "0")
    if not page.isascii() or not page.isdigit():
        raise refused(f"Invalid page: {page}", param="page")
    start, limit = int(page), call.params.get("limit", 10)
    more = len(found) > start + limit
    return {
        "object": "search_result",
        "data": found[start : start + limit],
        "has_more": more,
        "next_page": str(start + limit) if more else None,
        "url": url,
    }


def _parse(query: str) -> tuple[list[Test], str]:
    tests: list[Test] = []
    joints: set[str] = set()
    position = 0
    while True:
        clause = CLAUSE.match(query, position)
        if clause is None or clause["field"] not in FIELDS:
            raise _unreadable(query)
        tests.append(_test(clause))
        position = clause.end()
        if position == len(query):
            break
        joint = JOINT.match(query, position)
        if joint is None:
            raise _unreadable(query)
        joints.add(joint[1].upper())
        position = joint.end()
    if len(joints) > 1:
        raise _unreadable(query)
    return tests, joints.pop() if joints else "AND"


def _test(clause: re.Match[str]) -> Test:
    field, key, operator = clause["field"], clause["key"], clause["operator"]
    wanted = clause["word"] if clause["text"] is None else re.sub(r"\\(.)", r"\1", clause["text"])

    def holds(obj: Json) -> bool:
        value = obj[field] if key is None else obj[field].get(key)
        return _compare(value, operator, wanted) != bool(clause["negated"])

    return holds


def _compare(value: object, operator: str, wanted: str) -> bool:
    if isinstance(value, int):
        number = int(wanted) if wanted.lstrip("-").isdigit() else 0
        return {
            ":": value == number,
            "~": False,
            ">": value > number,
            "<": value < number,
            ">=": value >= number,
            "<=": value <= number,
        }[operator]
    if wanted == "null":
        return value is None
    if operator == "~":
        return value is not None and wanted.lower() in str(value).lower()
    return operator == ":" and value is not None and str(value).lower() == wanted.lower()


def _unreadable(query: str) -> Exception:
    return refused(
        f"We were unable to parse your search query {query!r}: combine clauses such as "
        "status:'succeeded' or metadata['key']:'value' with either AND or OR.",
        param="query",
    )
