"""Every story of `docs/failures.md` is caught by a test that exists."""

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "failures.md"
STORIES = [
    (int(number), re.findall(r"`([^`]+)`", caught_by))
    for number, caught_by in re.findall(r"^\| (\d+) \|[^|]+\|([^|]+)\|$", PAGE.read_text(), re.M)
]


def test_there_are_thirty_stories() -> None:
    assert [number for number, _ in STORIES] == list(range(1, 31))


@pytest.mark.parametrize(("number", "named"), STORIES, ids=lambda value: str(value)[:2])
def test_each_is_caught_by_tests_that_exist(number: int, named: list[str]) -> None:
    assert named, number
    for one in named:
        file, _, test = one.partition("::")
        tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
        defined = {
            node.name
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert not test or test in defined, one
